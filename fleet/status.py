"""What the registry says at a glance, and all it knows of one unit.

The counts read indexes of the unit table only, so that they do not slow down as history grows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from fleet import tags
from fleet.models import events, health_now, items, runs, units
from provision.text import counted

UNSEEN_DAYS = 30
_RECENT = 10


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
    """``by_state`` and ``by_verdict`` add up to ``units``; the verdict of a unit that was never run is ``none``."""

    units: int
    by_state: Mapping[str, int]
    by_verdict: Mapping[str, int]
    unseen_days: int
    unseen: int
    recent: tuple[RunLine, ...]


@dataclass(frozen=True)
class Happening:
    """One event of a unit, for people."""

    at: str
    actor: str
    bench: str
    seq: int
    kind: str
    what: str


@dataclass(frozen=True)
class UnitView:
    """``unit`` and ``facts`` are what is known of it; ``run``, ``items`` its last run; ``health`` its last reading."""

    unit: Mapping[str, Any]
    facts: Mapping[str, Any]
    health: Mapping[str, Any] | None
    run: Mapping[str, Any] | None
    items: tuple[Mapping[str, Any], ...]
    history: tuple[Happening, ...]


def status(conn: Connection, now: str, unseen_days: int = UNSEEN_DAYS) -> Status:
    """How many units, in which state, and how their last runs ended. ``now`` as every record writes it."""
    by_state: Counter[str] = Counter()
    by_verdict: Counter[str] = Counter()
    pairs = select(units.c.state, units.c.last_verdict, func.count()).group_by(units.c.state, units.c.last_verdict)
    for state, verdict, count in conn.execute(pairs):
        by_state[state] += count
        by_verdict[verdict or "none"] += count
    unseen = conn.scalar(select(func.count()).where(units.c.last_seen < _before(now, unseen_days))) or 0
    return Status(by_state.total(), dict(by_state), dict(by_verdict), unseen_days, unseen, _recent(conn))


def unit_view(conn: Connection, name: str) -> UnitView:
    """All that is known of the unit that ``name`` means: its tag, serial or platform:serial. Else UnitError."""
    key = tags.the(conn, name).key
    unit = _row(conn, units, units.c.key, key) or {}
    facts = json.loads(unit.pop("facts"))
    run = _row(conn, runs, runs.c.unit, key)
    if run:
        run["left_on"] = json.loads(run["left_on"])
    found = conn.execute(select(items).where(items.c.unit == key).order_by(items.c.position)).mappings()
    return UnitView(
        unit=unit,
        facts=facts,
        health=_row(conn, health_now, health_now.c.unit, key),
        run=run,
        items=tuple({name: value for name, value in row.items() if name not in _INNER} for row in found),
        history=_history(conn, key),
    )


_INNER = frozenset({"unit", "position"})


def _row(conn: Connection, table: Any, column: Any, key: str) -> dict[str, Any] | None:
    row = conn.execute(select(table).where(column == key)).mappings().one_or_none()
    return {name: value for name, value in row.items() if name not in _INNER} if row else None


def _recent(conn: Connection) -> tuple[RunLine, ...]:
    columns = (
        *(units.c.tag, units.c.serial, units.c.maker, units.c.model),
        *(runs.c.profile, runs.c.verdict, runs.c.steps, runs.c.ended, runs.c.error),
    )
    query = select(*columns).join_from(runs, units).order_by(runs.c.ended.desc(), runs.c.unit.desc()).limit(_RECENT)
    return tuple(RunLine(*row) for row in conn.execute(query))


def _history(conn: Connection, key: str) -> tuple[Happening, ...]:
    """Newest first; each bench's events in its own order."""
    query = select(events).where(events.c.subject == key).order_by(events.c.at, events.c.bench, events.c.seq)
    rows = conn.execute(query).all()
    lines = [Happening(r.at, r.actor, r.bench, r.seq, r.kind, _what(r.kind, json.loads(r.body))) for r in rows]
    return tuple(reversed(lines))


def origin(word: str) -> str:
    """Where a unit came from, in words."""
    return "not in any donor's list" if word == "unrecorded" else word


def _what(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "unit.added":
            return f"first seen, {body['state'].replace('_', ' ')}, {origin(body['origin'])}"
        case "unit.tagged":
            return f"tag {body['tag']}" + (f" instead of {body['was']}" if body["was"] else "")
        case "unit.run":
            return _run_line(body)
        case "unit.intake":
            return f"intake: {body['verdict']}" + (", a reset was seen" if (body["reset"] or {}).get("proved") else "")
        case _:
            return kind


def _run_line(body: Mapping[str, Any]) -> str:
    parts = [f"{body['profile']}: {body['verdict']}, {counted(body['steps'], 'step')}"]
    if body["error"]:
        parts.append(body["error"])
    if body["allowed"]:
        parts.append(f"allowed: {body['allowed']}")
    return "; ".join(parts)


def _before(now: str, days: int) -> str:
    moment = datetime.fromisoformat(now) - timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
