"""Keys of students as people write and read them."""

from __future__ import annotations

from fleet.values import storable


def key_of(name: str) -> str:
    """The key as it is kept, of S-7K3MX2A9Q or s7k3mx2a9q."""
    return storable(name.strip().upper().replace("-", ""))


def shown_key(student: str) -> str:
    """The key as it is shown: S-7K3MX2A9Q."""
    return f"{student[:1]}-{student[1:]}"
