"""One device at home: its agent, when it came last, what it should have, fetched and confirmed, what it is ordered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from fleet.home import Home
from fleet.models import agent_contacts, agents
from fleet.remote.agents import orders, wanted
from fleet.remote.agents.chosen import WITH_CONTACTS
from fleet.remote.agents.orders import Order
from fleet.remote.agents.wanted import Wanted


@dataclass(frozen=True)
class AtHome:
    """``enrolled_at`` a bench set it up; ``ended_at`` and ``why`` its enrolment ended, "" while it lives.

    What it should have (``wanted``, None when it has ended), which digest it ``fetched`` and which it ``confirmed``
    are three things. ``owner``: whether its agent is the owner, None not known. ``missing`` are permissions,
    ``drift`` what differs, in words. ``orders``, newest first.
    """

    agent: str
    server: str
    profile: str
    digest: str
    enrolled_at: str
    ended_at: str
    why: str
    seen_at: str | None
    home_at: str | None
    told_at: str | None
    wanted: Wanted | None
    fetched: str | None
    fetched_at: str | None
    confirmed: str | None
    confirmed_at: str | None
    owner: bool | None
    battery_level: int | None
    iccid: str | None
    missing: tuple[str, ...]
    drift: tuple[str, ...]
    orders: tuple[Order, ...]


_CONTACT = ("seen_at", "home_at", "told_at", "fetched", "fetched_at", "confirmed", "confirmed_at")
_HEALTH = ("owner", "battery_level", "iccid")


def at_home(conn: Connection, home: Home, unit: str) -> AtHome | None:
    """The last enrolment of a unit; ``None`` when it never had one."""
    mine = select(agents.c.number).where(agents.c.unit == unit).order_by(agents.c.at.desc()).limit(1)
    number = conn.scalar(mine)
    if number is None:
        return None
    standing = wanted.read(conn, home)
    columns: list[Any] = [agents, *(agent_contacts.c[name] for name in (*_CONTACT, *_HEALTH, "missing", "drift"))]
    query = select(*columns, *wanted.columns(standing)).select_from(WITH_CONTACTS)
    row: Any = conn.execute(query.where(agents.c.unit == unit, agents.c.number == number)).one()
    return AtHome(
        agent=row.agent,
        server=row.server,
        profile=row.profile,
        digest=row.digest,
        enrolled_at=row.at,
        ended_at=row.ended_at or "",
        why=row.why,
        wanted=None if row.ended_at else wanted.of(standing, row, datetime.now(UTC)),
        missing=tuple(json.loads(row.missing or "[]")),
        drift=tuple(json.loads(row.drift or "[]")),
        orders=tuple(orders.of_unit(conn, unit)),
        **{name: row._mapping[name] for name in (*_CONTACT, *_HEALTH)},
    )
