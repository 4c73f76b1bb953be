"""Serial numbers that people take for each other: O for 0, I or L for 1, small letters for capitals."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fleet.models import custody, units
from provision.text import printable

ALIKE = ("0O", "1IL")
"""Letters that are read as each other; the first stands for all."""

_FOLD = str.maketrans({letter: alike[0] for alike in ALIKE for letter in alike[1:]})


@dataclass(frozen=True)
class Spelling:
    """A unit with one of the spellings of a serial. ``benched``: a bench read it from the device itself."""

    key: str
    tag: str | None
    serial: str
    state: str
    benched: bool

    @property
    def shown(self) -> str:
        """Key and tag, for people."""
        return printable(self.key) + (f" ({self.tag})" if self.tag else "")


def fold(serial: str) -> str:
    """One spelling for all serials that are easily taken for each other."""
    return serial.upper().translate(_FOLD)


def groups(conn: Connection) -> tuple[tuple[Spelling, ...], ...]:
    """Units that may be one device: alike in their serials, and at most one of them was ever read by a bench."""
    folded = func.upper(units.c.serial)
    for alike in ALIKE:
        for letter in alike[1:]:
            folded = func.replace(folded, letter, alike[0])
    often = select(folded).group_by(folded).having(func.count() > 1)
    query = (
        select(units.c.key, units.c.tag, units.c.serial, units.c.state, custody.c.benched_at.is_not(None))
        .outerjoin(custody, custody.c.unit == units.c.key)
        .where(folded.in_(often))
        .order_by(folded, units.c.key)
    )
    found: dict[str, list[Spelling]] = {}
    for row in conn.execute(query):
        one = Spelling(*row)
        found.setdefault(fold(one.serial), []).append(one)
    return tuple(tuple(some) for some in found.values() if sum(one.benched for one in some) <= 1)


def told(found: tuple[tuple[Spelling, ...], ...]) -> tuple[str, ...]:
    """The groups, each in a sentence."""
    return tuple(f"{' and '.join(one.shown for one in some)} may be one device." for some in found)
