"""Pushes as the registry keeps them. A push is recorded; how the work stands is in :mod:`.work`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select

from fleet.ledger import Ledger
from fleet.models import push_sites, pushes
from fleet.remote.errors import PushError
from fleet.remote.pushes import work
from fleet.remote.pushes.rules import Rules, rules_of
from provision.text import printable


class State(StrEnum):
    """Of a push. Only a running one is worked on; a paused one can be resumed."""

    RUNNING = "running"
    PAUSED = "paused"
    ABORTED = "aborted"
    EXPIRED = "expired"
    DONE = "done"


@dataclass(frozen=True)
class Push:
    """``why``: who or what paused or ended it."""

    name: str
    number: int
    release: int
    state: State
    rules: Rules
    why: str
    at: str
    actor: str


def begin(conn: Connection, ledger: Ledger, release: int, rules: Rules, waves: Mapping[str, int], now: str) -> Push:
    """Record a push; each of its sites should have the release from now on. The same again goes on with the one there.

    A push that is not over, but has nothing left that this one has not, is replaced. PushError when it has.
    """
    for one in active(conn):
        if (one.release, one.rules, sites_of(conn, one.name)) == (release, rules, dict(waves)):
            work.again(conn, one.name, now)
            change(conn, ledger, one, State.RUNNING, "")
            return one_of(conn, one.name)
        left = set(work.unfinished(conn, one.name))
        if left & waves.keys() and left - waves.keys():
            other = min(left - waves.keys())
            raise PushError(
                f"{one.name}, of release {one.release}, is not over: {other} is still to come, and is not in this one.",
                f"Wait, name that site too, or end it: fleet push abort {one.name}",
            )
    number = (conn.scalar(select(func.max(pushes.c.number))) or 0) + 1
    name = f"push-{number}"
    for one in active(conn):
        if set(work.unfinished(conn, one.name)) <= waves.keys():
            change(conn, ledger, one, State.ABORTED, f"replaced by {name}")
    body: dict[str, Any] = {"v": 1, "state": State.RUNNING.value, "why": "", "number": number, "release": release}
    ledger.append(conn, "push.set", name, {**body, "rules": rules.told(), "sites": dict(waves)})
    ledger.append_many(conn, (("site.wanted", site, {"v": 1, "release": release}) for site in waves))
    work.lay_out(conn, name, waves, now)
    return one_of(conn, name)


def active(conn: Connection) -> list[Push]:
    """Those that are running or paused, oldest first."""
    mine = pushes.c.state.in_((State.RUNNING.value, State.PAUSED.value))
    return [_push(row) for row in conn.execute(select(pushes).where(mine).order_by(pushes.c.number))]


def every(conn: Connection) -> Iterator[Push]:
    """All of them, newest first."""
    yield from map(_push, conn.execute(select(pushes).order_by(pushes.c.number.desc())))


def one_of(conn: Connection, name: str) -> Push:
    """The push of this name; "" is the newest. PushError when there is none."""
    query = select(pushes).where(pushes.c.push == name) if name else select(pushes).order_by(pushes.c.number.desc())
    row = conn.execute(query.limit(1)).first()
    if row is None:
        raise PushError(f"There is no {printable(name) or 'push yet'}.", "fleet push list shows those that there are.")
    return _push(row)


def sites_of(conn: Connection, name: str) -> dict[str, int]:
    """The wave of each of its sites."""
    query = select(push_sites.c.site, push_sites.c.wave).where(push_sites.c.push == name)
    return {row.site: row.wave for row in conn.execute(query)}


def change(conn: Connection, ledger: Ledger, push: Push, state: State, why: str) -> None:
    """Another state from now on. The same again makes no event."""
    if one_of(conn, push.name).state is not state:
        ledger.append(conn, "push.set", push.name, {"v": 1, "state": state.value, "why": why})


def _push(row: Row[Any]) -> Push:
    return Push(
        name=row.push,
        number=row.number,
        release=row.release,
        state=State(row.state),
        rules=rules_of(json.loads(row.rules)),
        why=row.why,
        at=row.at,
        actor=row.actor,
    )
