"""Writing a ledger to a file (fleet.ledger_file): all of it, or what happened since a day."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, false, func, or_, select, true

from fleet.bulk import streamed
from fleet.errors import FileError, RegistryError
from fleet.ledger import bench_names, chain, chain_ends, event_of
from fleet.ledger_file import VERSION, Chain, Header, packed
from fleet.models import events, health, vault
from fleet.values import canonical, digest
from provision.text import printable


@dataclass(frozen=True)
class After:
    """One chain alone, from the event after ``seq`` on."""

    bench: str
    seq: int


def export(
    conn: Connection, path: Path, at: str, *, since: str = "", names: bool = False, only: After | None = None
) -> Header:
    """Write the ledger and the health readings to ``path``, which must not be there yet; what is in it now.

    ``since``: an ISO time; then each chain begins with its first event from then on, and merges only where what came
    before is known. ``only`` says the same of one chain, without the readings of other benches. ``names``: the rows of
    the vault, too, encrypted as they are. The file is complete or not there.
    """
    chains = tuple(_chain_after(conn, only) if only else _chains(conn, since))
    measured = _measured(conn, only) if only else health.c.at >= since if since else true()
    people = _people(chains, since) if names else false()
    counts = (_count(conn, health, measured), _count(conn, vault, people))
    header = Header(at, chains, sum(chain.seq - chain.first + 1 for chain in chains), *counts)
    _write(path, _lines(conn, header, measured, people))
    return header


def _chains(conn: Connection, since: str) -> Iterator[Chain]:
    names = bench_names(conn)
    for bench, end in sorted(chain_ends(conn).items()):
        mine = events.c.bench == bench
        first = 1
        if since:
            found = conn.scalar(select(func.min(events.c.seq)).where(mine, events.c.at >= since))
            first = found or end.seq + 1
        if first <= end.seq:
            prev = conn.scalar(select(events.c.hash).where(mine, events.c.seq == first - 1)) or ""
            yield Chain(bench, names.get(bench, ""), first, prev, end.seq, end.hash)


def _chain_after(conn: Connection, only: After) -> Iterator[Chain]:
    end = chain_ends(conn, only.bench).get(only.bench)
    if end and end.seq > only.seq:
        name = bench_names(conn).get(only.bench, "")
        yield Chain(only.bench, name, only.seq + 1, _of(conn, only, events.c.hash), end.seq, end.hash)


def _measured(conn: Connection, only: After) -> ColumnElement[bool]:
    """Readings are in no chain: those since the event that is known, which may be known, too."""
    return (health.c.bench == only.bench) & (health.c.at >= _of(conn, only, events.c.at))


def _of(conn: Connection, only: After, column: Column[str]) -> str:
    return conn.scalar(select(column).where(events.c.bench == only.bench, events.c.seq == only.seq)) or ""


def _people(chains: Iterable[Chain], since: str) -> ColumnElement[bool]:
    """With ``since`` those of whom the events tell."""
    if not since:
        return true()
    told = [(events.c.bench == chain.bench) & (events.c.seq >= chain.first) for chain in chains]
    return vault.c.student.in_(select(events.c.subject).where(or_(false(), *told)))


def _count(conn: Connection, table: Table, wanted: ColumnElement[bool]) -> int:
    return conn.scalar(select(func.count()).select_from(table).where(wanted)) or 0


def _lines(
    conn: Connection, header: Header, measured: ColumnElement[bool], people: ColumnElement[bool]
) -> Iterator[str]:
    numbers = {"events": header.events, "health": header.health, "names": header.names}
    told: dict[str, Any] = {"at": header.at, "chains": [vars(one) for one in header.chains], **numbers}
    yield canonical({"schoolbag": "ledger", "v": VERSION, **told})
    for one in header.chains:
        yield from _events(conn, one)
    for table, word, wanted in ((health, "health", measured), (vault, "name", people)):
        query = select(table).where(wanted).order_by(*table.primary_key)
        for row in streamed(conn, query):
            yield _json({word: packed(row._asdict())})


def _events(conn: Connection, told: Chain) -> Iterator[str]:
    """RegistryError where the chain does not hold: what is broken is not handed on."""
    seq, prev = told.first, told.prev
    for row in chain(conn, told.bench, told.first - 1):
        line = event_of(row).line()
        if (row.seq, row.prev, row.hash) != (seq, prev, digest(line)):
            break
        yield line
        seq, prev = row.seq + 1, row.hash
    if (seq - 1, prev) != (told.seq, told.hash):
        raise RegistryError(
            f"The ledger is broken at event {seq} of bench {told.shown}.",
            "Nothing was written. 'fleet ledger verify' tells more; compare this registry with a copy from before.",
        )


def _json(value: dict[str, Any]) -> str:
    """Readings have floats, which no event has."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _write(path: Path, lines: Iterable[str]) -> None:
    """Beside it first, then renamed. It holds IMEIs, so it is for its owner only."""
    if path.exists():
        raise FileError(f"{printable(str(path))} is there already.", "Name another file, or take that one away.")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    whole = hashlib.sha256()
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 2**20) as file:
            for line in lines:
                raw = line.encode() + b"\n"
                whole.update(raw)
                file.write(raw)
            file.write(canonical({"sha256": whole.hexdigest()}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise FileError(
            f"{printable(str(path))} cannot be written: {error.strerror}.", "Free some space, or name another place."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
