"""How fast reports of units that were seen again are recorded, against the engine's own rate for the same rows.

What is compared ends in the same rows: the events, the last run of each unit with its items, its row, and the health
readings. Both are written in one transaction, and taken back afterwards, so that the registry stays as it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from bench.million import reports
from bench.million.registry import BENCH, Made, opened, write_readings
from fleet.bulk import batches
from fleet.db import snapshot
from fleet.ledger import Ledger
from fleet.models import chains, events, health, health_now, items, runs, seals, sim_slots, units

_OF_UNITS = (units, runs, items, seals, sim_slots, health_now)
_AT_ONCE = 5000
Rows = Mapping[Table, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True)
class Rates:
    """Check-ins per second."""

    ours: float
    engine: float


def rates(wanted: Made, number: int) -> Rates:
    """Of so many units that were seen before: what ``fleet`` does of itself, then the bare inserts of its rows."""
    at = wanted.world.moment(300 * (wanted.world.years + 1) + 1)
    chosen = [unit * 3 for unit in range(number)]
    said = [reports.report(wanted.world, unit, unit, at) for unit in chosen]
    happened = [reports.happening(wanted.world, unit, one) for unit, one in zip(chosen, said, strict=True)]
    readings = [reports.reading(wanted.world, unit, one, BENCH) for unit, one in zip(chosen, said, strict=True)]
    with opened(wanted, at) as registry:
        ledger: Ledger = registry.ledger
        with registry.engine.execution_options(writing=True).connect() as conn, conn.begin() as mine:
            start = time.perf_counter()
            ledger.append_many(conn, happened)
            write_readings(conn, readings)
            ours = time.perf_counter() - start
            rows = _written(conn, [wanted.world.key_of(unit) for unit in chosen], at)
            mine.rollback()
        with registry.engine.execution_options(writing=True).connect() as conn, conn.begin() as mine:
            start = time.perf_counter()
            _insert(conn, rows)
            engine = time.perf_counter() - start
            mine.rollback()
        with snapshot(registry.engine) as conn:
            assert conn.scalar(select(chains.c.seq).where(chains.c.bench == BENCH)) is not None
    return Rates(number / ours, number / engine)


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


def _insert(conn: Connection, rows: Rows) -> None:
    """As quickly as the engine takes them: one prepared statement per table, and no look at what is there."""
    conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for table, values in rows.items():
        marks = ", ".join("?" * len(table.columns))
        if values:
            conn.exec_driver_sql(f"INSERT OR REPLACE INTO {table.name} VALUES ({marks})", list(values))
