"""``fleet status --by``: the units of each place, model, batch, … as a table of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, func, literal, select, union_all

from fleet.account.filters.counting import narrowest
from fleet.account.filters.sql import Asked
from fleet.bulk import streamed
from fleet.models import custody, places, students, units

DIMENSIONS = ("place", "school", "area", "state", "model", "profile", "holder", "maker", "batch")

Query = Any
"""A select of any columns."""

_COLUMNS: Mapping[str, tuple[Column[str], ...]] = {
    "place": (custody.c.place,),
    "school": (custody.c.place,),
    "area": (custody.c.place,),
    "model": (units.c.maker, units.c.model),
    "profile": (units.c.last_profile,),
    "maker": (units.c.maker,),
    "batch": (custody.c.batch,),
}


@dataclass(frozen=True)
class Group:
    """``value`` is "" for the units of which it is not known; ``name``: what the place of that code is called.
    ``by_state`` adds up to ``units``."""

    value: str
    name: str
    units: int
    by_state: Mapping[str, int]


def by(conn: Connection, within: Asked, dimension: str) -> tuple[Group, ...]:
    """The most units first, what is not known last. A dimension is one of :data:`DIMENSIONS`."""
    if dimension == "holder":
        return tuple(holders(conn, within))
    found: dict[str, dict[str, int]] = {}
    for row in conn.execute(_query(within, dimension)):
        *parts, state, number = tuple(row)
        value = " ".join(part for part in parts if part)
        states = found.setdefault(value, {})
        states[state] = states.get(state, 0) + int(number)
    names = _names(conn) if dimension in ("place", "school") else {}
    groups = [Group(value, names.get(value, ""), sum(states.values()), states) for value, states in found.items()]
    return tuple(sorted(groups, key=lambda one: (not one.value, -one.units, one.value)))


def holders(conn: Connection, within: Asked, limit: int | None = None) -> Iterator[Group]:
    """The students who have the most units, at most ``limit``. They may be a million, so they come one by one."""
    frame = within.frame(custody)
    number = func.count().label("number")
    query: Query = select(custody.c.holder, number).select_from(frame.source).where(frame.where, custody.c.holder > "")
    query = query.group_by(custody.c.holder).order_by(number.desc(), custody.c.holder).limit(limit)
    for row in streamed(conn, query):
        yield Group(row.holder, "", row.number, {"with_student": row.number})


def _query(within: Asked, dimension: str) -> Query:
    columns = _COLUMNS.get(dimension, ())
    frame = narrowest(within, *columns)
    by = [frame.column(column).label(column.name) for column in columns] or [frame.state.label(dimension)]
    query: Query = select(*by, frame.state.label("state"), frame.number.label("number")).select_from(frame.source)
    if dimension in ("school", "area"):
        lying = query.where(frame.where, frame.state != "with_student").group_by(*by, frame.state)
        return union_all(_of_places(lying, dimension), _of_students(within, dimension))
    return query.where(frame.where).group_by(*by, frame.state)


def _of_places(grouped: Query, dimension: str) -> Query:
    """What is joined is a row per place and state, not one per unit."""
    inner = grouped.subquery()
    told = places.c.place if dimension == "school" else places.c.area
    matching = inner.c.place == places.c.place
    source = inner.outerjoin(places, matching & (places.c.kind == "school") if dimension == "school" else matching)
    query = select(told, inner.c.state, func.sum(inner.c.number)).select_from(source)
    return query.group_by(told, inner.c.state)


def _of_students(within: Asked, dimension: str) -> Query:
    """Units that students have, by the students' schools or areas: of who has no area that of the school."""
    frame = within.frame(custody)
    source = frame.source.outerjoin(students, students.c.student == custody.c.holder)
    number = func.count().label("number")
    query: Query = select(students.c.school, students.c.area, number).select_from(source)
    held = query.where(frame.where, custody.c.holder > "").group_by(students.c.school, students.c.area).subquery()
    told = held.c.school
    if dimension == "area":
        told = func.coalesce(func.nullif(held.c.area, ""), places.c.area)
    sums = select(told, literal("with_student"), func.sum(held.c.number))
    return sums.select_from(held.outerjoin(places, places.c.place == held.c.school)).group_by(told)


def _names(conn: Connection) -> dict[str, str]:
    return {row[0]: row[1] for row in conn.execute(select(places.c.place, places.c.name))}
