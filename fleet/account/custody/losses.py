"""Losses that repeat, and faults that one model or batch has more often than the rest.

Small numbers prove nothing: a fault is only called more frequent when it was seen five times or more, and when even the
lower end of what its share may be (95 %, Wilson) is above the share among all other units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from sqlalchemy import Connection, func, select

from fleet.models import custody, holdings, students, units

LEAST = 5
_Z = 1.96


@dataclass(frozen=True)
class Repeat:
    """``of`` is student or household. ``students`` are keys; a household is named by them, never by its hash."""

    of: str
    students: tuple[str, ...]
    losses: int
    last: str


@dataclass(frozen=True)
class Fault:
    """``of`` is model or batch, ``name`` which one. ``units`` of ``total`` had this fault; of all others,
    ``rest_units`` of ``rest_total``. ``above``: that it is more than the rest is more than chance."""

    of: str
    name: str
    fault: str
    units: int
    total: int
    rest_units: int
    rest_total: int
    above: bool


def repeats(conn: Connection) -> tuple[Repeat, ...]:
    """Students who lost more than one unit, and households in which several children did; the most losses first."""
    lost = select(holdings.c.student, func.count().label("losses"), func.max(holdings.c.since).label("last")).where(
        holdings.c.step == "lose", holdings.c.student.is_not(None)
    )
    each = lost.group_by(holdings.c.student).subquery()
    one = select(each).where(each.c.losses > 1)
    found = [Repeat("student", (row.student,), row.losses, row.last) for row in conn.execute(one)]
    both = select(students.c.household).join_from(each, students, students.c.student == each.c.student)
    several = both.where(students.c.household != "").group_by(students.c.household).having(func.count() > 1)
    theirs = select(students.c.household, each).join_from(each, students, students.c.student == each.c.student)
    households: dict[str, list[tuple[str, int, str]]] = {}
    for row in conn.execute(theirs.where(students.c.household.in_(several)).order_by(each.c.student)):
        households.setdefault(row.household, []).append((row.student, row.losses, row.last))
    for rows in households.values():
        last = max(when for _, _, when in rows)
        found.append(Repeat("household", tuple(row[0] for row in rows), sum(row[1] for row in rows), last))
    return tuple(sorted(found, key=lambda repeat: (-repeat.losses, repeat.students)))


def above(conn: Connection) -> tuple[Fault, ...]:
    """The faults that stand out."""
    return tuple(fault for fault in faults(conn) if fault.above)


def faults(conn: Connection) -> tuple[Fault, ...]:
    """Every fault of every model and batch; what stands out first, then the most frequent. A unit counts once."""
    found = [*_faults(conn, "model"), *_faults(conn, "batch")]
    return tuple(sorted(found, key=lambda one: (not one.above, -one.units, one.of, one.name, one.fault)))


def _faults(conn: Connection, of: str) -> Iterator[Fault]:
    group = units.c.model if of == "model" else custody.c.batch
    sizes = select(group, func.count()).join_from(units, custody).where(group != "").group_by(group)
    totals: Mapping[str, int] = {row[0]: row[1] for row in conn.execute(sizes).all()}
    had = select(group.label("name"), holdings.c.why, func.count(holdings.c.unit.distinct()).label("units"))
    joined = had.join_from(holdings, units, units.c.key == holdings.c.unit).join(custody, custody.c.unit == units.c.key)
    query = joined.where(holdings.c.step == "repair", group != "").group_by(group, holdings.c.why)
    rows = conn.execute(query.order_by(group, holdings.c.why)).all()
    everywhere: dict[str, int] = {}
    for row in rows:
        everywhere[row.why] = everywhere.get(row.why, 0) + row.units
    for row in rows:
        total, rest = totals[row.name], sum(totals.values()) - totals[row.name]
        others = everywhere[row.why] - row.units
        yield Fault(of, row.name, row.why, row.units, total, others, rest, _stands_out(row.units, total, others, rest))


def _stands_out(had: int, total: int, others: int, rest: int) -> bool:
    return had >= LEAST and rest > 0 and _lower(had, total) > others / rest


def _lower(had: int, total: int) -> float:
    """The lower end of Wilson's interval for the share ``had / total``."""
    share, square = had / total, _Z * _Z
    middle = share + square / (2 * total)
    half = _Z * sqrt(share * (1 - share) / total + square / (4 * total * total))
    return (middle - half) / (1 + square / total)
