"""The map of USB: which phone hangs on which bus, hub and port, and which limits of the computer are near."""
