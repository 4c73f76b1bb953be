"""SIMs as they are shown: one with all that is known of it, or many in a list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from fleet import sim_reading
from fleet.account.sims import one_by_one
from fleet.account.sims.data_plan_lists import COLUMNS, JOINED, PLACE, SCHOOL
from fleet.models import events, sim_requests, sim_slots, sim_usage, sims, units
from fleet.sim_states import words


@dataclass(frozen=True)
class Happening:
    """One event of a SIM, for people."""

    at: str
    actor: str
    what: str


@dataclass(frozen=True)
class SimView:
    """``sim`` is its row; ``unit`` and ``read_in`` are tags or keys, ``place`` where it is now, ``school`` whose it is;
    ``usage`` bytes by month; ``remarks`` what is odd about it; ``history`` newest first."""

    sim: Mapping[str, Any]
    unit: str
    read_in: str
    place: str
    school: str
    usage: Mapping[str, int]
    requests: tuple[Mapping[str, Any], ...]
    remarks: tuple[str, ...]
    history: tuple[Happening, ...]


def view(conn: Connection, name: str) -> SimView:
    """All that is known of the SIM that ``name`` means, else AccountError."""
    sim = one_by_one.the(conn, name)
    number = sim["iccid"]
    usage = conn.execute(select(sim_usage).where(sim_usage.c.iccid == number).order_by(sim_usage.c.month))
    asked = select(sim_requests).where(sim_requests.c.iccid == number).order_by(sim_requests.c.asked_at.desc())
    where = select(PLACE, SCHOOL).select_from(JOINED).where(sims.c.iccid == number)
    place, school = conn.execute(where).one()
    return SimView(
        sim=dict(sim),
        unit=_named(conn, sim["unit"]),
        read_in=_named(conn, _last_read(conn, number)),
        place=place,
        school=school,
        usage={row.month: row.bytes for row in usage},
        requests=tuple({k: v for k, v in row.items() if k != "iccid"} for row in conn.execute(asked).mappings()),
        remarks=tuple(sim_reading.remarks(conn, sim["unit"])) if sim["unit"] else (),
        history=_history(conn, number),
    )


def listed(
    conn: Connection, where: ColumnElement[bool], limit: int | None
) -> tuple[int, tuple[Mapping[str, Any], ...]]:
    """How many SIMs there are of a kind, and the first of them by ICCID."""
    count = conn.scalar(select(func.count()).select_from(JOINED).where(where)) or 0
    query = select(*COLUMNS).select_from(JOINED).where(where).order_by(sims.c.iccid).limit(limit)
    return count, tuple(dict(row) for row in conn.execute(query).mappings())


def _named(conn: Connection, unit: str | None) -> str:
    if unit is None:
        return ""
    return conn.scalar(select(func.coalesce(units.c.tag, units.c.key)).where(units.c.key == unit)) or unit


def _last_read(conn: Connection, number: str) -> str | None:
    query = select(sim_slots.c.unit).where(sim_slots.c.iccid == number).order_by(sim_slots.c.at.desc())
    return conn.scalar(query.limit(1))


def _history(conn: Connection, number: str) -> tuple[Happening, ...]:
    query = select(events).where(events.c.subject == number).order_by(events.c.at, events.c.bench, events.c.seq)
    lines = [Happening(row.at, row.actor, _what(row.kind, json.loads(row.body))) for row in conn.execute(query)]
    return tuple(reversed(lines))


def _what(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "sim.set":
            told = [f"{name} {_value(value)}" for name, value in sorted(body["fields"].items()) if name != "state"]
            state = [words(body["fields"]["state"])] if "state" in body["fields"] else []
            return f"{body['step']}: {', '.join([*state, *told])}"
        case "sim.used":
            return f"used {sum(size for _, _, size in body['months'])} bytes, counted by the operator"
        case "sim.asked":
            return f"operator asked to {body['ask']} it: {body['request']}"
        case "sim.answered":
            return f"operator answered {body['request']}: {words(body['status'])}"
        case _:
            return kind


def _value(value: object) -> str:
    return "none" if value is None else str(value)
