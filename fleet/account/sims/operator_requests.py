"""What the operator is asked to do with SIMs: numbered, written down, and not asked twice while it is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from fleet.account.sims.data_plan_lists import JOINED
from fleet.ledger import Happening
from fleet.models import sim_requests, sims
from fleet.sim_states import STEPS

OPEN = ("open", "in_progress")
ASKS = ("activate", "suspend", "end", "renew")

_NUMBER = 6
_BENCH = 4
HEADINGS = ("request", "action", "ICCID", "MSISDN", "quota", "days", "status")
"""Of the file that goes out; the operator fills ``status`` and sends it back."""

Line = tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """One file of requests. ``held_back``: SIMs that were meant, and have such a request open already."""

    name: str
    ask: str
    lines: tuple[Line, ...]
    held_back: int


def possible(ask: str) -> ColumnElement[bool]:
    """The SIMs of which this can be asked: those of which the operator would not say that it is done already."""
    starts = STEPS[ask].starts | STEPS[ask].stays
    states = sims.c.state.in_(sorted(starts))
    if ask == "activate":
        return states & sims.c.activated_at.is_(None)
    return states & sims.c.activated_at.is_not(None) if ask in ("suspend", "end") else states


def prepared(conn: Connection, bench: str, ask: str, meant: ColumnElement[bool]) -> Batch:
    """The next batch of ``bench``: one numbered line for each SIM that is ``meant``, possible, and not asked yet."""
    wanted = and_(meant, possible(ask))
    asked = exists().where(
        sim_requests.c.iccid == sims.c.iccid, sim_requests.c.ask == ask, sim_requests.c.status.in_(OPEN)
    )
    held_back = conn.scalar(select(func.count()).select_from(JOINED).where(wanted, asked)) or 0
    name = _next(conn, bench)
    query = select(sims.c.iccid, sims.c.msisdn, sims.c.quota, sims.c.days).select_from(JOINED).where(wanted, ~asked)
    lines = tuple(
        _line(f"{name}-{n:0{_NUMBER}}", ask, row)
        for n, row in enumerate(conn.execute(query.order_by(sims.c.iccid)).mappings(), 1)
    )
    return Batch(name, ask, lines, held_back)


def events(batch: Batch) -> Iterator[Happening]:
    """What asking writes down."""
    for request, ask, iccid, *_ in batch.lines:
        yield "sim.asked", iccid, {"v": 1, "request": request, "batch": batch.name, "ask": ask}


def again(conn: Connection, name: str) -> Batch | None:
    """The open lines of a batch that went out before; ``None`` when there is none of this name."""
    mine = sim_requests.c.batch == name.strip().upper()
    ask = conn.scalar(select(sim_requests.c.ask).where(mine).limit(1))
    if ask is None:
        return None
    columns = (sim_requests.c.request, sims.c.iccid, sims.c.msisdn, sims.c.quota, sims.c.days)
    query = select(*columns).join_from(sim_requests, sims, sims.c.iccid == sim_requests.c.iccid)
    rows = conn.execute(query.where(mine, sim_requests.c.status.in_(OPEN)).order_by(sim_requests.c.request)).mappings()
    return Batch(name.strip().upper(), ask, tuple(_line(row["request"], ask, row) for row in rows), 0)


def _line(request: str, ask: str, row: Mapping[Any, Any]) -> Line:
    days = "" if row["days"] is None else str(row["days"])
    return request, ask, row["iccid"], (row["msisdn"] or "").lstrip("+"), row["quota"], days, ""


def _next(conn: Connection, bench: str) -> str:
    """``R3F9A-0007``: R, the beginning of the bench's id, and a number of its own."""
    prefix = f"R{bench[:_BENCH].upper()}-"
    last = conn.scalar(select(func.max(sim_requests.c.batch)).where(sim_requests.c.batch.like(f"{prefix}%")))
    number = int(last.removeprefix(prefix)) if last else 0
    return f"{prefix}{number + 1:04d}"
