"""The ledger: what happened, one hash-chained list of events per bench; the only writer of it and of what follows.

An event and the projections that it changes are written in one transaction, so neither is ever there without the
other, and one writer at a time (fleet.db), so that a chain never forks.

Events are stamped by the bench's clock, but never earlier than what the registry knows already: of two events, the one
that was written in the knowledge of the other is the later one, on whichever bench and however wrong its clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from fleet.bulk import batches, insert_values, streamed
from fleet.errors import RegistryError
from fleet.home import Bench
from fleet.models import benches, chains, events
from fleet.projections import project
from fleet.projections_students import Told
from fleet.values import Event, Json, storable, written

Clock = Callable[[], str]
Happening = tuple[str, str, dict[str, Json]]
"""Kind, subject and body of an event that is to be written."""

_BATCH = 5000
COLUMNS = ("bench", "seq", "at", "actor", "kind", "subject", "body", "prev", "hash")


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
        end, at = self._continue(conn)
        event, end = self._write(conn, end, at, [(kind, subject, body)])
        _note(conn, end, at)
        return event

    def append_many(self, conn: Connection, happened: Iterable[Happening]) -> int:
        """The same for many that happened at one moment, in their order; how many they were.

        They are taken as they come, some thousands at once, so memory does not grow with their number. Nothing else
        may be appended before the last was taken.
        """
        end, at = self._continue(conn)
        first = end.seq
        for batch in batches(happened, _BATCH):
            _, end = self._write(conn, end, at, batch)
        _note(conn, end, at)
        return end.seq - first

    def _continue(self, conn: Connection) -> tuple[End, str]:
        """Where the chain ends, begun if need be, and the moment of what comes next."""
        mine = conn.execute(select(chains).where(chains.c.bench == self.bench.id)).one_or_none()
        others = conn.scalar(select(func.max(chains.c.at)).where(chains.c.bench != self.bench.id)) or ""
        at = max(self.clock(), (mine and mine.at) or "")
        if others >= at:
            at = _next(others)
        if mine:
            _check_end(conn, mine)
            return End(mine.bench, mine.seq, mine.hash), at
        conn.execute(insert(chains).values(bench=self.bench.id, seq=0, hash=""))
        opened: Happening = ("bench.opened", self.bench.id, {"v": 1, "name": storable(self.bench.name)})
        return self._write(conn, End(self.bench.id, 0, ""), at, [opened])[1], at

    def _write(self, conn: Connection, end: End, at: str, happened: Sequence[Happening]) -> tuple[Event, End]:
        """The last of the events, and where the chain ends now."""
        actor = storable(self.actor)
        bench, seq, prev = end.bench, end.seq, end.hash
        told: list[Told] = []
        rows = []
        for kind, subject, body in happened:
            assert "v" in body
            seq += 1
            text, read = written(body)
            event = Event(bench, seq, at, actor, kind, subject, text, prev)
            prev = event.digest()
            told.append((event, read))
            rows.append((*event, prev))
        insert_values(conn, events, COLUMNS, rows)
        project(conn, told)
        return told[-1][0], End(bench, seq, prev)


def _check_end(conn: Connection, end: Row[Any]) -> None:
    """Nothing is added to a chain whose last event is not the one that was noted: what is cut off would be lost for
    good. RegistryError."""
    last = select(events.c.hash).where(events.c.bench == end.bench, events.c.seq == end.seq)
    if end.seq and conn.scalar(last) != end.hash:
        raise RegistryError(
            f"The ledger of this bench does not end with event {end.seq}, as it did: nothing was added to it.",
            "fleet ledger verify tells more; fleet database restore puts a backup in its place.",
        )


def _note(conn: Connection, end: End, at: str) -> None:
    conn.execute(update(chains).where(chains.c.bench == end.bench).values(seq=end.seq, hash=end.hash, at=at))


def _next(at: str) -> str:
    """A millisecond later."""
    moment = datetime.fromisoformat(at) + timedelta(milliseconds=1)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
    ends = chain_ends(conn)
    found = sorted(ends.keys() | set(conn.scalars(select(events.c.bench).distinct())))
    for bench in found:
        if broken := _verify_chain(conn, bench, ends.get(bench)):
            return broken
    return Verified(sum(end.seq for end in ends.values()), tuple(ends[bench] for bench in found))


def chain_ends(conn: Connection, bench: str = "") -> dict[str, End]:
    """Where every chain ends, by bench; or the one of this bench alone, where it is there."""
    query = select(chains).where(chains.c.bench == bench) if bench else select(chains)
    return {row.bench: End(row.bench, row.seq, row.hash) for row in conn.execute(query)}


def bench_names(conn: Connection) -> dict[str, str]:
    """What people call the benches, by id."""
    return {row.bench: row.name for row in conn.execute(select(benches.c.bench, benches.c.name))}


def _verify_chain(conn: Connection, bench: str, end: End | None) -> Broken | None:
    last, prev = 0, ""
    for row in chain(conn, bench):
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


def chain(conn: Connection, bench: str, after: int = 0) -> Iterator[Row[Any]]:
    """The rows of one chain in its order, from the event after ``after`` on."""
    query = select(events).where(events.c.bench == bench, events.c.seq > after).order_by(events.c.seq)
    yield from streamed(conn, query)


def event_of(row: Row[Any]) -> Event:
    """A row of ``events`` without its hash."""
    values: tuple[Any, ...] = tuple(row)
    return Event(*values[:-1])


def _digest(row: Row[Any]) -> str:
    """The hash that the row should have; "" when it holds what no event holds."""
    try:
        return event_of(row).digest()
    except (TypeError, ValueError):
        return ""
