"""All that the registry knows of one unit: where it is and who has it, its SIM, what is wrong, what happened to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from fleet import sim_reading, tags
from fleet.account.status import alarms
from fleet.account.status.alarms import Alarm
from fleet.account.status.health_rules import Rules
from fleet.account.status.unit_words import what
from fleet.models import acceptances, custody, events, health_now, items, places, runs, sims, units, wants


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
    """``unit`` and ``facts`` are what is known of it; ``run``, ``items`` its last run; ``health`` its last reading.

    ``custody``: where it is, since when, who has it (a pseudonym) or is meant to; ``acceptance``: its last hand-over;
    ``sims``: those that belong in it; ``remarks``: what is odd about those that were read in it. ``wanted``: what it
    should have by the last push that means it, and whether that was read back (``met``).
    """

    unit: Mapping[str, Any]
    facts: Mapping[str, Any]
    health: Mapping[str, Any] | None
    run: Mapping[str, Any] | None
    items: tuple[Mapping[str, Any], ...]
    history: tuple[Happening, ...]
    custody: Mapping[str, Any] | None
    acceptance: Mapping[str, Any] | None
    sims: tuple[Mapping[str, Any], ...]
    alarms: tuple[Alarm, ...]
    remarks: tuple[str, ...]
    wanted: Mapping[str, Any] | None


def unit_view(conn: Connection, rules: Rules, name: str, now: str, language: str = "en") -> UnitView:
    """All that is known of the unit that ``name`` means: its tag, serial or platform:serial. Else UnitError."""
    key = tags.the(conn, name).key
    unit = _row(conn, units, units.c.key, key) or {}
    facts = json.loads(unit.pop("facts"))
    unit["last_seen"] = unit["last_seen"] or None
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
        custody=_custody(conn, key),
        acceptance=_acceptance(conn, key),
        sims=tuple(dict(row) for row in conn.execute(_SIMS.where(sims.c.unit == key)).mappings()),
        alarms=alarms.of_unit(conn, rules, key, now, language),
        remarks=tuple(sim_reading.remarks(conn, key)),
        wanted=_wanted(conn, key, run),
    )


def _wanted(conn: Connection, key: str, run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    row = _row(conn, wants, wants.c.unit, key)
    if row is None:
        return None
    same = run is not None and (run["profile"], run["digest"]) == (row["profile"], row["digest"])
    return {**row, "met": bool(same and run and run["verdict"] != "failed")}


def pin_result(conn: Connection, key: str) -> str | None:
    """What came of the PIN of its screen lock in the last run of a unit; ``None`` when that did not concern it."""
    return conn.scalar(select(items.c.result).where(items.c.unit == key, items.c.item == "screen_lock.pin"))


_INNER = frozenset({"unit", "position"})


def _row(conn: Connection, table: Any, column: Any, key: str) -> dict[str, Any] | None:
    row = conn.execute(select(table).where(column == key)).mappings().one_or_none()
    return {name: value for name, value in row.items() if name not in _INNER} if row else None


_SIMS = select(
    *(sims.c.iccid, sims.c.carrier, sims.c.quota, sims.c.days, sims.c.state, sims.c.since, sims.c.student),
    *(sims.c.accepted_at, sims.c.ends_at, sims.c.used_at, sims.c.read_unit, sims.c.missed_at),
).order_by(sims.c.iccid)


def _custody(conn: Connection, key: str) -> dict[str, Any] | None:
    told = (places.c.name, places.c.kind, places.c.area)
    named = [column.label(f"place_{column.name}") for column in told]
    source = custody.outerjoin(places, places.c.place == custody.c.place)
    row = (
        conn.execute(select(custody, *named).select_from(source).where(custody.c.unit == key)).mappings().one_or_none()
    )
    return {name: value for name, value in row.items() if name not in _INNER} if row else None


def _acceptance(conn: Connection, key: str) -> dict[str, Any] | None:
    query = select(acceptances).where(acceptances.c.unit == key).order_by(acceptances.c.at.desc()).limit(1)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        return None
    found = {name: value for name, value in row.items() if name not in _INNER}
    for name in ("kit", "checks", "returned_kit"):
        found[name] = json.loads(found[name]) if found[name] else {}
    return found


def _history(conn: Connection, key: str) -> tuple[Happening, ...]:
    """Newest first; each bench's events in its own order."""
    query = select(events).where(events.c.subject == key).order_by(events.c.at, events.c.bench, events.c.seq)
    rows = conn.execute(query).all()
    lines = [Happening(r.at, r.actor, r.bench, r.seq, r.kind, what(r.kind, json.loads(r.body))) for r in rows]
    return tuple(reversed(lines))
