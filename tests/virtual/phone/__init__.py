"""Tests of what the virtual phone answers."""
