"""Every enrolled student who is not served, and why.

The list goes by the programme's order: areas, then categories, then students by key. It is read piece by piece along an
index, so that its first page does not wait for the rest.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, func, or_, select

from fleet.account.programme.gaps_sql import (
    HELD,
    REASONS,
    SIM,
    UNIT,
    apps_told,
    assigned_at,
    flag,
    for_reasons,
    joined,
    lost_at,
    reasons,
    refused_at,
)
from fleet.account.programme.in_force import Programme
from fleet.account.programme.scope import Scope, conditions, pairs
from fleet.models import students

PAGE = 20
"""A screenful."""


@dataclass(frozen=True)
class Gap:
    """A student who is not served. ``reasons`` in their order, with the moment since which each holds.

    ``unit`` is the tag or serial of the device, ``place`` where it lies; "" where there is none. ``apps``: the lesson
    apps that are missing on it.
    """

    student: str
    school: str
    class_name: str
    grade: str
    area: str
    category: str
    teacher: str
    connection: str
    unit: str
    place: str
    apps: tuple[str, ...]
    reasons: Mapping[str, str]

    @property
    def first(self) -> str:
        return next(iter(self.reasons))

    def told(self, reason: str) -> str:
        """A reason in words, and which lesson apps are missing."""
        return REASONS[reason] + (f": {', '.join(self.apps)}" if reason == "no_app" and self.apps else "")


def listed(conn: Connection, programme: Programme, at: str, scope: Scope) -> Generator[Gap]:
    """Every gap of ``scope`` at the moment ``at``, as it is come by."""
    if scope.school or scope.teacher:
        order = ("class_name", "student") if scope.school else ("school", "student")
        query = _query(programme, at, scope.reason, conditions(scope), order)
        yield from _read(conn, programme, query, {})
        return
    here = [*conditions(Scope()), students.c.area == bindparam("area"), students.c.category == bindparam("category")]
    query = _query(programme, at, scope.reason, here, ("student",))
    for area, category in pairs(conn, programme, scope):
        yield from _read(conn, programme, query, {"area": area, "category": category})


def _query(
    programme: Programme, at: str, reason: str, wanted: list[ColumnElement[bool]], order: tuple[str, ...]
) -> Select[Any]:
    flags = [flag(one).label(name) for name, one in reasons(programme, at).items()]
    told = apps_told(programme).label("told")
    rows = (
        select(*_COLUMNS, told, *flags).select_from(joined(programme, for_reasons(programme))).where(*wanted).subquery()
    )
    holds = rows.c[reason] == 1 if reason else or_(*(rows.c[name] == 1 for name in REASONS))
    return select(rows).where(holds).order_by(*(rows.c[name] for name in order))


def _read(conn: Connection, programme: Programme, query: Select[Any], values: Mapping[str, str]) -> Iterator[Gap]:
    with conn.execute(query, values, execution_options={"yield_per": PAGE}) as found:  # one may stop after one page
        for row in found.mappings():
            why = {name: _since(name, row) for name in REASONS if row[name]}
            apps = _missing(programme, row) if "no_app" in why else ()
            yield Gap(**{name: row[name] or "" for name in _OWN}, apps=apps, reasons=why)


def _missing(programme: Programme, row: RowMapping) -> tuple[str, ...]:
    """The lesson apps that are not on the device, in the order in which the programme names them."""
    told = {item.removeprefix("apps.") for item in (row["told"] or "").split(",") if item}
    if not programme.lesson_apps:
        return tuple(sorted(told))
    return tuple(app for app in programme.lesson_apps.get(row["grade"], ()) if app not in told)


_OWN = ("student", "school", "class_name", "grade", "area", "category", "teacher", "connection", "unit", "place")
_COLUMNS = (
    *(students.c[name] for name in _OWN[:8]),
    func.coalesce(UNIT.c.tag, UNIT.c.serial, "").label("unit"),
    func.coalesce(HELD.c.place, "").label("place"),
    students.c.since.label("enrolled_at"),
    lost_at().label("lost_at"),
    refused_at().label("refused_at"),
    assigned_at().label("assigned_at"),
    HELD.c.since.label("held_at"),
    UNIT.c.last_seen.label("seen_at"),
    SIM.c.since.label("sim_at"),
    SIM.c.ends_at.label("ends_at"),
)
_SINCE = {
    "no_device": ("enrolled_at",),
    "refused": ("refused_at",),
    "no_sim": ("enrolled_at",),
    "not_handed_over": ("assigned_at", "held_at"),
    "lost": ("lost_at",),
    "no_connection": ("enrolled_at",),
    "broken": ("seen_at",),
    "no_app": ("seen_at",),
    "no_plan": ("sim_at",),
    "plan_over": ("ends_at", "sim_at"),
}


def _since(reason: str, row: RowMapping) -> str:
    """Since when it holds, as far as is known: what is away, since it lies where it is."""
    return next((row[name] for name in _SINCE.get(reason, ("held_at",)) if row[name]), "")
