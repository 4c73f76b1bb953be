"""What the registry says at a glance: how many units where, what is wrong with them, what changed.

All of it is counted in indexes, and nothing reads the ledger, so that it does not slow down as history grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, literal, select, union_all

from fleet.account.alarms import Alarm, alarms
from fleet.account.filter_sql import Asked
from fleet.account.health_rules import Rules
from fleet.models import custody, holdings, runs, sims, units

_RECENT = 10
_PLACES = 6


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
    by_state: Counter[str] = Counter()
    by_verdict: Counter[str] = Counter()
    frame = within.frame(units)
    pairs = select(frame.state, units.c.last_verdict, func.count()).select_from(frame.source).where(frame.where)
    for state, verdict, number in conn.execute(pairs.group_by(frame.state, units.c.last_verdict)):
        by_state[state] += number
        by_verdict[verdict or "none"] += number
    total = by_state.total()
    return Status(
        total,
        dict(by_state),
        dict(by_verdict),
        _places(conn, within),
        alarms(conn, rules, within, total, language) if total else (),
        since,
        _changes(conn, within, since),
        _recent(conn, within),
    )


def _places(conn: Connection, within: Asked) -> dict[str, int]:
    frame = within.frame(custody)
    number = func.count().label("number")
    query = select(custody.c.place, number).select_from(frame.source).where(frame.where, custody.c.place != "")
    most = query.group_by(custody.c.place).order_by(number.desc(), custody.c.place).limit(_PLACES)
    return {row[0]: row[1] for row in conn.execute(most)}


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
    frame = within.frame(units)
    source = frame.source.join(runs, runs.c.unit == units.c.key)
    query = select(*columns).select_from(source).where(frame.where)
    newest = query.order_by(runs.c.ended.desc(), runs.c.unit.desc()).limit(_RECENT)
    return tuple(RunLine(*row) for row in conn.execute(newest))
