"""Devices at home: their agents ask for what they should be, and tell how they are."""
