"""Versions of systems, such as 15.4.1, compared number by number."""

from __future__ import annotations


def at_least(version: str, minimum: str) -> bool:
    """Whether ``version`` is ``minimum`` or later; 15 counts as 15.0. What is no number counts as 0."""
    now, wanted = _numbers(version), _numbers(minimum)
    length = max(len(now), len(wanted))
    return now + (0,) * (length - len(now)) >= wanted + (0,) * (length - len(wanted))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
