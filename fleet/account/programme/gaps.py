"""Every enrolled student who is not served, and why; how many, by what; who got two.

The list goes by the programme's order: areas, then categories, then students by key. It is read piece by piece along an
index, so that its first page does not wait for the rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, or_, select

from fleet.account.programme.gaps_sql import (
    HELD,
    REASONS,
    SIM,
    UNIT,
    apps_told,
    first_of,
    flag,
    joined,
    lost_at,
    online,
    reasons,
    refused_at,
)
from fleet.account.programme.household import needed
from fleet.account.programme.in_force import Programme
from fleet.bulk import batches
from fleet.errors import AccountError
from fleet.models import custody, students, units
from profiles.errors import meant
from provision.text import printable

PAGE = 50


@dataclass(frozen=True)
class Scope:
    """Whose gaps: "" is no condition. ``reason``: that holds, first or not."""

    school: str = ""
    area: str = ""
    category: str = ""
    teacher: str = ""
    reason: str = ""


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


@dataclass(frozen=True)
class Row:
    """``key`` is a school, area, category, reason or way to be online; ``first`` counts every student who is not served
    once. ``families``: of how many households they are, where that was counted (by online)."""

    key: str
    enrolled: int
    unserved: int
    first: Mapping[str, int]
    families: int | None = None


@dataclass(frozen=True)
class Share:
    """Devices and what is ``due``: to one student, or to the children of one household."""

    students: tuple[str, ...]
    units: tuple[str, ...]
    due: int


@dataclass
class _Tally:
    enrolled: int = 0
    first: Counter[str] = field(default_factory=Counter)


def listed(conn: Connection, programme: Programme, at: str, scope: Scope) -> Iterator[Gap]:
    """Every gap of ``scope`` at the moment ``at``, as it is come by."""
    if scope.school or scope.teacher:
        order = ("class_name", "student") if scope.school else ("school", "student")
        yield from _read(conn, programme, at, scope, order)
        return
    for area, category in pairs(conn, programme, scope):
        here = Scope(area=area, category=category, reason=scope.reason)
        yield from _read(conn, programme, at, here, ("student",), exact=True)


def _read(
    conn: Connection, programme: Programme, at: str, scope: Scope, order: tuple[str, ...], *, exact: bool = False
) -> Iterator[Gap]:
    flags = [flag(one).label(name) for name, one in reasons(programme, at).items()]
    told = apps_told(programme).label("told")
    rows = (
        select(*_COLUMNS, told, *flags).select_from(joined(programme)).where(*conditions(scope, exact=exact)).subquery()
    )
    wanted = rows.c[scope.reason] == 1 if scope.reason else or_(*(rows.c[name] == 1 for name in REASONS))
    query = select(rows).where(wanted).order_by(*(rows.c[name] for name in order))
    with conn.execute(query, execution_options={"yield_per": PAGE}) as found:  # a reader may stop after one page
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
    HELD.c.since.label("held_at"),
    UNIT.c.last_seen.label("seen_at"),
    SIM.c.since.label("sim_at"),
    SIM.c.ends_at.label("ends_at"),
)
_SINCE = {
    "no_device": ("enrolled_at",),
    "refused": ("refused_at",),
    "lost": ("lost_at",),
    "no_connection": ("enrolled_at",),
    "broken": ("seen_at",),
    "no_app": ("seen_at",),
    "no_plan": ("sim_at",),
    "plan_over": ("ends_at", "sim_at"),
}


def _since(reason: str, row: RowMapping) -> str:
    """Since when it holds, as far as the tables tell: what is waiting or away, since it lies where it is."""
    return next((row[name] for name in _SINCE.get(reason, ("held_at",)) if row[name]), "")


def conditions(scope: Scope, *, exact: bool = False) -> list[ColumnElement[bool]]:
    """Enrolled students of ``scope``. ``exact``: area and category are these, also where they are ""."""
    wanted = [students.c.state == "enrolled"]
    for name in ("school", "area", "category", "teacher"):
        value = getattr(scope, name)
        if value or (exact and name in ("area", "category")):
            wanted.append(students.c[name] == value)
    return wanted


def pairs(conn: Connection, programme: Programme, scope: Scope) -> list[tuple[str, str]]:
    """The areas and categories that enrolled students have, in order; found by leaps along the index."""
    found: list[tuple[str, str]] = []
    for area in _leaps(conn, students.c.area, conditions(scope)):
        here = [*conditions(scope), students.c.area == area]
        found += [(area, category) for category in _leaps(conn, students.c.category, here)]
    return sorted(found, key=lambda pair: rank(programme, *pair))


def _leaps(conn: Connection, column: ColumnElement[str], wanted: list[ColumnElement[bool]]) -> Iterator[str]:
    """The values of ``column``, each found from the one before it."""
    query = select(column).where(*wanted).order_by(column).limit(1)
    value = conn.scalar(query)
    while value is not None:
        yield value
        value = conn.scalar(query.where(column > value))


def rank(programme: Programme, area: str, category: str) -> tuple[int, str, int, str]:
    """The place of an area and category in the order: those that are not listed come last, by name."""
    areas = [one.area for one in programme.areas]
    return (*_place(areas, area), *_place(programme.categories, category))


def _place(order: Any, name: str) -> tuple[int, str]:
    return (order.index(name), "") if name in order else (len(order), name)


def counted(conn: Connection, programme: Programme, at: str, by: str, scope: Scope) -> tuple[Row, ...]:
    """Enrolled students and gaps by school, area, category, online or reason; areas, categories in their order."""
    first = first_of(reasons(programme, at)).label("first")
    kept = online(at) if by == "online" else students.c["category" if by == "reason" else by]
    inner = select(kept.label("kept"), first).select_from(joined(programme)).where(*conditions(scope))
    rows = inner.subquery()
    query = select(rows.c.kept, rows.c.first, func.count()).group_by(rows.c.kept, rows.c.first)
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    for key, why, count in conn.execute(query):
        for name in {why, ""} if by == "reason" else (key,):
            tallies[name].enrolled += count
            if why:
                tallies[name].first[why] += count
    if by == "reason":
        return _of_reasons(tallies)
    found = _of_keys(programme, by, tallies)
    return _with_families(conn, programme, at, scope, found) if by == "online" else found


def _with_families(
    conn: Connection, programme: Programme, at: str, scope: Scope, found: tuple[Row, ...]
) -> tuple[Row, ...]:
    """Who is of no known household is a family, too."""
    family = func.coalesce(func.nullif(students.c.household, ""), students.c.student)
    inner = select(online(at).label("kept"), family.label("family")).select_from(joined(programme))
    rows = inner.where(*conditions(scope)).subquery()
    query = select(rows.c.kept, func.count(rows.c.family.distinct()).label("families")).group_by(rows.c.kept)
    families = {row.kept: row.families for row in conn.execute(query)}
    return tuple(replace(row, families=families.get(row.key, 0)) for row in found)


def _of_reasons(tallies: Mapping[str, _Tally]) -> tuple[Row, ...]:
    whole = tallies.get("", _Tally())
    return tuple(
        Row(name, whole.enrolled, whole.first[name], {name: whole.first[name]}) for name in REASONS if whole.first[name]
    )


def _of_keys(programme: Programme, by: str, tallies: Mapping[str, _Tally]) -> tuple[Row, ...]:
    order = {"area": [one.area for one in programme.areas], "category": programme.categories}.get(by, ())
    keys = sorted(tallies, key=lambda key: _place(order, key))
    return tuple(
        Row(
            key,
            tallies[key].enrolled,
            tallies[key].first.total(),
            {name: tallies[key].first[name] for name in REASONS if tallies[key].first[name]},
        )
        for key in keys
    )


def anybody(conn: Connection, scope: Scope) -> bool:
    """Whether there is an enrolled student in ``scope`` at all."""
    return conn.scalar(select(students.c.student).where(*conditions(scope)).limit(1)) is not None


def unknown(conn: Connection, scope: Scope) -> AccountError:
    """What to say where nobody is enrolled in ``scope``: that there is nobody, and what may have been meant."""
    for name in ("school", "area", "category", "teacher"):
        if value := getattr(scope, name):
            known = set(conn.scalars(select(students.c[name]).where(students.c.state == "enrolled").distinct()))
            if value not in known:
                what = f'No enrolled student has the {name} "{printable(value)}"{meant(value, known)}.'
                return AccountError(what, f"fleet gaps --by {name} lists them." if name != "teacher" else "")
    return AccountError("No enrolled student is of all of these at once.", "Leave one of them out.")


def enrolled(conn: Connection, scope: Scope) -> int:
    """How many enrolled students there are in ``scope``."""
    return conn.scalar(select(func.count()).select_from(students).where(*conditions(scope))) or 0


def doubles(conn: Connection, programme: Programme, scope: Scope) -> tuple[Share, ...]:
    """Students with two devices; where a household has one, households with more than they need."""
    who = students.c.household if programme.shares else students.c.student
    has = select(who).join_from(students, custody, _ASSIGNED)
    grouped = has.where(who != "", *conditions(scope)).group_by(who).having(func.count() > 1)
    many = list(conn.scalars(grouped.order_by(who)))
    found = (share for keys in batches(many, 500) for share in _shares(conn, programme, who, keys))
    return tuple(share for share in found if len(share.units) > share.due)


def same_hour(conn: Connection, programme: Programme, scope: Scope) -> tuple[Share, ...]:
    """Households that share fewer devices than they have children in lessons at one hour."""
    who = students.c.household
    grouped = select(who).where(who != "", *conditions(scope)).group_by(who).having(func.count() > 1)
    many = list(conn.scalars(grouped.order_by(who)))
    by_hours = replace(programme, one_per="household", most=None, another=True)
    found = (share for keys in batches(many, 500) for share in _shares(conn, by_hours, who, keys))
    return tuple(share for share in found if 0 < len(share.units) < share.due)


def _shares(conn: Connection, programme: Programme, who: ColumnElement[str], keys: list[str]) -> Iterator[Share]:
    """``who``: the column by which they are one."""
    shown = func.coalesce(units.c.tag, units.c.serial)
    children = select(who.label("who"), students.c.student, students.c.grade).where(
        who.in_(keys), students.c.state == "enrolled"
    )
    held = select(who.label("who"), shown.label("shown")).join_from(students, custody, _ASSIGNED).join(units)
    families: defaultdict[str, list[Any]] = defaultdict(list)
    devices: defaultdict[str, list[str]] = defaultdict(list)
    for row in conn.execute(children.order_by(who, students.c.student)):
        families[row.who].append(row)
    for row in conn.execute(held.where(who.in_(keys), students.c.state == "enrolled").order_by(who, shown)):
        devices[row.who].append(row.shown)
    for key, family in families.items():
        due = needed(programme, [child.grade for child in family])
        yield Share(tuple(child.student for child in family), tuple(devices[key]), due)


_ASSIGNED = (custody.c.assigned == students.c.student) & custody.c.state.not_in(("retired", "given_back", "lost"))
