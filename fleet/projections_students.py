"""The first event of many students at once, as an import of a list brings a million: it is their rows as it stands.

All other events of students, and of a student who is known, are projected one by one (fleet.projections_account).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from fleet.bulk import insert_values, read_joined
from fleet.models import student_ids, students
from fleet.values import Event

Told = tuple[Event, Any]
"""An event, and its body as it is read."""

STUDENT = "student.set"
_FEW = 100
BLANK = {
    "state": "enrolled",
    **dict.fromkeys(("school", "area", "grade", "class_name", "category", "household", "teacher", "source"), ""),
    "connection": "unknown",
}
"""What is said of a student whom no event says more of."""

_SAID = tuple(BLANK)
_COLUMNS = ("student", *_SAID, "since", "changed")
_IDS = ("student", "hash", "kind")


def new_students(conn: Connection, happened: Sequence[Told]) -> Sequence[Told]:
    """Write the rows of those who are not there yet and of whom one event tells; the other events, as they are.

    What a few events say is left to whoever projects the others.
    """
    if sum(event.kind == STUDENT for event, _ in happened) < _FEW:
        return happened
    often = Counter(event.subject for event, _ in happened)
    first = [told for told in happened if told[0].kind == STUDENT and often[told[0].subject] == 1]
    known = {row[0] for row in read_joined(conn, _KEYS, students.c.student, [event.subject for event, _ in first])}
    new = [told for told in first if told[0].subject not in known and told[1]["fields"].keys() <= BLANK.keys()]
    insert_values(conn, students, _COLUMNS, [_row(event, {**BLANK, **body["fields"]}) for event, body in new])
    ids = [(event.subject, hashed, kind) for event, body in new for hashed, kind in body["ids"].items()]
    insert_values(conn, student_ids, _IDS, ids)
    done = {event.subject for event, _ in new}
    return [told for told in happened if told[0].subject not in done]


def _row(event: Event, said: Mapping[str, Any]) -> tuple[Any, ...]:
    return (event.subject, *[said[name] for name in _SAID], event.at, event.at)


_KEYS = select(students.c.student)
