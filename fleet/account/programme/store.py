"""A programme is taken over: one event, and what of the roster has no place in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fleet.account.programme.in_force import Programme, digest, in_force, of
from fleet.db import transaction
from fleet.models import students
from fleet.units import Registry
from fleet.values import Json
from profiles.errors import meant


@dataclass(frozen=True)
class Stranger:
    """An area or category that enrolled students have and the programme does not. ``hint`` names one that is near."""

    what: str
    value: str
    students: int
    hint: str


@dataclass(frozen=True)
class Applied:
    """``changed`` is False when this programme was in force already: nothing was written then. ``seen_within``: after
    so many days a device counts as never seen; 0 is at once."""

    programme: str
    digest: str
    changed: bool
    seen_within: int
    strangers: tuple[Stranger, ...]


def apply(registry: Registry, body: dict[str, Json]) -> Applied:
    """Make ``body`` (as programme_load gives it) the programme in force. Raises RegistryError."""
    mark, key = digest(body), str(body["programme"])
    with transaction(registry.engine) as conn:
        now = in_force(conn)
        changed = (now.get("programme"), now.get("digest")) != (key, mark)
        if changed:
            registry.ledger.append(conn, "programme.set", key, {"v": 1, "digest": mark, "programme": body})
        programme = of(body)
        return Applied(key, mark, changed, programme.seen_within, strangers(conn, programme))


def strangers(conn: Connection, programme: Programme) -> tuple[Stranger, ...]:
    """What enrolled students have and the programme does not order: they come last of all, in no phase that names any.

    Where the programme lists no areas (or no categories) at all, none is a stranger.
    """
    lists = {"area": tuple(area.area for area in programme.areas), "category": programme.categories}
    found: list[Stranger] = []
    for what, known in lists.items():
        column = students.c[what]
        wanted = (students.c.state == "enrolled") & column.not_in(known)
        rows = (
            conn.execute(select(column, func.count()).where(wanted).group_by(column).order_by(column)) if known else ()
        )
        found += [Stranger(what, value, count, meant(value, known)) for value, count in rows]
    return tuple(found)
