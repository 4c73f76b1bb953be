"""What happened to a student's devices and SIMs: who got what and when, what was lost, and what came back.

The events are of the units and SIMs; they are found by those that the tables name with the student.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select

from fleet.models import custody, events, holdings, sims, units
from provision.text import local_time

Told = tuple[Row[Any], str]
"""An event (at, actor, kind, bench, seq), and what it was, for people."""

_STEPS: Mapping[str, str] = {
    "hand_over": "accepted",
    "return": "given back",
    "refuse": "not taken",
    "lose": "lost",
    "find": "found",
    "repair": "to be repaired",
    "move": "moved",
}
_SAID = ("why", "fault", "search", "evidence", "condition")


def of_units(conn: Connection, student: str) -> Iterator[Told]:
    """Every step of a unit that concerned the student, unit by unit, each in its order."""
    held = select(holdings.c.unit).where(holdings.c.student == student)
    theirs = or_(custody.c.holder == student, custody.c.assigned == student)
    keys = list(conn.scalars(held.union(select(custody.c.unit).where(theirs))))
    names = select(units.c.key, units.c.tag, units.c.serial).where(units.c.key.in_(keys))
    shown = {row.key: row.tag or row.serial for row in conn.execute(names)}
    last: dict[str, str] = {}
    for row in conn.execute(_of(shown, ("unit.custody", "unit.assigned"))):
        body = json.loads(row.body)
        step = body["step"] if row.kind == "unit.custody" else "assign" if body["student"] else "unassign"
        before = last.get(row.subject, "")
        if body["student"] == student:
            last[row.subject] = step
        else:
            last[row.subject] = ""
            if (before, step) not in _AFTER and body.get("was") != student:
                continue
        yield row, f"{shown[row.subject]} {_words(step, body)}"


_AFTER = {("lose", "find"), ("assign", "unassign")}
"""Steps that name no student, and concern the one of the step before."""


def _words(step: str, body: Mapping[str, Any]) -> str:
    if step == "assign":
        return "is meant for them" + (f": {body['why']}" if body.get("why") else "")
    if step == "unassign":
        return "is not meant for them any more" + (f": {body['why']}" if body.get("why") else "")
    parts = [_STEPS.get(step, step.replace("_", " "))]
    if body.get("taken_by"):
        parts[0] += f", taken by the {body['taken_by']}"
    if body.get("kit"):
        parts.append("with " + ", ".join(f"{number} {piece}" for piece, number in sorted(body["kit"].items())))
    on = [f"on {local_time(body['on'])[:10]}"] if body.get("on") else []
    return "; ".join([*parts, *(f"{name}: {body[name]}" for name in _SAID if body.get(name)), *on])


def of_sims(conn: Connection, student: str) -> Iterator[Told]:
    """What SIMs became while they were the student's."""
    numbers = conn.scalars(select(sims.c.iccid).where(sims.c.student == student)).all()
    now: dict[str, bool] = {}
    for row in conn.execute(_of(numbers, ("sim.set",))):
        fields = json.loads(row.body)["fields"]
        if "student" in fields:
            now[row.subject] = fields["student"] == student
        if now.get(row.subject) and "state" in fields:
            ends = f", until {fields['ends_at'][:10]}" if fields.get("ends_at") else ""
            yield row, f"SIM {row.subject}: {fields['state'].replace('_', ' ')}{ends}"


def _of(subjects: Iterable[str], kinds: tuple[str, ...]) -> Select[Any]:
    columns = (
        events.c.at,
        events.c.actor,
        events.c.kind,
        events.c.bench,
        events.c.seq,
        events.c.subject,
        events.c.body,
    )
    query = select(*columns).where(events.c.subject.in_(list(subjects)), events.c.kind.in_(kinds))
    return query.order_by(events.c.at, events.c.bench, events.c.seq)
