"""Tags that are numbered: a prefix, and a number of four digits at least."""

from __future__ import annotations

import re

_SERIES = re.compile(r"(.+)-(\d{4,9})")


def series(tag: str) -> tuple[str, int] | None:
    """``("SB", 7)`` of ``SB-0007``; ``None`` of a tag that does not end as numbered tags do."""
    match = _SERIES.fullmatch(tag)
    if not match or tag != numbered(match[1], int(match[2])):
        return None
    return match[1], int(match[2])


def numbered(prefix: str, number: int) -> str:
    return f"{prefix}-{number:04d}"
