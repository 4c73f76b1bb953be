"""Enrolments of agents, as the registry keeps them: each has a device number of its own, which is in no table.

The agent's protocol knows a device by its number alone (facts, Android 3.5), so nobody may guess or read one: it is
random, given to one device once, and kept as its hash. It is dead after the next enrolment of the unit, when the unit
comes back from its student, and when it leaves for good.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from fleet.ledger import Ledger
from fleet.models import agents


@dataclass(frozen=True)
class Enrolment:
    """``number`` is hashed; ``profile`` and ``digest`` say what the device was set up with."""

    unit: str
    number: str
    agent: str
    profile: str
    digest: str
    server: str
    at: str


def hashed(number: str) -> str:
    """Under what a device number is kept: SHA-256, hex."""
    return hashlib.sha256(number.encode()).hexdigest()


def enrol(conn: Connection, ledger: Ledger, unit: str, *, agent: str, profile: str, digest: str, server: str) -> str:
    """A new device number for this unit; those before it are dead. It is recorded before anybody is given it."""
    number = secrets.token_hex(16)
    body = {"number": hashed(number), "agent": agent, "profile": profile, "digest": digest, "server": server}
    ledger.append(conn, "agent.enrolled", unit, {"v": 1, **body})
    return number


def renew(conn: Connection, ledger: Ledger, unit: str, *, profile: str, digest: str, server: str) -> None:
    """The unit's number lives on, and is set up with this from now on. Nothing happens where it is so already."""
    body = {"profile": profile, "digest": digest, "server": server}
    now = alive(conn, unit)
    if now is not None and (now.profile, now.digest, now.server) != (profile, digest, server):
        ledger.append(conn, "agent.renewed", unit, {"v": 1, **body})


def end(conn: Connection, ledger: Ledger, unit: str, why: str) -> None:
    """The unit's number is dead from now on. Where it has none, nothing happens."""
    if alive(conn, unit):
        ledger.append(conn, "agent.ended", unit, {"v": 1, "why": why})


def alive(conn: Connection, unit: str) -> Enrolment | None:
    """The enrolment of a unit that lives."""
    row = conn.execute(select(agents).where(agents.c.unit == unit, agents.c.ended_at.is_(None))).first()
    return _enrolment(row) if row else None


def had_one(conn: Connection, unit: str, agent: str) -> bool:
    """Whether the unit was ever enrolled with this agent, whatever became of that."""
    return conn.scalar(select(agents.c.number).where(agents.c.unit == unit, agents.c.agent == agent)) is not None


def _enrolment(row: Row[Any]) -> Enrolment:
    return Enrolment(row.unit, row.number, row.agent, row.profile, row.digest, row.server, row.at)
