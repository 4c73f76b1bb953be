"""How fast reports of units that were seen again are recorded, against the engine's own rate for the same rows.

Both end in the same rows: the events, the last run of each unit with its items, its row, and the health readings. Ours
are recorded; for the engine the rows that are to be written over are taken away beforehand, so that its time is that of
plain inserts. Both are one transaction, which is given up afterwards, so that the registry stays as it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, select

from bench.million import reports
from bench.million.registry import BENCH, Made, opened
from bench.million.world import DAYS
from fleet import check_ins
from fleet.bulk import batches, insert_values
from fleet.models import events, health, health_now, items, runs, seals, sim_slots, units

_OF_UNITS = (units, runs, items, seals, sim_slots, health_now)
_AT_ONCE = 5000
Rows = Mapping[Table, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True)
class Rates:
    """Check-ins per second."""

    ours: float
    engine: float


def rates(wanted: Made, number: int, *, processor: bool = False) -> Rates:
    """Of so many units that were seen before. ``processor``: by its time instead of the clock's."""
    world = wanted.world
    clock = time.process_time if processor else time.perf_counter
    at = world.moment(DAYS * (world.years + 1) + 1)
    chosen = [unit * 3 for unit in range(number)]
    seen = [reports.check_in(world, unit, unit, at) for unit in chosen]
    keys = [world.key_of(unit) for unit in chosen]
    with opened(wanted, at) as registry:
        with _given_up(registry.engine) as conn:
            start = clock()
            check_ins.record(conn, registry.ledger, seen)
            ours = clock() - start
            rows = _written(conn, keys, at)
        with _given_up(registry.engine) as conn:
            _take_away(conn, rows)
            start = clock()
            for table, values in rows.items():
                insert_values(conn, table, table.columns.keys(), values)
            engine = clock() - start
    return Rates(number / ours, number / engine)


_UNCHECKED = {"sqlite": "PRAGMA defer_foreign_keys = ON", "postgresql": "SET LOCAL session_replication_role = replica"}
"""So that rows can be taken away for a moment to which others refer; on a server only its superuser may."""


@contextmanager
def _given_up(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(writing=True).connect() as conn, conn.begin() as mine:
        conn.exec_driver_sql(_UNCHECKED[conn.dialect.name])
        yield conn
        mine.rollback()


def _written(conn: Connection, keys: Sequence[str], at: str) -> Rows:
    """All rows that the check-ins left."""
    found: dict[Table, list[tuple[Any, ...]]] = {}
    first = select(events).where(events.c.bench == BENCH, events.c.at >= at)
    found[events] = [tuple(row) for row in conn.execute(first)]
    for some in batches(keys, _AT_ONCE):
        for table in _OF_UNITS:
            owner = table.c.key if table is units else table.c.unit
            found.setdefault(table, []).extend(tuple(row) for row in conn.execute(select(table).where(owner.in_(some))))
        latest = select(health).where(health.c.unit.in_(some), health.c.at >= at)
        found.setdefault(health, []).extend(tuple(row) for row in conn.execute(latest))
    return found


def _take_away(conn: Connection, rows: Rows) -> None:
    """What stands where the rows are to be inserted."""
    for table, values in rows.items():
        owner = next(iter(table.primary_key))
        at = table.columns.keys().index(owner.name)
        if table not in (events, health):
            for some in batches({row[at] for row in values}, _AT_ONCE):
                conn.execute(delete(table).where(owner.in_(some)))
