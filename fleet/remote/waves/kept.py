"""Pushes as the registry keeps them, to sites and to agents alike: what was said, and how far they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select

from fleet.ledger import Ledger
from fleet.models import pushes
from fleet.remote.errors import PushError
from fleet.remote.waves.rules import Rules, rules_of
from provision.text import printable


class State(StrEnum):
    """Of a push. Only a running one is worked on; a paused one can be resumed."""

    RUNNING = "running"
    PAUSED = "paused"
    ABORTED = "aborted"
    EXPIRED = "expired"
    DONE = "done"


class Via(StrEnum):
    """By which way devices are brought to a release: a site's bench, or the agent on each of them."""

    SITE = "site"
    AGENT = "agent"


@dataclass(frozen=True)
class Push:
    """``why``: who or what paused or ended it; ``changed`` when, and ``clock`` what the clock said then: the time of
    the ledger may be ahead of it. ``wave``: the last that is open, of one by agent."""

    name: str
    number: int
    release: int
    via: Via
    state: State
    wave: int
    rules: Rules
    why: str
    at: str
    actor: str
    changed: str
    clock: str


def active(conn: Connection, via: Via) -> list[Push]:
    """Those of this way that are running or paused, oldest first."""
    mine = pushes.c.state.in_((State.RUNNING.value, State.PAUSED.value)) & (pushes.c.via == via.value)
    return [_push(row) for row in conn.execute(select(pushes).where(mine).order_by(pushes.c.number))]


def every(conn: Connection, via: Via | None = None) -> Iterator[Push]:
    """All of them, or those of one way, newest first."""
    query = select(pushes) if via is None else select(pushes).where(pushes.c.via == via.value)
    yield from map(_push, conn.execute(query.order_by(pushes.c.number.desc())))


def one_of(conn: Connection, name: str) -> Push:
    """The push of this name; "" is the newest. PushError when there is none."""
    query = select(pushes).where(pushes.c.push == name) if name else select(pushes).order_by(pushes.c.number.desc())
    row = conn.execute(query.limit(1)).first()
    if row is None:
        raise PushError(f"There is no {printable(name) or 'push yet'}.", "fleet push list shows those that there are.")
    return _push(row)


def next_number(conn: Connection) -> int:
    """Of the push that begins next."""
    return (conn.scalar(select(func.max(pushes.c.number))) or 0) + 1


def change(conn: Connection, ledger: Ledger, push: Push, state: State, why: str, *, wave: int = 0) -> None:
    """Another state from now on, or another open ``wave``. The same again makes no event."""
    before = one_of(conn, push.name)
    if (before.state, before.wave) != (state, wave or before.wave):
        body: dict[str, Any] = {"v": 1, "state": state.value, "why": why, "clock": ledger.clock()}
        ledger.append(conn, "push.set", push.name, body | ({"wave": wave} if wave else {}))


def told(push: Push) -> dict[str, Any]:
    """As JSON has it (docs/json.md)."""
    fields = asdict(push)
    return {"push": fields.pop("name"), "begun": fields.pop("at"), **fields, "rules": push.rules.told()}


def _push(row: Row[Any]) -> Push:
    return Push(
        name=row.push,
        number=row.number,
        release=row.release,
        via=Via(row.via),
        state=State(row.state),
        wave=row.wave,
        rules=rules_of(json.loads(row.rules)),
        why=row.why,
        at=row.at,
        actor=row.actor,
        changed=row.changed,
        clock=row.clock or row.changed,
    )
