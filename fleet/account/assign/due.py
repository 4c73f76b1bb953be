"""Students who are due a device, in the programme's order.

The order: the phase, then the area, then the category, each as the programme lists them (what it does not list comes
last, by name), then the student's key. That key is a keyed hash of an identifier (people.vault): nobody can
choose it, it favours nobody, and it is the same on every bench, so the order is the same every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, bindparam, cast, exists, literal, select

from fleet.account.programme.gaps_sql import before, device_of, devices_of_household, lost, refused
from fleet.account.programme.household import served
from fleet.account.programme.in_force import Phase, Programme
from fleet.account.programme.scope import Scope, pairs, rank
from fleet.models import SHARED_KINDS, custody, student_ids, students


@dataclass(frozen=True, slots=True)
class Due:
    """A student without a device. ``before`` and ``clashing`` are of the household: see assign_household."""

    student: str
    school: str
    area: str
    category: str
    grade: str
    household: str
    devices: int
    before: int
    clashing: int


@dataclass
class Given:
    """What a run gave to households so far; in it the children who own a device come before the others."""

    _by_household: defaultdict[str, list[Due]] = field(default_factory=lambda: defaultdict(list))

    def add(self, due: Due) -> None:
        if due.household:
            self._by_household[due.household].append(due)

    def serves(self, programme: Programme, due: Due) -> bool:
        """Whether the household has enough for this child, too, by now."""
        owners = self._by_household.get(due.household, ()) if due.household else ()
        later = [owner for owner in owners if owner.student > due.student]
        clashing = sum((owner.grade, due.grade) in programme.clashes for owner in later)
        return served(programme, due.devices + len(owners), due.before + len(later), due.clashing + clashing)


def due(conn: Connection, programme: Programme, day: str) -> Iterator[Due]:
    """Everybody who is due on ``day``, in order."""
    here = [students.c.area == bindparam("area"), students.c.category == bindparam("category")]
    query = select(*columns(programme)).where(students.c.state == "enrolled", *here, *without(programme))
    query = query.order_by(students.c.student)
    for area, category in in_order(conn, programme, day):
        values = {"area": area, "category": category}
        with conn.execute(query, values, execution_options={"yield_per": 2000}) as found:
            for row in found:
                yield Due(*row)


def in_order(conn: Connection, programme: Programme, day: str) -> list[tuple[str, str]]:
    """Areas and categories that are due devices, and whose phase has begun, the most urgent first."""
    due_device = (pair for pair in pairs(conn, programme, Scope()) if pair[1] not in programme.sims_only)
    found = [pair for pair in due_device if phase_open(programme, *pair, day)]
    return sorted(found, key=lambda pair: (phase_rank(programme, *pair), rank(programme, *pair)))


def phase_open(programme: Programme, area: str, category: str, day: str) -> bool:
    """Who is in several phases is due when the first of them begins; without phases everybody is due at once."""
    phase = first_phase(programme, area, category)
    return not programme.phases or (phase is not None and phase.begin <= day)


def first_phase(programme: Programme, area: str, category: str) -> Phase | None:
    return programme.phase_for(area, category)


def phase_rank(programme: Programme, area: str, category: str) -> int:
    phase = first_phase(programme, area, category)
    return programme.phases.index(phase) if phase else len(programme.phases)


def columns(programme: Programme) -> list[ColumnElement[Any]]:
    """Those of :class:`Due`. What of the household does not matter is not counted."""
    zero = cast(literal(0), Integer)
    names = ("student", "school", "area", "category", "grade", "household")
    own: list[ColumnElement[Any]] = [students.c[name] for name in names]
    if not programme.shares:
        return [*own, zero, zero, zero]
    return [
        *own,
        devices_of_household() if programme.most or programme.another else zero,
        before(None) if programme.most else zero,
        before(programme.clashes) if programme.another and programme.clashes else zero,
    ]


def without(programme: Programme) -> tuple[ColumnElement[bool], ...]:
    """No device, none lost in their hands or not taken, and no device under another pseudonym of the same child."""
    return device_of(programme).is_(None), ~lost(), ~refused(), ~known_twice()


def known_twice() -> ColumnElement[bool]:
    """Another student with one of the same identifiers has a device: one child that came in two lists."""
    mine, same, theirs = student_ids.alias("mine"), student_ids.alias("same"), custody.alias("the_other")
    wanted = (
        (mine.c.student == students.c.student)
        & mine.c.kind.not_in(SHARED_KINDS)
        & (same.c.hash == mine.c.hash)
        & same.c.kind.not_in(SHARED_KINDS)
        & (same.c.student != mine.c.student)
        & (theirs.c.assigned == same.c.student)
    )
    return exists().where(wanted).correlate(students)
