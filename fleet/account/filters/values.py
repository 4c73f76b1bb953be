"""A value of a filter as the database compares it: dates and ages, sizes, versions. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGE = re.compile(r"(?i)([+-]?)(\d{1,5}) ?(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}
_SIZE = re.compile(r"(?i)(\d{1,9})(?:\.(\d{1,3}))? ?(kB|MB|GB)?")
_UNIT = {"kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
_NUMBER = re.compile(r"(-?\d{1,9}) ?%?")
DAY = timedelta(days=1)


def number(text: str) -> int | None:
    """A whole number, with or without a percent sign; ``None`` when it is none."""
    found = _NUMBER.fullmatch(text)
    return int(found[1]) if found else None


def size(text: str) -> int | None:
    """Bytes; a bare number is MB."""
    found = _SIZE.fullmatch(text)
    if not found:
        return None
    thousandths = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))
    return thousandths * _UNIT[(found[3] or "MB").lower()] // 1000


def moment(text: str, now: str) -> tuple[datetime, timedelta] | None:
    """The moment (UTC) that is meant, and for how long it lasts: a date is a day of this computer's time.

    ``30d`` is 30 days before ``now``, ``+30d`` 30 days after it; ``h`` and ``w`` are hours and weeks. ``None`` when it
    is no moment.
    """
    here = datetime.fromisoformat(now)
    word = text.strip().lower()
    if word == "now":
        return here, timedelta()
    try:
        if word in ("today", "yesterday"):
            midnight = here.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
            return _utc(midnight - (DAY if word == "yesterday" else timedelta())), DAY
        if found := _AGE.fullmatch(word):
            span = timedelta(hours=int(found[2]) * _HOURS[found[3].lower()])
            return here + (span if found[1] == "+" else -span), timedelta()
        read = datetime.fromisoformat(text.strip())
        return _utc(read), DAY if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text.strip()) else timedelta()
    except (ValueError, OverflowError):
        return None


def recorded(at: datetime) -> str:
    """A moment as records write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _utc(at: datetime) -> datetime:
    """Without a zone it is this computer's time."""
    return at.astimezone(UTC)
