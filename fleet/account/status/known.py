"""A filter that was typed: read, and its places and batches looked up, so that a slip of the pen is no empty answer."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Select, select

from fleet.account.filters.leaves import is_none
from fleet.account.filters.parse import Compare, FilterError, leaves, parse
from fleet.account.filters.sql import Asked
from fleet.account.status import alarms
from fleet.account.status.health_rules import Rules
from fleet.models import batches, places, students
from profiles.errors import meant

_KNOWN: dict[str, Column[str]] = {
    "place": places.c.place,
    "school": places.c.place,
    "area": places.c.area,
    "batch": batches.c.batch,
}


def asked(conn: Connection, rules: Rules, where: str | None, now: str) -> Asked:
    """What ``--where`` asks for; every unit, when it is ``None``. Raises FilterError."""
    if where is None:
        return alarms.asked(conn, rules, "", None, now)
    tree = parse(where)
    found = alarms.asked(conn, rules, where, tree, now)
    found.frame()
    for leaf in leaves(tree):
        if isinstance(leaf, Compare) and leaf.field in _KNOWN and leaf.op in ("=", "!=", "in"):
            _check(conn, where, leaf)
    return found


def _check(conn: Connection, where: str, leaf: Compare) -> None:
    column = _KNOWN[leaf.field]
    for value in leaf.values:
        if is_none(value):
            continue
        text = value.text if leaf.field == "area" else value.text.strip().upper()
        if conn.execute(select(column).where(column == text).limit(1)).first() is None:
            if leaf.field == "area" and conn.execute(_of_area(text)).first():
                continue
            near = meant(text, conn.scalars(select(column).distinct()).all())
            raise FilterError(where, value.at, f"no {leaf.field} is called {value.text!r}{near}")


def _of_area(area: str) -> Select[tuple[str]]:
    """A student of that area."""
    known = students.c.state.in_(("enrolled", "left", "forgotten"))
    return select(students.c.student).where(known, students.c.area == area).limit(1)
