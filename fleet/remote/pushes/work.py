"""How the work at each site stands: whose turn it is, what came of it. What happened is in the ledger, not here."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from fleet.bulk import batches
from fleet.models import contacts, push_sites, sites
from fleet.remote.waves.rules import stamp
from fleet.values import canonical

_AT_ONCE = 5000
_FIRST, _LONGEST = timedelta(seconds=10), timedelta(hours=1)
_SILENT = timedelta(minutes=2)
"""After so long without a word whoever was at it is taken for dead: alive it says something every few seconds."""


class State(StrEnum):
    """Of one site. ``WAITING`` is tried at its time, ``FAILED`` needs somebody, ``DONE`` has it and was read back."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    SENDING = "sending"
    BRINGING = "bringing"
    DONE = "done"
    FAILED = "failed"


BUSY = (State.CONNECTING, State.SENDING, State.BRINGING)


@dataclass(frozen=True)
class Work:
    """``sent`` and ``total`` are bytes of contents, ``rate`` bytes per second. ``verdicts``: how many devices of each
    verdict the last bringing had; ``next_at``: not before then."""

    site: str
    wave: int
    state: State
    attempts: int
    at: str
    next_at: str
    sent: int
    total: int
    rate: int | None
    verdicts: Mapping[str, int]
    brought: str | None
    mark: str | None
    zone: int | None
    error: str
    next_action: str


@dataclass
class Wave:
    """How many sites of a wave are in which state. ``off``: waiting, and without an answer three times by now;
    ``bad``: done, but devices there failed."""

    number: int
    total: int = 0
    off: int = 0
    bad: int = 0
    states: dict[State, int] = field(default_factory=dict)

    def of(self, *states: State) -> int:
        """Sites in one of these states."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def failed(self) -> int:
        """Sites that need somebody, or whose devices do."""
        return self.of(State.FAILED) + self.bad


_OFF = 3


def lay_out(conn: Connection, push: str, waves: Iterable[str], now: str) -> None:
    """Every site of a push waits for its turn. What was measured of it stays."""
    names = list(waves)
    fresh: dict[str, Any] = {
        "push": push,
        "state": State.WAITING.value,
        "attempts": 0,
        "at": now,
        "next_at": now,
        "sent": 0,
        "total": 0,
        "verdicts": canonical({}),
        "error": "",
        "next_action": "",
    }
    for some in batches(names, _AT_ONCE):
        known = set(conn.scalars(select(contacts.c.site).where(contacts.c.site.in_(some))))
        if known:
            conn.execute(update(contacts).where(contacts.c.site.in_(known)).values(**fresh))
        if new := [{"site": site, **fresh} for site in some if site not in known]:
            conn.execute(insert(contacts), new)


def lay_out_lost(conn: Connection, push: str, now: str) -> None:
    """Sites of which it is not known how they stand, as after a restored backup, wait for their turn again."""
    query = select(push_sites.c.site).where(
        push_sites.c.push == push, push_sites.c.site.not_in(select(contacts.c.site))
    )
    lay_out(conn, push, conn.scalars(query), now)


def again(conn: Connection, push: str, now: str) -> None:
    """Whoever failed, or waits for its time, is tried at once."""
    mine = (contacts.c.push == push) & contacts.c.state.in_((State.FAILED.value, State.WAITING.value))
    conn.execute(
        update(contacts)
        .where(mine)
        .values(state=State.WAITING.value, attempts=0, next_at=now, error="", next_action="")
    )


def unfinished(conn: Connection, push: str) -> list[str]:
    """The sites that have not got it yet, and are sites still."""
    query = _of(push, contacts.c.site).where(contacts.c.state != State.DONE.value, sites.c.removed_at.is_(None))
    return list(conn.scalars(query))


def waves_of(conn: Connection, push: str) -> list[Wave]:
    """All waves, in their order, without the sites that are removed."""
    off = and_(contacts.c.state == State.WAITING.value, contacts.c.attempts >= _OFF, contacts.c.error != "")
    bad = and_(contacts.c.state == State.DONE.value, contacts.c.verdicts.contains('"failed"'))
    query = (
        _of(push, push_sites.c.wave, contacts.c.state, off.label("off"), bad.label("bad"), func.count().label("number"))
        .where(sites.c.removed_at.is_(None))
        .group_by(push_sites.c.wave, contacts.c.state, off, bad)
        .order_by(push_sites.c.wave)
    )
    found: dict[int, Wave] = {}
    for row in conn.execute(query):
        wave = found.setdefault(row.wave, Wave(row.wave))
        state = State(row.state)
        wave.total += row.number
        wave.states[state] = wave.of(state) + row.number
        wave.off += row.number if row.off else 0
        wave.bad += row.number if row.bad else 0
    return list(found.values())


def due(conn: Connection, push: str, wave: int, now: datetime, most: int) -> list[str]:
    """Whose turn it is, up to this wave: those that waited longest first. Who fell silent at work has a turn, too."""
    mine = _of(push, contacts.c.site).where(push_sites.c.wave <= wave, sites.c.removed_at.is_(None))
    dead = mine.where(contacts.c.state.in_([one.value for one in BUSY]), contacts.c.at <= stamp(now - _SILENT))
    # Two queries, each along the index: of many thousands only those are read that are taken.
    turn = mine.where(contacts.c.state == State.WAITING.value, contacts.c.next_at <= stamp(now))
    turn = turn.order_by(contacts.c.next_at, contacts.c.site)
    return [*conn.scalars(dead.order_by(contacts.c.site).limit(most)), *conn.scalars(turn.limit(most))][:most]


def all_of(conn: Connection, push: str, *, states: Sequence[State] = (), most: int | None = None) -> list[Work]:
    """The work of a push, by wave and site; of some states only, where they are named."""
    query = _of(push, contacts, push_sites.c.wave).where(sites.c.removed_at.is_(None))
    if states:
        query = query.where(contacts.c.state.in_([one.value for one in states]))
    return [_work(row) for row in conn.execute(query.order_by(push_sites.c.wave, contacts.c.site).limit(most))]


def one(conn: Connection, push: str, site: str) -> Work | None:
    """How it stands at this site; ``None`` when it is none of this push any more."""
    row = conn.execute(_of(push, contacts, push_sites.c.wave).where(contacts.c.site == site)).one_or_none()
    return _work(row) if row else None


def note(conn: Connection, push: str, site: str, **fields: Any) -> None:
    """How it stands from now on; of another push that took over meanwhile nothing is said."""
    if "verdicts" in fields:
        fields["verdicts"] = canonical(fields["verdicts"])
    conn.execute(update(contacts).where(contacts.c.site == site, contacts.c.push == push).values(**fields))


def free(conn: Connection, push: str, site: str, now: str) -> None:
    """Whoever was at work there is gone: it waits for its turn. Nothing changes where somebody has ended it."""
    mine = (contacts.c.site == site) & (contacts.c.push == push)
    busy = contacts.c.state.in_([one.value for one in BUSY])
    conn.execute(update(contacts).where(mine, busy).values(state=State.WAITING.value, next_at=now))


def back_off(attempts: int, now: datetime, dice: random.Random) -> datetime:
    """When to try again after so many tries in vain: later each time, and never all at one moment."""
    wait: timedelta = min(_FIRST * (1 << min(attempts - 1, 10)), _LONGEST)
    return now + wait * dice.uniform(0.5, 1.5)


def _of(push: str, *columns: Any) -> Select[Any]:
    mine = (push_sites.c.push == contacts.c.push) & (push_sites.c.site == contacts.c.site)
    return (
        select(*columns)
        .select_from(contacts.join(push_sites, mine).join(sites, sites.c.site == contacts.c.site))
        .where(contacts.c.push == push)
    )


def _work(row: Row[Any]) -> Work:
    told = {name: value for name, value in row._mapping.items() if name != "push"}
    return Work(**{**told, "state": State(row.state), "verdicts": json.loads(row.verdicts)})
