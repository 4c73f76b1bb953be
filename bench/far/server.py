"""A PostgreSQL server as people run it: what is written is on the disk. And what it did meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.postgres import Postgres, programs

_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "200",
}
_WRITERS = 0x5C_00_1B_A6
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What a database did, and how long its server computed (seconds). ``writing``: share of the moments looked at in
    which somebody wrote to the ledger; ``queued``: how many waited for that then, on average."""

    transactions: int
    rows_written: int
    rows_read: int
    bytes: int
    processor: float
    writing: float = 0.0
    queued: float = 0.0


@contextmanager
def server() -> Iterator[Postgres]:
    """One of this computer's own."""
    place = programs()
    if place is None:
        raise SystemExit("there is no PostgreSQL: sudo apt install postgresql")
    made = Postgres(place, _SETTINGS)
    try:
        yield made
    finally:
        made.remove()


class Watch:
    """Looks at a database once a second from :meth:`start` on."""

    def __init__(self, made: Postgres, database: str) -> None:
        self._made, self._database = made, database
        self._end = threading.Event()
        self._looks: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._before = self._now()

    def start(self) -> None:
        self._before = self._now()
        self._thread.start()

    def stop(self) -> Load:
        """What it did since then."""
        self._end.set()
        self._thread.join()
        now, before = self._now(), self._before
        looks = len(self._looks) or 1
        return Load(
            now.transactions - before.transactions,
            now.rows_written - before.rows_written,
            now.rows_read - before.rows_read,
            now.bytes,
            now.processor - before.processor,
            sum(held for held, _ in self._looks) / looks,
            sum(waiting for _, waiting in self._looks) / looks,
        )

    def _now(self) -> Load:
        query = (
            "SELECT xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted, tup_returned,"
            f" pg_database_size(datname) FROM pg_stat_database WHERE datname = '{self._database}'"
        )
        ((transactions, written, read, size),) = self._made.execute(query)
        return Load(transactions, written, read, size, processor(self._made.pid))

    def _look(self) -> None:
        query = (
            "SELECT count(*) FILTER (WHERE granted), count(*) FILTER (WHERE NOT granted) FROM pg_locks"
            f" WHERE locktype = 'advisory' AND classid = 0 AND objid = {_WRITERS}"
        )
        with psycopg.connect(self._made.url("postgres"), autocommit=True) as conn:
            while not self._end.wait(1):
                held, waiting = conn.execute(query.encode()).fetchone() or (0, 0)
                self._looks.append((held, waiting))


def processor(pid: int) -> float:
    """Seconds that a program and its children computed, those that have ended included."""
    total = 0.0
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        one = int(entry.parent.name)
        children.setdefault(int(words[1]), []).append(one)
        used[one] = sum(map(int, words[11:13])) / _TICKS
        if one == pid:
            total += sum(map(int, words[13:15])) / _TICKS
    wanted = [pid]
    while wanted:
        one = wanted.pop()
        total += used.get(one, 0.0)
        wanted += children.get(one, [])
    return total
