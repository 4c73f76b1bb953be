"""What is recorded at each place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fleet.models import counts, custody

_LAST = 5


@dataclass(frozen=True)
class Counted:
    """One count of a place. ``expected`` = ``found`` + ``missing``; ``unexpected`` are recorded elsewhere."""

    at: str
    expected: int
    found: int
    missing: int
    unexpected: int

    @property
    def variance(self) -> int:
        """What lay there, less what should have."""
        return self.unexpected - self.missing


def counted(conn: Connection) -> Mapping[str, Mapping[str, int]]:
    """How many units of each place are in which state. What is in transit is bound for the place."""
    pairs = select(custody.c.place, custody.c.state, func.count()).group_by(custody.c.place, custody.c.state)
    found: dict[str, dict[str, int]] = {}
    for place, state, number in conn.execute(pairs):
        found.setdefault(place, {})[state] = number
    return found


def counts_of(conn: Connection, place: str) -> tuple[Counted, ...]:
    """The last counts of the place, newest first."""
    columns = (counts.c.at, counts.c.expected, counts.c.found, counts.c.missing, counts.c.unexpected)
    query = select(*columns).where(counts.c.place == place).order_by(counts.c.at.desc()).limit(_LAST)
    return tuple(Counted(*row) for row in conn.execute(query))
