"""What the events of the account change in its tables: places, students, SIMs, custody, programme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from fleet.models import (
    acceptances,
    batches,
    bench_places,
    counts,
    custody,
    holdings,
    missing,
    places,
    programmes,
    sims,
    student_ids,
    students,
    units,
)
from fleet.values import Event, canonical

Projection = Callable[[Connection, Event, Mapping[str, Any]], None]


def _place_set(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``place.set``: name, kind, area. The first one adds the place, later ones change it."""
    values = {name: body[name] for name in ("name", "kind", "area")}
    _put(conn, places, places.c.place, event.subject, values, {"since": event.at})


def _batch_set(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``batch.set``: donor, announced (a number or null)."""
    values = {name: body[name] for name in ("donor", "announced")}
    _put(conn, batches, batches.c.batch, event.subject, values, {"since": event.at})


def _student_set(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``student.set``: the columns of ``students`` that are new or changed, and ``ids`` (hash to kind) to be added."""
    values = {**body["fields"], "changed": event.at}
    if conn.scalar(select(students.c.student).where(students.c.student == event.subject)) is None:
        conn.execute(insert(students).values(student=event.subject, since=event.at, **{**_BLANK, **values}))
    else:
        conn.execute(update(students).where(students.c.student == event.subject).values(**values))
    for digest, kind in sorted(body["ids"].items()):
        conn.execute(delete(student_ids).where(student_ids.c.hash == digest))
        conn.execute(insert(student_ids).values(hash=digest, kind=kind, student=event.subject))


_BLANK = {
    "state": "enrolled",
    **dict.fromkeys(("school", "area", "grade", "category", "household", "teacher", "source"), ""),
    "connection": "unknown",
}


def _student_forgotten(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``student.forgotten``: what could still lead to the person is gone; the pseudonym and its history stay."""
    conn.execute(delete(student_ids).where(student_ids.c.student == event.subject))
    gone = {"state": "forgotten", "household": "", "changed": event.at}
    conn.execute(update(students).where(students.c.student == event.subject).values(**gone))


def noted(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """An event that changes no table: it is there to be read in the ledger."""


def first_held(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """A unit that nobody announced: it is where it was first seen, at a place that may have no name yet."""
    _hold(conn, event, {"step": "seen", "state": body["state"], "place": body.get("place", "")})
    benched(conn, event)


def benched(conn: Connection, event: Event) -> None:
    """A bench saw the unit."""
    mine = (custody.c.unit == event.subject) & custody.c.benched_at.is_(None)
    conn.execute(update(custody).where(mine).values(benched_at=event.at))


def _bench_placed(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``bench.placed``: the place where this bench stands from now on."""
    _put(conn, bench_places, bench_places.c.bench, event.subject, {"place": body["place"]}, {})


def _place_counted(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``place.counted``: numbers ``expected`` and ``found``, and the keys of units ``missing`` and ``unexpected``."""
    numbers = {"expected": body["expected"], "found": body["found"]}
    numbers |= {name: len(body[name]) for name in ("missing", "unexpected")}
    conn.execute(delete(counts).where(counts.c.place == event.subject, counts.c.at == event.at))
    conn.execute(insert(counts).values(place=event.subject, at=event.at, **numbers))
    still = set(body["missing"])
    here = (missing.c.place == event.subject) & missing.c.until.is_(None)
    was = set(conn.scalars(select(missing.c.unit).where(here)))
    for unit in sorted(was - still):
        _no_longer_missing(conn, event, unit)
    for unit in body["unexpected"]:
        _no_longer_missing(conn, event, unit)
    for unit in sorted(still - was):
        conn.execute(delete(missing).where(missing.c.unit == unit, missing.c.since == event.at))
        conn.execute(insert(missing).values(unit=unit, since=event.at, place=event.subject))


def _no_longer_missing(conn: Connection, event: Event, unit: str) -> None:
    conn.execute(update(missing).where(missing.c.unit == unit, missing.c.until.is_(None)).values(until=event.at))


def _unit_received(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.received``: batch, place, state, student, and what the donor's list says of a unit not known before."""
    mine = units.c.key == event.subject
    if conn.scalar(select(units.c.key).where(mine)) is None:
        told = {name: body[name] for name in ("platform", "serial", "maker", "model", "version", "imei")}
        first = {"first_seen": event.at, "last_seen": event.at, "facts": canonical({})}
        conn.execute(
            insert(units).values(key=event.subject, state=body["state"], origin=body["batch"], **told, **first)
        )
    conn.execute(update(units).where(mine).values(origin=body["batch"]))
    _hold(conn, event, {**body, "step": "receive"})
    papers = {"batch": body["batch"], "received_at": event.at}
    conn.execute(update(custody).where(custody.c.unit == event.subject).values(**papers))


def _unit_custody(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.custody``: step, state, place, student, why; with kit and condition at a hand-over and a return."""
    _hold(conn, event, body)
    step = body["step"]
    if step == "hand_over":
        _accepted(conn, event, body)
    elif step in _BACK:
        _back(conn, event, body)
    if step in _UNASSIGNS:
        _assign(conn, event.subject, None)


_BACK = frozenset({"return", "repair", "find"})
"""Steps by which a unit that a student had accepted is in other hands again."""

_UNASSIGNS = frozenset({"return", "refuse", "lose", "retire", "give_back"})
"""Steps after which a unit is not meant for anybody any more. From a repair it goes back to the same student."""


def _accepted(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    mine = (acceptances.c.unit == event.subject) & (acceptances.c.at == event.at)
    conn.execute(delete(acceptances).where(mine))
    taken = {name: body[name] for name in ("student", "taken_by", "condition")}
    said = {"kit": canonical(body["kit"]), "checks": canonical(body.get("checks", {}))}
    conn.execute(insert(acceptances).values(unit=event.subject, at=event.at, **said, **taken))
    _assign(conn, event.subject, body["student"])


def _back(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    kit = {"returned_kit": canonical(body["kit"])} if "kit" in body else {}
    said = {**kit, "returned_condition": body.get("condition")}
    mine = (acceptances.c.unit == event.subject) & acceptances.c.returned_at.is_(None)
    conn.execute(update(acceptances).where(mine).values(returned_at=event.at, **said))


def _hold(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """Close what was, open what is. Of two steps in one moment only the last is kept in the history of places.

    A clock that went back makes no gap and no overlap: the step counts from the one before it.
    """
    unit = event.subject
    open_one = (holdings.c.unit == unit) & holdings.c.until.is_(None)
    before = conn.scalar(select(holdings.c.since).where(open_one))
    at = max(event.at, before or "")
    if before == at:
        conn.execute(delete(holdings).where(open_one))
    else:
        conn.execute(update(holdings).where(open_one).values(until=at))
    where = {"state": body["state"], "place": body["place"]}
    said = {"student": body.get("student"), "step": body["step"], "why": body.get("why", "")}
    conn.execute(insert(holdings).values(unit=unit, since=at, **where, **said))
    holder = body.get("student") if body["state"] == "with_student" else None
    _put(conn, custody, custody.c.unit, unit, {**where, "holder": holder, "since": at}, {"batch": ""})
    conn.execute(update(units).where(units.c.key == unit).values(state=body["state"]))
    _no_longer_missing(conn, event, unit)


def _unit_assigned(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.assigned``: student, or null when the assignment is taken back; why."""
    _assign(conn, event.subject, body["student"])


def _assign(conn: Connection, unit: str, student: str | None) -> None:
    conn.execute(update(custody).where(custody.c.unit == unit).values(assigned=student))


def _sim_set(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``sim.set``: the columns of ``sims`` that are new or changed; every change of state comes so."""
    blank = {"msisdn": None, "carrier": "", "quota": "", "days": None, "state": "received", "place": ""}
    values = dict(body["fields"])
    if "state" in values:
        values["since"] = event.at
    _put(conn, sims, sims.c.iccid, event.subject, values, {**blank, "since": event.at})


def _programme_set(conn: Connection, event: Event, body: Mapping[str, Any]) -> None:
    """``programme.set``: digest and body (the programme as an object)."""
    values = {"digest": body["digest"], "body": canonical(body["programme"]), "since": event.at}
    _put(conn, programmes, programmes.c.programme, event.subject, values, {})


def _put(
    conn: Connection, table: Any, column: Any, key: str, values: Mapping[str, Any], first: Mapping[str, Any]
) -> None:
    if conn.scalar(select(column).where(column == key)) is None:
        conn.execute(insert(table).values({column.name: key, **first, **values}))
    else:
        conn.execute(update(table).where(column == key).values(**values))


KINDS: Mapping[str, Projection] = {
    "place.set": _place_set,
    "batch.set": _batch_set,
    "student.set": _student_set,
    "student.forgotten": _student_forgotten,
    "vault.read": noted,
    "place.counted": _place_counted,
    "bench.placed": _bench_placed,
    "unit.received": _unit_received,
    "unit.custody": _unit_custody,
    "unit.assigned": _unit_assigned,
    "sim.set": _sim_set,
    "programme.set": _programme_set,
}
