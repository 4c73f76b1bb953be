"""The ledger: what happened, one hash-chained list of events per bench; the only writer of it and of what follows.

An event and the projections that it changes are written in one transaction, so neither is ever there without the
other. Two writers of one chain wait for each other: SQLite by ``BEGIN IMMEDIATE`` (fleet.db), a server by the lock on
the chain's row.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from fleet.home import Bench
from fleet.models import chains, events
from fleet.projections import project
from fleet.values import Event, Json, canonical, storable

Clock = Callable[[], str]
_BATCH = 1000


@dataclass(frozen=True)
class End:
    """The last event of a chain. Its hash stands for the whole chain: who notes it can tell any later change."""

    bench: str
    seq: int
    hash: str


@dataclass(frozen=True)
class Ledger:
    """The chain of one bench, open for appending."""

    bench: Bench
    actor: str
    clock: Clock

    def append(self, conn: Connection, kind: str, subject: str, body: dict[str, Json]) -> Event:
        """Write that it happened, and what follows from it, in the transaction of ``conn``.

        ``body`` carries ``v``, the version of its shape for this kind.
        """
        query = select(chains).where(chains.c.bench == self.bench.id).with_for_update()
        found = conn.execute(query).one_or_none()
        end = End(found.bench, found.seq, found.hash) if found else self._begin(conn)
        return self._write(conn, end, kind, subject, body)

    def _begin(self, conn: Connection) -> End:
        conn.execute(insert(chains).values(bench=self.bench.id, seq=0, hash=""))
        start = End(self.bench.id, 0, "")
        opened = self._write(conn, start, "bench.opened", self.bench.id, {"v": 1, "name": storable(self.bench.name)})
        return End(opened.bench, opened.seq, opened.digest())

    def _write(self, conn: Connection, end: End, kind: str, subject: str, body: dict[str, Json]) -> Event:
        assert "v" in body
        actor = storable(self.actor)
        event = Event(end.bench, end.seq + 1, self.clock(), actor, kind, subject, canonical(body), end.hash)
        digest = event.digest()
        conn.execute(insert(events).values(**vars(event), hash=digest))
        conn.execute(update(chains).where(chains.c.bench == end.bench).values(seq=event.seq, hash=digest))
        project(conn, [event])
        return event


@dataclass(frozen=True)
class Verified:
    """Every chain is whole."""

    events: int
    ends: tuple[End, ...]


@dataclass(frozen=True)
class Broken:
    """The first place of a chain that does not hold: event ``seq`` of ``bench``."""

    bench: str
    seq: int
    why: str


def verify(conn: Connection) -> Verified | Broken:
    """Walk every chain from its first event to its end. Memory does not grow with the ledger."""
    ends = {row.bench: End(row.bench, row.seq, row.hash) for row in conn.execute(select(chains))}
    benches = sorted(ends.keys() | set(conn.scalars(select(events.c.bench).distinct())))
    for bench in benches:
        if broken := _verify_chain(conn, bench, ends.get(bench)):
            return broken
    return Verified(sum(end.seq for end in ends.values()), tuple(ends[bench] for bench in benches))


def _verify_chain(conn: Connection, bench: str, end: End | None) -> Broken | None:
    last, prev = 0, ""
    for row in _rows(conn, bench):
        if row.seq != last + 1:
            return Broken(bench, last + 1, "is missing")
        if row.prev != prev:
            return Broken(bench, row.seq, f"does not follow event {last}")
        if _digest(row) != row.hash:
            return Broken(bench, row.seq, "was changed after it was written")
        last, prev = row.seq, row.hash
    if end is None:
        return Broken(bench, last, "belongs to a chain that this registry never began")
    if last < end.seq:
        return Broken(bench, last + 1, f"is missing, and all after it; the chain ended at {end.seq}")
    if (last, prev) != (end.seq, end.hash):
        return Broken(bench, last, f"is not the end that was noted; the chain ended at {end.seq}")
    return None


def replay(source: Connection, target: Connection) -> int:
    """Rebuild all projections in ``target``, whose tables are there and empty, from the ledger of ``source``.

    Each chain is taken in its own order, several by the time of their next event, so that the same events give the
    same tables wherever they are replayed. Returns how many events there were.
    """
    benches = sorted(source.scalars(select(events.c.bench).distinct()))
    streams = [(_event(row) for row in _rows(source, bench)) for bench in benches]
    count = 0
    for event in heapq.merge(*streams, key=lambda event: (event.at, event.bench)):
        project(target, [event])
        count += 1
    return count


def _rows(conn: Connection, bench: str) -> Iterator[Row[tuple[object, ...]]]:
    query = select(events).where(events.c.bench == bench).order_by(events.c.seq)
    yield from conn.execute(query, execution_options={"yield_per": _BATCH})


def _digest(row: Row[tuple[object, ...]]) -> str:
    """The hash that the row should have; "" when it holds what no event holds."""
    try:
        return _event(row).digest()
    except (TypeError, ValueError):
        return ""


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event(row.bench, row.seq, row.at, row.actor, row.kind, row.subject, row.body, row.prev)
