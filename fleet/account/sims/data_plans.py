"""Data plans at a glance: what costs money for nothing, who is without data, which plans end, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, null, or_, select

from fleet.account.programme import in_force as programme
from fleet.account.sims.data_plan_lists import AREA, COLUMNS, GRACE_DAYS, JOINED, Case, ending, idle, lists, selected
from fleet.account.sims.usage import IDLE_DAYS
from fleet.models import custody, sim_counts, sim_slots, sims, units
from fleet.sim_states import SimState

WAVES = (30, 7)
_FIRST = 10
_STREAM = {"yield_per": 1000}
"""Of a million rows no more than so many are in memory."""

Line = Mapping[str, Any]
"""A SIM in a list: the columns of :data:`COLUMNS`."""


@dataclass(frozen=True)
class Found:
    """A list: how many SIMs are in it, and the first of them."""

    name: str
    costs: str
    title: str
    next_action: str
    count: int
    first: tuple[Line, ...]


@dataclass(frozen=True)
class Wave:
    """Plans that end on one day in one area."""

    day: str
    area: str
    count: int


@dataclass(frozen=True)
class Window:
    """A school term; ``early`` plans of SIMs with students end in it, before it ends."""

    term: str
    begin: str
    end: str
    early: int


@dataclass(frozen=True)
class Overview:
    """``counted``: up to which day each operator's usage is known. ``free_days`` of ``plan_days`` lie in no term."""

    sims: int
    by_state: Mapping[str, int]
    found: tuple[Found, ...]
    ends: Mapping[int, int]
    waves: tuple[Wave, ...]
    counted: Mapping[str, str]
    terms: tuple[Window, ...]
    plan_days: int
    free_days: int


def overview(conn: Connection, now: str, first: int = _FIRST) -> Overview:
    """All lists that are not empty, with their first SIMs; endings by day and area; plans against school terms."""
    states = conn.execute(select(sims.c.state, func.count()).group_by(sims.c.state)).all()
    by_state = {row[0]: int(row[1]) for row in sorted(states, key=lambda row: row[0])}
    terms, plan_days, free_days = _windows(conn, now)
    return Overview(
        sims=sum(by_state.values()),
        by_state=by_state,
        found=tuple(_found(conn, now, first)),
        ends={days: _count(conn, ending(now, days)) for days in WAVES},
        waves=_waves(conn, now),
        counted={row.carrier: row.through for row in conn.execute(select(sim_counts).order_by(sim_counts.c.carrier))},
        terms=terms,
        plan_days=plan_days,
        free_days=free_days,
    )


def every(conn: Connection, now: str) -> Iterator[tuple[str, Line]]:
    """Every SIM of every list, with the name of the list."""
    for one in lists(conn, now):
        for row in conn.execute(selected(one.where), execution_options=_STREAM).mappings():
            yield one.name, dict(row)
    for row in conn.execute(_strangers()).mappings():
        yield "not_ours", dict(row)


def ends_in(conn: Connection, now: str, days: int) -> Iterator[Line]:
    """The SIMs whose plan ends within so many days, the next first."""
    query = select(*COLUMNS).select_from(JOINED).where(ending(now, days)).order_by(sims.c.ends_at, sims.c.iccid)
    return (dict(row) for row in conn.execute(query, execution_options=_STREAM).mappings())


def notices(conn: Connection) -> Iterator[Line]:
    """The idle SIMs: ``last`` use or hand-over, ``notice`` when the student is to be asked, ``until`` the days of grace
    after which the plan is to be ended."""
    return (_notice(dict(row)) for row in conn.execute(selected(idle()), execution_options=_STREAM).mappings())


def _notice(line: dict[str, Any]) -> Line:
    last = max(line["used_at"] or "", line["accepted_at"][:10])
    day = date.fromisoformat(last)
    until = day + timedelta(IDLE_DAYS + GRACE_DAYS)
    return {**line, "last": last, "notice": (day + timedelta(IDLE_DAYS)).isoformat(), "until": until.isoformat()}


def _found(conn: Connection, now: str, first: int) -> Iterator[Found]:
    cases = lists(conn, now)
    for one, count in zip(cases, _counts(conn, cases), strict=True):
        if count:
            rows = tuple(dict(row) for row in conn.execute(selected(one.where).limit(first)).mappings())
            yield Found(one.name, one.costs, one.title, one.next_action, count, rows)
    rows = tuple(dict(row) for row in conn.execute(_strangers().limit(first)).mappings())
    if rows:
        count = conn.scalar(select(func.count()).select_from(_strangers().subquery())) or 0
        yield Found("not_ours", "account", _NOT_OURS, "Add it if it is ours: fleet sim add.", count, rows)


_NOT_OURS = "in our units, and in no list of ours"


def _counts(conn: Connection, cases: Sequence[Case]) -> tuple[int, ...]:
    """How many SIMs are in each list, in one walk over all."""
    sums = [func.coalesce(func.sum(case((one.where, 1), else_=0)), 0).label(one.name) for one in cases]
    told = (sims.c.activated_at, sims.c.unit, sims.c.used_at, sims.c.accepted_at)
    anything = or_(*(column.is_not(None) for column in told))
    row = conn.execute(select(*sums).select_from(JOINED).where(anything)).one()
    return tuple(int(count) for count in row)


def _count(conn: Connection, where: ColumnElement[bool]) -> int:
    return conn.scalar(select(func.count()).select_from(sims).where(where)) or 0


def _waves(conn: Connection, now: str) -> tuple[Wave, ...]:
    day = func.substr(sims.c.ends_at, 1, 10)
    query = select(day, AREA, func.count()).select_from(JOINED).where(ending(now, max(WAVES)))
    return tuple(Wave(*row) for row in conn.execute(query.group_by(day, AREA).order_by(day, AREA)))


def _strangers() -> Select[Any]:
    """Cards that benches read in our units, and that are in no list of ours; in the columns of all lists."""
    told = {
        "iccid": sim_slots.c.iccid,
        "unit": func.coalesce(units.c.tag, units.c.key),
        "unit_state": custody.c.state,
        "student": custody.c.holder,
    }
    told["place"] = custody.c.place
    columns = [told.get(column.name, null()).label(column.name) for column in COLUMNS]
    of = sim_slots.join(units, units.c.key == sim_slots.c.unit).outerjoin(custody, custody.c.unit == sim_slots.c.unit)
    known = select(literal(1)).where(sims.c.iccid == sim_slots.c.iccid).exists()
    return select(*columns).select_from(of).where(sim_slots.c.iccid != "", ~known).order_by(sim_slots.c.unit)


def _windows(conn: Connection, now: str) -> tuple[tuple[Window, ...], int, int]:
    """The terms that are not over, and how many plans end in them; days of running plans, and those in no term."""
    terms = programme.current(conn).terms
    if not terms:
        return (), 0, 0
    begin, end = func.substr(sims.c.accepted_at, 1, 10), func.substr(sims.c.ends_at, 1, 10)
    running = sims.c.state.in_((SimState.HANDED_OVER, SimState.IN_USE, SimState.IDLE)) & sims.c.ends_at.is_not(None)
    groups = conn.execute(select(begin, end, func.count()).where(running).group_by(begin, end)).all()
    windows = []
    for name, first, last in terms:
        if last >= now[:10]:
            early = sum(count for _, ends, count in groups if max(first, now[:10]) <= ends < last)
            windows.append(Window(name, first, last, early))
    days = sum(_days(start, ends) * count for start, ends, count in groups)
    taught = sum(_taught(start, ends, terms) * count for start, ends, count in groups)
    return tuple(windows), days, days - taught


def _days(first: str, last: str) -> int:
    """Days from ``first`` up to the day before ``last``."""
    return max((date.fromisoformat(last) - date.fromisoformat(first)).days, 0)


def _taught(first: str, last: str, terms: Sequence[tuple[str, str, str]]) -> int:
    day = timedelta(1)
    after = [(begin, (date.fromisoformat(end) + day).isoformat()) for _, begin, end in terms]
    return sum(_days(max(first, begin), min(last, end)) for begin, end in after)
