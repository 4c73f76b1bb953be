"""One report per level: school, area, programme. The same figures on each, and behind every figure the records.

A figure of a level is the sum of that figure of the levels below it; no level holds a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from fleet.account.programme.gaps import listed
from fleet.account.programme.gaps_counts import Row, counted
from fleet.account.programme.gaps_sql import REASONS, first_of, for_reasons, joined, reasons
from fleet.account.programme.in_force import Programme, current
from fleet.account.programme.running import in_hand, runs
from fleet.account.programme.scope import Scope, conditions
from fleet.errors import AccountError
from fleet.models import custody, places, sims, students, units
from profiles.errors import meant
from provision.text import printable

BELOW = {"programme": "area", "area": "school", "school": "class_name"}
"""By what a level's rows are."""

FIGURES: Mapping[str, str] = {
    "enrolled": "students enrolled",
    "served": "of them served",
    "not_served": "of them not served",
    **{name: f"first: {words}" for name, words in REASONS.items()},
    "devices": "devices in their hands",
    "sims": "SIMs in their hands that run",
}
"""Every figure, in words."""

OLDEST = 20


@dataclass(frozen=True)
class Problem:
    """A student's first reason. ``since``: UTC, "" unknown; ``days``: how old it is."""

    student: str
    school: str
    reason: str
    also: tuple[str, ...]
    unit: str
    since: str
    days: int | None


@dataclass(frozen=True)
class Report:
    """``level`` is school, area or programme, ``key`` which one; ``at`` the moment that it speaks of (UTC).

    ``ages``: by reason the days of the oldest and of the one in the middle. ``oldest``: problems, the oldest first.
    """

    level: str
    key: str
    name: str
    officer: str
    at: str
    figures: Mapping[str, int]
    rows: tuple[Row, ...]
    ages: Mapping[str, tuple[int, int]]
    oldest: tuple[Problem, ...]


def report(conn: Connection, level: str, key: str, at: str) -> Report:
    """The report of a level at the moment ``at``. AccountError when there is no such area or school."""
    programme = current(conn)
    scope, name, officer = _scope(conn, programme, level, key)
    rows = counted(conn, programme, at, BELOW[level], scope)
    problems = sorted(_problems(conn, programme, at, scope), key=_age) if level != "programme" else []
    return Report(
        level,
        key or programme.key,
        name,
        officer,
        at,
        _figures(conn, scope, rows),
        rows,
        _ages(problems),
        tuple(problems[:OLDEST]),
    )


def trace(conn: Connection, level: str, key: str, figure: str, at: str) -> Iterator[str]:
    """The keys of the records that a figure counts: students, tags or serials of units, ICCIDs; as many as it says."""
    if figure not in FIGURES:
        known = ", ".join(FIGURES)
        raise AccountError(
            f'"{printable(figure)}" is no figure of a report{meant(figure, FIGURES)}.', f"Known: {known}."
        )
    programme = current(conn)
    scope, _, _ = _scope(conn, programme, level, key)
    query = _records(programme, scope, figure, at)
    with conn.execute(query, execution_options={"yield_per": 1000}) as found:
        yield from found.scalars()


def _records(programme: Programme, scope: Scope, figure: str, at: str) -> Select[Any]:
    if figure == "devices":
        return _devices(scope, func.coalesce(units.c.tag, units.c.serial)).order_by(units.c.key)
    if figure == "sims":
        return _sims(scope, sims.c.iccid).order_by(sims.c.iccid)
    query = select(students.c.student).where(*conditions(scope)).order_by(students.c.student)
    if figure == "enrolled":
        return query
    holds = reasons(programme, at)
    wanted: ColumnElement[bool] = or_(*holds.values())
    if figure in REASONS:
        wanted = first_of(holds) == figure
    elif figure == "served":
        wanted = first_of(holds) == ""
    return query.select_from(joined(programme, for_reasons(programme))).where(wanted)


def _scope(conn: Connection, programme: Programme, level: str, key: str) -> tuple[Scope, str, str]:
    """With the name and the responsible desk."""
    if level == "programme":
        return Scope(), programme.name, ""
    if level == "school":
        code = key.strip().upper()
        row = conn.execute(select(places.c.name, places.c.kind).where(places.c.place == code)).one_or_none()
        if row is None or row.kind != "school":
            known = conn.scalars(select(places.c.place).where(places.c.kind == "school"))
            raise AccountError(
                f"No school has the code {printable(key)!r}{meant(code, known)}.", "fleet place list --kind school"
            )
        return Scope(school=code), row.name, ""
    for area in programme.areas:
        if key in (area.area, area.name):
            return Scope(area=area.area), area.name, area.officer
    if conn.scalar(select(students.c.student).where(students.c.state == "enrolled", students.c.area == key).limit(1)):
        return Scope(area=key), key, ""
    names = meant(key, [area.area for area in programme.areas])
    raise AccountError(f"No student is of the area {printable(key)!r}{names}.", "fleet programme show lists the areas.")


def _figures(conn: Connection, scope: Scope, rows: tuple[Row, ...]) -> dict[str, int]:
    enrolled, unserved = sum(row.enrolled for row in rows), sum(row.unserved for row in rows)
    return {
        "enrolled": enrolled,
        "served": enrolled - unserved,
        "not_served": unserved,
        **{name: sum(row.first.get(name, 0) for row in rows) for name in REASONS},
        "devices": conn.scalar(_devices(scope, func.count())) or 0,
        "sims": conn.scalar(_sims(scope, func.count())) or 0,
    }


def _devices(scope: Scope, what: Any) -> Select[Any]:
    theirs = (custody.c.holder == students.c.student) & (custody.c.state == "with_student")
    return select(what).select_from(students.join(custody, theirs).join(units)).where(*conditions(scope))


def _sims(scope: Scope, what: Any) -> Select[Any]:
    theirs = students.join(sims, sims.c.student == students.c.student)
    return select(what).select_from(theirs).where(runs(sims), in_hand(sims), *conditions(scope))


def _problems(conn: Connection, programme: Programme, at: str, scope: Scope) -> Iterator[Problem]:
    for gap in listed(conn, programme, at, scope):
        first, *also = gap.reasons
        since = gap.reasons[first]
        days = (date.fromisoformat(at[:10]) - date.fromisoformat(since[:10])).days if since else None
        yield Problem(gap.student, gap.school, first, tuple(also), gap.unit, since, days)


def _age(problem: Problem) -> tuple[str, str]:
    return problem.since or "9", problem.student


def _ages(problems: list[Problem]) -> dict[str, tuple[int, int]]:
    """Of problems that are sorted by age."""
    days: dict[str, list[int]] = {}
    for one in problems:
        if one.days is not None:
            days.setdefault(one.reason, []).append(one.days)
    return {name: (days[name][0], days[name][len(days[name]) // 2]) for name in REASONS if name in days}
