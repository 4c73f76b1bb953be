"""What the registry says at a glance: how many units where, what is wrong with them, what changed.

All of it is told by tallies and indexes, and nothing reads the ledger, so that it does not slow down as history grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, Connection, case, exists, func, literal, select, union_all

from fleet.account.filters.counting import narrowest
from fleet.account.filters.sql import Asked
from fleet.account.status import alarms
from fleet.account.status.alarms import Alarm
from fleet.account.status.health_rules import Rules
from fleet.models import custody, holdings, runs, sims, units

_RECENT = 10
_PLACES = 6
_FEW = 20_000
"""So many units are looked up one by one in less time than what is told of a million elsewhere is gathered."""

_FEW_RUNS = 2000
"""So many runs are put in order in less time than is needed to find ten of so few units among those of a million."""


@dataclass(frozen=True)
class RunLine:
    """The last run of one unit. ``ended`` is UTC."""

    tag: str | None
    serial: str
    maker: str
    model: str
    profile: str
    verdict: str
    steps: int
    ended: str
    error: str


@dataclass(frozen=True)
class Status:
    """``by_state`` and ``by_verdict`` add up to ``units``; the verdict of a unit that was never run is ``none``.

    ``places``: where the most units are, or are bound for. ``since``: from when on the ``changes`` are: ``steps`` of
    custody, ``runs`` by verdict (the last of each unit), and what ``sims`` became.
    """

    units: int
    by_state: Mapping[str, int]
    by_verdict: Mapping[str, int]
    places: Mapping[str, int]
    alarms: tuple[Alarm, ...]
    since: str
    changes: Mapping[str, Mapping[str, int]]
    recent: tuple[RunLine, ...]


def status(conn: Connection, rules: Rules, within: Asked, since: str, language: str = "en") -> Status:
    """The units of ``within``, and what changed of them since then (as records write it)."""
    found = _of_all(conn, within) if within.tree is None else _of_those(conn, within)
    total = found.by_state.total()
    return Status(
        total,
        dict(found.by_state),
        dict(found.by_verdict),
        dict(sorted(found.places.items(), key=lambda one: (-one[1], one[0]))[:_PLACES]),
        alarms.told(rules, found.alarms, total, language),
        since,
        _changes(conn, within, since),
        _recent(conn, within, total),
    )


@dataclass(frozen=True)
class _Counts:
    by_state: Counter[str] = field(default_factory=Counter)
    by_verdict: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)

    def add(self, state: str, verdict: str | None, number: int) -> None:
        self.by_state[state] += number
        self.by_verdict[verdict or "none"] += number


def _of_all(conn: Connection, within: Asked) -> _Counts:
    counts = _Counts()
    made = narrowest(within, units.c.last_verdict)
    verdict = made.column(units.c.last_verdict)
    for row in conn.execute(select(made.state, verdict, made.number).where(made.where).group_by(made.state, verdict)):
        counts.add(*row)
    held = narrowest(within, custody.c.place)
    place, number = held.column(custody.c.place), held.number.label("number")
    most = select(place, number).where(held.where, place != "").group_by(place)
    counts.places.update(dict(map(tuple, conn.execute(most.order_by(number.desc(), place).limit(_PLACES)))))
    counts.alarms.update(alarms.numbers(conn, within))
    return counts


def _of_those(conn: Connection, within: Asked) -> _Counts:
    """In one pass over what a filter fits, but for what is told in other tables."""
    counts = _Counts()
    frame, rules = alarms.of_one_row(within, units, custody)
    by = (frame.state, units.c.last_verdict, custody.c.place)
    sums = [func.sum(case((one, 1), else_=0)) for one in rules.values()]
    query: Any = select(*by, func.count(), *sums).select_from(frame.source).where(frame.where).group_by(*by)
    for state, verdict, place, number, *told in conn.execute(query):
        counts.add(state, verdict, number)
        if place:
            counts.places[place] += number
        counts.alarms.update(dict(zip(rules, told, strict=True)))
    counts.alarms.update(alarms.of_several(conn, replace(within, few=counts.by_state.total() <= _FEW)))
    return counts


def _changes(conn: Connection, within: Asked, since: str) -> dict[str, dict[str, int]]:
    columns: tuple[tuple[str, Column[str], Column[str], Column[str]], ...] = (
        ("steps", holdings.c.step, holdings.c.since, holdings.c.unit),
        ("runs", runs.c.verdict, runs.c.ended, runs.c.unit),
        ("sims", sims.c.state, sims.c.since, sims.c.unit),
    )
    queries = []
    for name, what, at, unit in columns:
        # Not grouped by the column as it is: SQLite would walk the whole index of it rather than sort a day's rows.
        word = what.concat("")
        query: Any = select(literal(name), word, func.count()).where(at >= since)
        queries.append(_of(within, query, unit).group_by(word))
    found: dict[str, dict[str, int]] = {name: {} for name, *_ in columns}
    for row in conn.execute(union_all(*queries)):
        found[row[0]][row[1]] = row[2]
    return found


def _of(within: Asked, query: Any, unit: Column[str]) -> Any:
    """Only rows of units that ``within`` asks for."""
    if within.tree is None:
        return query
    frame = within.frame()
    fits = select(frame.key).select_from(frame.source).where(frame.key == unit, frame.where)
    return query.where(exists(fits.correlate(unit.table)))


def _recent(conn: Connection, within: Asked, total: int) -> tuple[RunLine, ...]:
    """The newest runs are looked at until enough are of such units; if those are few, theirs are put in order."""
    columns = (
        *(units.c.tag, units.c.serial, units.c.maker, units.c.model),
        *(runs.c.profile, runs.c.verdict, runs.c.steps, runs.c.ended, runs.c.error),
    )
    query: Any = select(*columns).join_from(runs, units, runs.c.unit == units.c.key)
    if within.tree is not None and total <= _FEW_RUNS:
        frame = within.frame()
        query = query.where(runs.c.unit.in_(select(frame.key).select_from(frame.source).where(frame.where)))
    else:
        query = _of(within, query, runs.c.unit)
    newest = query.order_by(runs.c.ended.desc(), runs.c.unit.desc()).limit(_RECENT)
    return tuple(RunLine(*row) for row in conn.execute(newest))
