"""One unit for one student, by hand: the same guards as in the order of all, each told; and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from fleet import tags
from fleet.account.assign.due import known_twice, phase_open
from fleet.account.assign.units import COLUMNS, GOOD, JOINED, LYING, suits_kind
from fleet.account.custody.machine import words
from fleet.account.people.pseudonyms import shown as pseudonym
from fleet.account.people.students import the
from fleet.account.programme.gaps_sql import device_of, lost, refused
from fleet.account.programme.in_force import Programme, current
from fleet.account.status.unfit import unfit
from fleet.db import transaction
from fleet.errors import AccountError
from fleet.models import custody, students, units
from fleet.units import Registry
from fleet.values import Json, storable
from provision.text import printable, sentence


@dataclass(frozen=True)
class Assigned:
    """``changed`` is False when it was so already. ``passed``: what ``allowed`` was said for."""

    unit: str
    shown: str
    student: str
    place: str
    changed: bool
    allowed: str
    passed: tuple[str, ...]


@dataclass(frozen=True)
class Student:
    """What is known of a student, and what stands in the way of a device. ``own``: the unit that is theirs."""

    student: str
    state: str
    school: str
    area: str
    category: str
    grade: str
    household: str
    own: str | None
    served_by: str | None
    lost_one: bool
    refused_one: bool
    twice: bool


def the_student(conn: Connection, programme: Programme, name: str) -> Student:
    """The student with this key. AccountError when there is none."""
    own = select(custody.c.unit).where(custody.c.assigned == students.c.student).order_by(custody.c.unit).limit(1)
    asked: tuple[ColumnElement[Any], ...] = (
        *(students.c[column] for column in ("student", "state", "school", "area", "category", "grade", "household")),
        own.correlate(students).scalar_subquery().label("own"),
        device_of(programme).label("served_by"),
        lost().label("lost_one"),
        refused().label("refused_one"),
        known_twice().label("twice"),
    )
    row = conn.execute(select(*asked).where(students.c.student == the(conn, name))).mappings().one()
    found = dict(row)
    known: dict[str, Any] = {name: bool(value) if name in _YES_OR_NO else value for name, value in found.items()}
    return Student(**known)


_YES_OR_NO = ("lost_one", "refused_one", "twice")


def against_student(conn: Connection, programme: Programme, student: Student, day: str) -> list[str]:
    """Why this student is not due, in sentences without a full stop; nothing when they are."""
    found = []
    if student.own:
        found.append(f"a unit is theirs already: {_shown(conn, student.own)}")
    elif student.served_by:
        found.append(f"a child of the household has one that both can use: {_shown(conn, student.served_by)}")
    if student.category in programme.sims_only:
        found.append(f"the category {student.category} is due a SIM only")
    if not phase_open(programme, student.area, student.category, day):
        phase = programme.phase_for(student.area, student.category)
        found.append(f"phase {phase.phase} begins on {phase.begin}" if phase else "no phase is for them")
    if student.lost_one:
        found.append("one was lost in their hands")
    if student.refused_one:
        found.append("the family did not take one that was offered")
    if student.twice:
        found.append("the same child is in another list, and has one there")
    return found


def against_unit(conn: Connection, registry: Registry, row: Any, programme: Programme, student: Student) -> list[str]:
    """Why this unit should not be given to this student."""
    found = [*unfit(conn, registry.home, registry.ledger.clock(), row.key).get(row.key, ())]
    if row.last_verdict not in GOOD:
        found.append(f"its last run was {row.last_verdict}" if row.last_verdict else "it was never provisioned")
    if row.serial in registry.ignored:
        found.append("it is on the ignore list")
    if row.kind == "school" and row.place != student.school:
        found.append(f"it lies at the school {row.place}, which is not theirs")
    kind = programme.kind_for(student.grade)
    if kind and not suits_kind(row, programme, kind):
        found.append(f"it does not suit grade {student.grade}: {kind.words}")
    return found


def assign(registry: Registry, unit: str, name: str, day: str, allowed: str = "") -> Assigned:
    """Give the unit that ``unit`` means to the student ``name``. Raises UnitError and AccountError.

    ``allowed``: why it is done against the guards; it is recorded. No reason makes up for a student who is not
    enrolled, or a unit that is another's or is not there to be given.
    """
    with transaction(registry.engine) as conn:
        programme = current(conn)
        row = conn.execute(select(*COLUMNS).select_from(JOINED).where(units.c.key == tags.the(conn, unit).key)).one()
        student = the_student(conn, programme, name)
        shown = row.tag or row.serial
        if row.assigned == student.student:
            return Assigned(row.key, shown, student.student, row.place, changed=False, allowed="", passed=())
        _possible(row, shown, student)
        passed = (
            *against_student(conn, programme, student, day),
            *against_unit(conn, registry, row, programme, student),
        )
        if passed and not allowed.strip():
            raise AccountError(
                f"{printable(shown)} is not for {pseudonym(student.student)}: {'; '.join(passed)}.",
                "Nothing was changed. Choose another one, or say --allow REASON, which is recorded.",
            )
        why = storable(allowed.strip()) if passed else ""
        body: dict[str, Json] = {"v": 1, "student": student.student, "why": "by hand", "allowed": why}
        registry.ledger.append(conn, "unit.assigned", row.key, body)
    return Assigned(row.key, shown, student.student, row.place, changed=True, allowed=why, passed=passed)


def _possible(row: Any, shown: str, student: Student) -> None:
    if student.state != "enrolled":
        state = {"left": "has left", "forgotten": "was forgotten"}.get(student.state, student.state)
        raise AccountError(f"{pseudonym(student.student)} {state}.", "Only enrolled students are given a device.")
    if row.assigned:
        raise AccountError(
            f"{printable(shown)} is meant for {pseudonym(row.assigned)}.", f"First: fleet unassign {printable(shown)}"
        )
    if row.state not in LYING:
        raise AccountError(
            f"{printable(shown)} is {words(row.state)}: it lies nowhere from where it could be given.",
            "fleet unit show tells what happened to it last.",
        )


def unassign(registry: Registry, unit: str, why: str = "") -> tuple[str, str]:
    """Nobody's again; whose it was, and its tag or serial. AccountError when it is nobody's, or in their hands."""
    with transaction(registry.engine) as conn:
        named = tags.the(conn, unit)
        shown = named.tag or named.serial
        held = conn.execute(select(custody.c.assigned, custody.c.state).where(custody.c.unit == named.key)).one()
        if held.assigned is None:
            raise AccountError(f"{printable(shown)} is meant for nobody.", "Nothing was changed.")
        if held.state == "with_student":
            raise AccountError(
                f"{printable(shown)} is with {pseudonym(held.assigned)}.", f"First: fleet return {printable(shown)}"
            )
        body: dict[str, Json] = {"v": 1, "student": None, "why": storable(why.strip()), "allowed": ""}
        registry.ledger.append(conn, "unit.assigned", named.key, {**body, "was": held.assigned})
    return str(held.assigned), shown


def _shown(conn: Connection, key: str) -> str:
    row = conn.execute(select(units.c.tag, units.c.serial).where(units.c.key == key)).one()
    return printable(row.tag or row.serial)


def told(reasons: list[str]) -> str:
    """Reasons as sentences."""
    return " ".join(sentence(reason[:1].upper() + reason[1:]) for reason in reasons)
