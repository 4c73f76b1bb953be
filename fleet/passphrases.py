"""Passphrases that guard a backup of a key, wherever one is written."""

from __future__ import annotations

SHORTEST_PASSPHRASE = 10


def long_enough(passphrase: str) -> bool:
    """Whether it guards anything from who has the file and time."""
    return len(passphrase) >= SHORTEST_PASSPHRASE
