"""Whose gaps and turns are asked for, and the programme's order: areas, then categories, then students by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import CTE, ColumnElement, Connection, func, select

from fleet.account.programme.in_force import Programme
from fleet.errors import AccountError
from fleet.models import students
from provision.text import printable


@dataclass(frozen=True)
class Scope:
    """Whose gaps: "" is no condition. ``reason``: that holds, first or not."""

    school: str = ""
    area: str = ""
    category: str = ""
    teacher: str = ""
    reason: str = ""


def conditions(scope: Scope) -> list[ColumnElement[bool]]:
    """Enrolled students of ``scope``."""
    said = {name: getattr(scope, name) for name in ("school", "area", "category", "teacher")}
    return [students.c.state == "enrolled", *(students.c[name] == value for name, value in said.items() if value)]


def anybody(conn: Connection, scope: Scope) -> bool:
    """Whether there is an enrolled student in ``scope`` at all."""
    return conn.scalar(select(students.c.student).where(*conditions(scope)).limit(1)) is not None


def enrolled(conn: Connection, scope: Scope) -> int:
    """How many enrolled students there are in ``scope``."""
    return conn.scalar(select(func.count()).select_from(students).where(*conditions(scope))) or 0


def unknown(conn: Connection, scope: Scope) -> AccountError:
    """What to say where nobody is enrolled in ``scope``: that there is nobody, and what may have been meant."""
    from profiles.errors import meant

    for name in ("school", "area", "category", "teacher"):
        if value := getattr(scope, name):
            known = set(conn.scalars(select(students.c[name]).where(students.c.state == "enrolled").distinct()))
            if value not in known:
                what = f'No enrolled student has the {name} "{printable(value)}"{meant(value, known)}.'
                return AccountError(what, f"fleet gaps --by {name} lists them." if name != "teacher" else "")
    return AccountError("No enrolled student is of all of these at once.", "Leave one of them out.")


def pairs(conn: Connection, programme: Programme, scope: Scope) -> list[tuple[str, str]]:
    """The areas and categories that enrolled students of ``scope`` have, in the programme's order.

    Each is found from the one before it by a leap along the index, all of them in one query.
    """
    areas = _areas(scope)
    least = func.min(students.c.category)
    here = [*conditions(scope), students.c.area == areas.c.area]
    first = select(areas.c.area, select(least).where(*here).correlate(areas).scalar_subquery().label("category"))
    found = first.where(areas.c.area.is_not(None)).cte("pairs", recursive=True)
    here = [*conditions(scope), students.c.area == found.c.area, students.c.category > found.c.category]
    later = select(found.c.area, select(least).where(*here).correlate(found).scalar_subquery())
    every = found.union_all(later.where(found.c.category.is_not(None)))
    rows = conn.execute(select(every.c.area, every.c.category).where(every.c.category.is_not(None)))
    return sorted(((row.area, row.category) for row in rows), key=lambda pair: rank(programme, *pair))


def _areas(scope: Scope) -> CTE:
    """The areas, and after them NULL."""
    least = func.min(students.c.area)
    found = select(least.label("area")).where(*conditions(scope)).cte("areas", recursive=True)
    here = [*conditions(scope), students.c.area > found.c.area]
    later = select(select(least).where(*here).correlate(found).scalar_subquery())
    return found.union_all(later.where(found.c.area.is_not(None)))


def rank(programme: Programme, area: str, category: str) -> tuple[int, str, int, str]:
    """The place of an area and category in the order: those that are not listed come last, by name."""
    areas = [one.area for one in programme.areas]
    return (*place(areas, area), *place(programme.categories, category))


def place(order: Sequence[str], name: str) -> tuple[int, str]:
    """Where ``name`` stands in ``order``; what is not in it comes after it, by name."""
    return (order.index(name), "") if name in order else (len(order), name)
