"""What a data plan gives: ``4 GB/day``, ``30 GB/month``, ``10 GB``, and for how many days. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from fleet.errors import AccountError

_AMOUNT = re.compile(
    r"(?i)(\d{1,6})(?:[.,](\d{1,3}))? ?([MG])B?(?: ?(?:/|a |per )?(day|month|d|mo|ngày|ngay|tháng|thang|天|日|月))?"
)
_BETWEEN = re.compile(r"(?<!\d),|,(?!\d)|[;，；+]")
"""Not a comma between digits: 1,5 GB."""

_DAYS = re.compile(r"(?i)(?:for )?(\d{1,4}) ?(?:days?|d|ngày|ngay|天|日)")
_PER = {
    **dict.fromkeys(("day", "d", "ngày", "ngay", "天", "日"), "day"),
    **dict.fromkeys(("month", "mo", "tháng", "thang", "月"), "month"),
}
_UNIT = {"M": 1_000_000, "G": 1_000_000_000}
_MOST_DAYS = 3660
ADVICE = 'Write it as "4 GB/day, 90 days", "30 GB/month" or "10 GB, 180 days".'


@dataclass(frozen=True)
class Terms:
    """``quota`` as profiles write it, "" unknown; ``days`` from acceptance, None unknown."""

    quota: str = ""
    days: int | None = None


@lru_cache
def terms(text: str) -> Terms:
    """What ``text`` says of quota and days, in any order. AccountError when it says anything else."""
    quota, days = "", None
    for part in filter(None, (piece.strip() for piece in _BETWEEN.split(text))):
        if found := _DAYS.fullmatch(part):
            days = day_count(found[1])
        elif amount := quota_of(part):
            quota = amount
        else:
            raise AccountError(f"{text!r} is not understood as a data plan.", ADVICE)
    return Terms(quota, days)


def quota_of(text: str) -> str:
    """The amount as profiles write it; "" when ``text`` is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found or not int(found[1] + (found[2] or "")):
        return ""
    whole, part, unit, per = found.groups()
    fraction = f".{part.rstrip('0')}" if part and part.strip("0") else ""
    return f"{int(whole)}{fraction} {unit.upper()}B" + (f"/{_PER[per.lower()]}" if per else "")


def day_count(text: str) -> int:
    """A number of days from 1 to 3660, else AccountError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_DAYS):
        raise AccountError(f"{text!r} is no number of days from 1 to {_MOST_DAYS}.", ADVICE)
    return int(text)


def size(quota: str) -> tuple[int, str]:
    """Bytes, and per what: day, month, or all. ``(0, "all")`` of a quota that is not known."""
    found = _AMOUNT.fullmatch(quota)
    if not found:
        return 0, "all"
    whole, part, unit, per = found.groups()
    thousandths = int(whole) * 1000 + int((part or "").ljust(3, "0"))
    return thousandths * _UNIT[unit] // 1000, _PER[per] if per else "all"


def end_of(accepted_at: str, days: int | None) -> str | None:
    """When a plan accepted then ends: so many days later, at the same time of day (UTC). None without days."""
    if days is None:
        return None
    return at_of(datetime.fromisoformat(accepted_at) + timedelta(days=days))


def shifted(now: str, days: int) -> str:
    """The moment so many days after ``now`` (before it, when negative), as records write it."""
    return at_of(datetime.fromisoformat(now) + timedelta(days=days))


def at_of(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
