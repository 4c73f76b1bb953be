"""Pushes: a release goes to sites in waves, and the work is the difference between what each should have and has."""
