"""Where units change hands: hand-over, taking back, the scanner."""
