"""The account: students, places, SIMs, who has what and until when."""
