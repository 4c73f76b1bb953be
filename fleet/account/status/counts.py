"""What the registry says at a glance: how many units where, what is wrong with them, what changed.

All of it is counted in indexes, and nothing reads the ledger, so that it does not slow down as history grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, literal, select, union_all

from fleet.account.filters.sql import Asked
from fleet.account.status.alarms import Alarm, alarms
from fleet.account.status.health_rules import Rules
from fleet.models import custody, holdings, runs, sims, units

_RECENT = 10
_PLACES = 6
_FEW = 20_000
"""So many units are looked up one by one in less time than a million are gone through."""


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
    found = _counted(conn, within) if within.tree is None else _counted_once(conn, within)
    total = found.by_state.total()
    within = replace(within, few=total <= _FEW)
    return Status(
        total,
        dict(found.by_state),
        dict(found.by_verdict),
        dict(sorted(found.places.items(), key=lambda one: (-one[1], one[0]))[:_PLACES]),
        alarms(conn, rules, within, total, language) if total else (),
        since,
        _changes(conn, within, since),
        _recent(conn, within),
    )


@dataclass(frozen=True)
class _Counts:
    by_state: Counter[str] = field(default_factory=Counter)
    by_verdict: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    def add(self, state: str, verdict: str | None, number: int) -> None:
        self.by_state[state] += number
        self.by_verdict[verdict or "none"] += number


def _counted(conn: Connection, within: Asked) -> _Counts:
    """Of all units, each in an index of its own."""
    counts = _Counts()
    frame = within.frame(units)
    pairs = select(frame.state, units.c.last_verdict, func.count()).group_by(frame.state, units.c.last_verdict)
    for state, verdict, number in conn.execute(pairs):
        counts.add(state, verdict, number)
    number_of = func.count().label("number")
    most = select(custody.c.place, number_of).where(custody.c.place != "").group_by(custody.c.place)
    counts.places.update({row[0]: row[1] for row in conn.execute(most.order_by(number_of.desc()).limit(_PLACES))})
    return counts


def _counted_once(conn: Connection, within: Asked) -> _Counts:
    """In one pass over what a filter fits."""
    counts = _Counts()
    frame = within.frame(units, custody)
    by = (frame.state, units.c.last_verdict, custody.c.place)
    query = select(*by, func.count()).select_from(frame.source).where(frame.where).group_by(*by)
    for state, verdict, place, number in conn.execute(query):
        counts.add(state, verdict, number)
        if place:
            counts.places[place] += number
    return counts


def _changes(conn: Connection, within: Asked, since: str) -> dict[str, dict[str, int]]:
    columns: tuple[tuple[str, ColumnElement[str], ColumnElement[str], ColumnElement[str]], ...] = (
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


def _of(within: Asked, query: Any, unit: ColumnElement[str]) -> Any:
    """Only rows of units that ``within`` asks for."""
    if within.tree is None:
        return query
    frame = within.frame()
    return query.where(exists(select(frame.key).select_from(frame.source).where(frame.key == unit, frame.where)))


def _recent(conn: Connection, within: Asked) -> tuple[RunLine, ...]:
    columns = (
        *(units.c.tag, units.c.serial, units.c.maker, units.c.model),
        *(runs.c.profile, runs.c.verdict, runs.c.steps, runs.c.ended, runs.c.error),
    )
    query: Any = select(*columns).join_from(runs, units, runs.c.unit == units.c.key)
    if within.tree is not None and within.few:
        frame = within.frame()
        query = query.where(runs.c.unit.in_(select(frame.key).select_from(frame.source).where(frame.where)))
    else:
        query = _of(within, query, runs.c.unit)
    newest = query.order_by(runs.c.ended.desc(), runs.c.unit.desc()).limit(_RECENT)
    return tuple(RunLine(*row) for row in conn.execute(newest))
