"""The programme in force: its file, who is due by it, who is not served and why, how far each target is."""
