"""What may keep a bench from working, and how to mend it. Nothing here knows of a registry."""
