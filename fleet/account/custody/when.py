"""When something really happened that is recorded later, from a register on paper.

The ledger stamps an event with the moment at which it is written; ``on`` of its body says when it happened. What lies
between is the order of a unit's own steps: none can have happened before the one that led to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet.errors import CustodyError
from provision.text import local_time, printable


@dataclass(frozen=True)
class Day:
    """A day of this computer's time, not later than today. ``begin``, ``noon`` and ``end`` (exclusive) in UTC, as
    records write moments; ``now`` is when it is told."""

    day: str
    begin: str
    noon: str
    end: str
    now: str

    def after(self, since: str | None, shown: str) -> str:
        """A moment of this day, its noon if that may be, for what ``shown`` did after ``since``. CustodyError when that
        day was over by then."""
        at = min(self.noon, self.now)
        if since and at <= since:
            at = _recorded(datetime.fromisoformat(since) + timedelta(milliseconds=1))
        if at >= self.end or at > self.now:
            raise CustodyError(
                f"{shown} is where it is since {local_time(since or at)}: that cannot have been on {self.day}.",
                "fleet unit show tells what happened to it, and when.",
            )
        return at


def day(text: str, now: str) -> Day:
    """The day that was typed: 2026-11-15. CustodyError for what is none, or is still to come."""
    try:
        found = datetime.strptime(text.strip(), "%Y-%m-%d")  # midnight of this computer's time
        begin, noon, end = (_recorded((found + timedelta(hours=hours)).astimezone()) for hours in (0, 12, 24))
    except (ValueError, OverflowError):
        raise CustodyError(f"{printable(text)!r} is no day.", "Write it as 2026-11-15.") from None
    if begin > now:
        raise CustodyError(f"{text.strip()} is still to come.", "Say the day on which it happened.")
    return Day(text.strip(), begin, noon, end, now)


def _recorded(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
