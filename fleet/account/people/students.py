"""One student: what the account knows under the pseudonym, found by name or phone, gone from school, forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from fleet.account.people.identifiers import Unusable, loose
from fleet.account.people.phones import phones
from fleet.account.people.pseudonyms import is_student, shown, typed
from fleet.account.people.student_history import of_sims, of_units
from fleet.account.people.vault import Vault
from fleet.errors import AccountError
from fleet.ledger import Happening as ToHappen
from fleet.ledger import Ledger
from fleet.models import custody, events, holdings, sims, student_ids, students, units
from fleet.values import Json, storable
from provision.text import printable

_FOUND = 100


@dataclass(frozen=True)
class Happening:
    """An event of the student, for people."""

    at: str
    actor: str
    kind: str
    what: str


@dataclass(frozen=True)
class StudentView:
    """``student`` is the row of the table. ``units`` are held, assigned, or lost in their hands and not found yet;
    ``sims`` theirs; ``others`` the students of the same household. ``history``: of the student, of what they had."""

    student: Mapping[str, Any]
    units: tuple[Mapping[str, Any], ...]
    sims: tuple[Mapping[str, Any], ...]
    others: tuple[str, ...]
    history: tuple[Happening, ...]


@dataclass(frozen=True)
class Line:
    """A student that was found. No name."""

    student: str
    state: str
    school: str
    class_name: str
    grade: str


def the(conn: Connection, name: str) -> str:
    """The pseudonym that was typed, as it is kept. AccountError when there is no such student."""
    key = typed(name)
    if conn.scalar(select(students.c.student).where(students.c.student == storable(key))) is not None:
        return key
    if is_student(name):
        raise AccountError(
            f"No student has the pseudonym {shown(key)}.", "fleet student find finds one by name or phone."
        )
    raise AccountError(
        f"{printable(name)!r} is no pseudonym of a student, which looks like S-4Q7XN0B2M.",
        "fleet student find finds it by name or phone.",
    )


def view(conn: Connection, name: str) -> StudentView:
    """All that is known under the pseudonym. Nothing of it is in the vault."""
    key = the(conn, name)
    row = conn.execute(select(students).where(students.c.student == key)).mappings().one()
    lost = select(holdings.c.unit).where(
        holdings.c.student == key, holdings.c.step == "lose", holdings.c.until.is_(None)
    )
    mine = or_(custody.c.holder == key, custody.c.assigned == key, custody.c.unit.in_(lost))
    held = select(units.c.tag, units.c.serial, custody.c.state, custody.c.holder, custody.c.since).join_from(
        custody, units
    )
    cards = select(sims.c.iccid, sims.c.carrier, sims.c.state, sims.c.ends_at).where(sims.c.student == key)
    return StudentView(
        student=dict(row),
        units=tuple(
            {"unit": one.tag or one.serial, "state": one.state, "holds": one.holder == key, "since": one.since}
            for one in conn.execute(held.where(mine).order_by(units.c.key))
        ),
        sims=tuple(dict(one) for one in conn.execute(cards.order_by(sims.c.iccid)).mappings()),
        others=_household(conn, key, row["household"]),
        history=_history(conn, key),
    )


def _household(conn: Connection, key: str, household: str) -> tuple[str, ...]:
    if not household:
        return ()
    query = select(students.c.student).where(students.c.household == household, students.c.student != key)
    return tuple(conn.scalars(query.order_by(students.c.student).limit(_FOUND)))


def _history(conn: Connection, key: str) -> tuple[Happening, ...]:
    """Newest first."""
    import json

    own = ((row, _what(row.kind, json.loads(row.body))) for row in conn.execute(_EVENTS.where(events.c.subject == key)))
    found = [*own, *of_units(conn, key), *of_sims(conn, key)]
    found.sort(key=lambda one: (one[0].at, one[0].bench, one[0].seq), reverse=True)
    return tuple(Happening(row.at, row.actor, row.kind, what) for row, what in found)


_EVENTS = select(events.c.at, events.c.actor, events.c.kind, events.c.bench, events.c.seq, events.c.body)


def _what(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "student.set":
            said = [
                f"{name} {value}" for name, value in sorted(body["fields"].items()) if name != "household" and value
            ]
            return ", ".join(said) or "what is kept in the vault"
        case "vault.read":
            return f"the name was read: {body['why']}"
        case "student.forgotten":
            return f"forgotten: {body['why']}"
        case _:
            return kind


def find(conn: Connection, keys: Vault, said: str, *, region: str, school: str = "") -> tuple[Line, ...]:
    """Students of that name (in any spelling) or phone number, a hundred at most. AccountError when it is neither."""
    if any(c.isdigit() for c in said):
        try:
            hashes = [keys.hashed("phone", phone) for phone in phones(said, region)]
        except Unusable as error:
            raise AccountError(
                f"What was asked for {error}.", "Write it with the country code: +84912345678."
            ) from None
    else:
        hashes = [keys.hashed("name", loose(said))]
    query = (
        select(*(students.c[name] for name in ("student", "state", "school", "class_name", "grade")))
        .join_from(student_ids, students)
        .where(student_ids.c.hash.in_(hashes))
        .order_by(students.c.school, students.c.class_name, students.c.student)
        .distinct()
        .limit(_FOUND)
    )
    if school:
        query = query.where(students.c.school == school.strip().upper())
    return tuple(Line(*row) for row in conn.execute(query))


@dataclass(frozen=True)
class Left:
    """Units of a student who left, by tag or serial: ``holds``, to be taken back; ``freed``, meant for nobody now."""

    holds: tuple[str, ...]
    freed: tuple[str, ...]


def leave(conn: Connection, ledger: Ledger, name: str, why: str) -> Left:
    """The student is not at the school any more, and no unit that was not handed over is meant for them any more."""
    key = the(conn, name)
    state = conn.scalar(select(students.c.state).where(students.c.student == key))
    if state == "forgotten":
        raise AccountError(f"{shown(key)} was forgotten.", "Nothing more can be said of that student.")
    if state != "left":
        ledger.append(conn, "student.set", key, {"v": 1, "fields": {"state": "left"}, "ids": {}, "why": storable(why)})
    return Left(_held(conn, key), _freed(conn, ledger, key, "left"))


def forget(conn: Connection, ledger: Ledger, keys: Vault, name: str, why: str) -> str:
    """Take away all by which the person could be known. What happened to the pseudonym stays, and so does the chain.

    AccountError while the student holds a unit: nobody would know any more from whom to take it back.
    """
    key = the(conn, name)
    if held := _held(conn, key):
        raise AccountError(
            f"{shown(key)} holds {', '.join(held)}.", "Take it back first: fleet return; or tell that it is lost."
        )
    if conn.scalar(select(students.c.state).where(students.c.student == key)) != "forgotten":
        ledger.append(conn, "student.forgotten", key, {"v": 1, "why": storable(why)})
    _freed(conn, ledger, key, "forgotten")
    keys.forget(conn, key)
    return key


def _freed(conn: Connection, ledger: Ledger, key: str, why: str) -> tuple[str, ...]:
    """Units that were to be handed over to the student, and are ready for others now."""
    found = tuple(freed(conn, key, why))
    for happening, _ in found:
        ledger.append(conn, *happening)
    return tuple(shown for _, shown in found)


def freed(conn: Connection, key: str, why: str) -> Iterator[tuple[ToHappen, str]]:
    """What takes the units from a student that were not handed over yet; each with its tag or serial."""
    theirs = (custody.c.assigned == key) & (custody.c.state != "with_student")
    query = select(units.c.key, units.c.tag, units.c.serial).join_from(custody, units).where(theirs)
    found = conn.execute(query.order_by(units.c.key)).all()
    for row in found:
        body: dict[str, Json] = {"v": 1, "student": None, "why": why, "allowed": "", "was": key}
        yield ("unit.assigned", row.key, body), row.tag or row.serial


def _held(conn: Connection, key: str) -> tuple[str, ...]:
    query = select(units.c.tag, units.c.serial).join_from(custody, units).where(custody.c.holder == key)
    return tuple(row.tag or row.serial for row in conn.execute(query.order_by(units.c.key)))
