"""Taking over what other benches recorded: every hash is checked, only what is missing is taken, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Column, ColumnElement, Connection, and_, func, insert, or_, select, update

from fleet import ledger_differ, ledger_vaults, lookalikes
from fleet.bulk import heavy_batches, insert_values
from fleet.db_errors import unfit
from fleet.ledger import COLUMNS, End, chain_ends
from fleet.ledger_file import Chain, Source, opened
from fleet.ledger_merge_rows import take_health, take_names
from fleet.ledger_replay import project_again
from fleet.ledger_vaults import ANY, Keys
from fleet.models import chains, events, sims, units
from fleet.projections import Unprojectable
from provision.text import printable

_AT_ONCE, _MOST_BYTES = 5000, 16 * 2**20
_AHEAD = timedelta(days=1)
"""So much may a clock be ahead of ours: what is stamped later would drag along the time of all that comes after it."""

_SHOWN = 10


@dataclass(frozen=True)
class Merged:
    """What was new, and what was there already. In sentences: ``twice``, names that benches gave twice; ``keys``,
    who names students with which key of the vault, where there are several; ``alike``, units that may be one device;
    ``differ``, what benches said differently."""

    events: int = 0
    known: int = 0
    health: int = 0
    names: int = 0
    benches: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """What may be in a file: chains and readings of every bench, or of one alone (``bench``), and which kinds not."""

    bench: str = ""
    not_theirs: frozenset[str] = frozenset()

    def check(self, source: Source) -> None:
        """FileError for a chain that whoever sent the file may not send."""
        strange = next((chain for chain in source.header.chains if self.bench not in ("", chain.bench)), None)
        if strange or (self.bench and source.header.names):
            what = f"the chain of bench {strange.shown}" if strange else "names of students"
            source.refuse(
                f"{what} came from a place that has no business with it",
                "Nothing was taken over. Find out who uses that site.",
            )


EVERY = Trust()


@dataclass
class _Count:
    events: int = 0
    known: int = 0
    health: int = 0
    names: int = 0
    benches: dict[str, None] = field(default_factory=dict)


def merge(conn: Connection, paths: Sequence[Path], now: str, trust: Trust = EVERY, keys: Keys = ANY) -> Merged:
    """Take over what the files have and this registry has not, in the transaction of ``conn``.

    FileError for a file that is damaged, forked, begins after our end, or comes from a clock that is ahead; then the
    transaction has to be given up. Merging a file again does nothing.
    ``trust`` says whose events are taken.
    """
    before = chain_ends(conn)
    taken = take_over(conn, paths, now, trust, keys)
    twice = (*_twice(conn, units.c.tag, units.c.key, "tag"), *_twice(conn, sims.c.msisdn, sims.c.iccid, "number"))
    told = ledger_vaults.told(ledger_vaults.known(conn))
    alike = lookalikes.told(lookalikes.groups(conn)) if taken.events else ()
    differ = ledger_differ.told(conn, before, chain_ends(conn)) if before or len(paths) > 1 else ()
    return replace(taken, twice=twice, keys=told, alike=alike, differ=differ)


def take_over(conn: Connection, paths: Sequence[Path], now: str, trust: Trust = EVERY, keys: Keys = ANY) -> Merged:
    """The same, without looking for what people should know of: that reads all units, however little came."""
    count = _Count()
    for path in paths:
        with opened(path) as source:
            trust.check(source)
            _merge(conn, source, now, count, trust, keys)
    return Merged(count.events, count.known, count.health, count.names, tuple(count.benches))


def _merge(conn: Connection, source: Source, now: str, count: _Count, trust: Trust, keys: Keys) -> None:
    before = ledger_vaults.known(conn)
    latest = _plus(now, _AHEAD)
    ends = chain_ends(conn, trust.bench)
    empty = not ends and conn.scalar(select(chains.c.bench).limit(1)) is None
    for chain in source.header.chains:
        _take_chain(conn, source, chain, ends.get(chain.bench), latest, count, trust)
    new = [
        and_(events.c.bench == chain.bench, events.c.seq > (ends[chain.bench].seq if chain.bench in ends else 0))
        for chain in source.header.chains
    ]
    if new:
        _project(conn, source, or_(*new), empty=empty)
    after = ledger_vaults.known(conn)
    ledger_vaults.check(source, keys, before, after)
    seqs = {bench: end.seq for bench, end in ends.items()}
    count.health += take_health(conn, source, trust.bench)
    count.names += take_names(conn, source, seqs, take=keys.names(after))
    source.end()


def _project(conn: Connection, source: Source, new: ColumnElement[bool], *, empty: bool) -> None:
    try:
        project_again(conn, new, empty=empty)
    except Unprojectable as error:
        event = error.event
        chain = next((one.shown for one in source.header.chains if one.bench == event.bench), printable(event.bench))
        source.refuse(
            f"event {event.seq} of bench {chain}, {printable(event.kind)}, is not understood",
            "Nothing was taken over. Update fleet on this computer: the file may be of a newer one.",
        )
    except unfit():
        source.refuse("its events do not fit together", "Nothing was taken over. Get the file again from its bench.")


def _take_chain(
    conn: Connection, source: Source, chain: Chain, ours: End | None, latest: str, count: _Count, trust: Trust
) -> None:
    end = ours or End(chain.bench, 0, "")
    if chain.first > end.seq + 1:
        source.refuse(
            f"of bench {chain.shown} it begins with event {chain.first}, and this registry has the events up to "
            f"{end.seq}",
            "Nothing was taken over. Export again from there, with an earlier --since or without it.",
        )
    _same(source, chain, chain.first - 1, chain.prev, _hashes(conn, chain.bench, chain.first - 1, chain.first - 1))
    for batch in heavy_batches(source.events(chain), _AT_ONCE, lambda one: len(one[0].body), _MOST_BYTES):
        known = [one for one in batch if one[0].seq <= end.seq]
        if known:
            hashes = _hashes(conn, chain.bench, known[0][0].seq, known[-1][0].seq)
            for event, digest in known:
                _same(source, chain, event.seq, digest, hashes)
        new = batch[len(known) :]
        for event, _ in new:
            if event.kind in trust.not_theirs:
                source.refuse(
                    f"event {event.seq} of bench {chain.shown}, {printable(event.kind)}, is for the hub alone to write",
                    "Nothing was taken over. Find out who uses that site.",
                )
            if event.at > latest:
                source.refuse(
                    f"event {event.seq} of bench {chain.shown} is of {event.at}, which is still to come",
                    "Nothing was taken over. Set the clock of the one computer or of the other.",
                )
        insert_values(conn, events, COLUMNS, [(*event, digest) for event, digest in new])
        count.known += len(known)
        count.events += len(new)
    _note(conn, chain, ours)
    count.benches[chain.shown] = None


def _hashes(conn: Connection, bench: str, first: int, last: int) -> dict[int, str]:
    mine = (events.c.bench == bench) & events.c.seq.between(first, last)
    return {row.seq: row.hash for row in conn.execute(select(events.c.seq, events.c.hash).where(mine))}


def _same(source: Source, chain: Chain, seq: int, digest: str, ours: dict[int, str]) -> None:
    """That what both have of a chain is the same."""
    if seq and ours.get(seq) != digest:
        source.refuse(
            f"event {seq} of bench {chain.shown} is another one here: two computers wrote one chain, or one of them "
            "was changed",
            "Nothing was taken over. Where the home of that bench was copied, delete bench.json in the copy; what both "
            "wrote since cannot be joined.",
        )


def _note(conn: Connection, chain: Chain, ours: End | None) -> None:
    if ours is not None and chain.seq <= ours.seq:
        return
    at = conn.scalar(select(events.c.at).where(events.c.bench == chain.bench, events.c.seq == chain.seq))
    end = {"seq": chain.seq, "hash": chain.hash, "at": at}
    if ours is None:
        conn.execute(insert(chains).values(bench=chain.bench, **end))
    else:
        conn.execute(update(chains).where(chains.c.bench == chain.bench).values(**end))


def _twice(conn: Connection, name: Column[str], key: Column[str], word: str) -> Iterator[str]:
    """Names that benches which were offline gave twice: people have to choose."""
    often = select(name).where(name.is_not(None)).group_by(name).having(func.count() > 1).limit(_SHOWN)
    rows = conn.execute(select(name, key).where(name.in_(often)).order_by(name, key)).all()
    found: dict[str, list[str]] = {}
    for value, whose in rows:
        found.setdefault(value, []).append(printable(whose))
    for value, whose_all in found.items():
        yield f"The {word} {printable(value)} is that of {' and '.join(whose_all)}."


def _plus(at: str, time: timedelta) -> str:
    moment = datetime.fromisoformat(at) + time
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
