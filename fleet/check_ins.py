"""What runs say, kept in the registry: of one device at the bench, or of the thousands that come in at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select

from fleet import runs, sim_reading, unit_states
from fleet.bulk import batches, put_rows
from fleet.ledger import Happening, Ledger
from fleet.models import bench_places, health, health_now, units
from provision.model import Health, Identity, Report

if TYPE_CHECKING:
    from profiles.schema import DataPlan

_AT_ONCE = 2000


class CheckIn(NamedTuple):
    """``plan`` is what the profile says of the data plan of the SIM in the device; ``identity`` says whose run it was
    when the report has no facts."""

    report: Report
    identity: Identity | None = None
    plan: DataPlan | None = None

    @property
    def who(self) -> Identity | None:
        """``None``: it concerns no unit that anybody could name."""
        return self.report.facts.identity if self.report.facts else self.identity


def record(conn: Connection, ledger: Ledger, said: Iterable[CheckIn]) -> int:
    """Keep what runs say, in their order: the events, what follows from them, and the health readings.

    They are taken as they come, some thousands at once. Returns how many of them concerned a unit.
    """
    many = 0
    for some in _of_different_units(said):
        ledger.append_many(conn, _happened(conn, ledger, some))
        told = [(key, one.report.ended, one.report.facts) for key, one in some.items() if one.report.facts]
        sim_reading.take_over(conn, ledger, [key for key, _, _ in told])
        measure(conn, ledger, [(key, at, facts.health) for key, at, facts in told])
        many += len(some)
    return many


def newcomers(conn: Connection, ledger: Ledger, seen: Mapping[str, Identity]) -> list[Happening]:
    """That those of some devices that no unit is known of were seen here, by their keys."""
    known: set[str] = set()
    for some in batches(seen, _AT_ONCE):
        known.update(conn.scalars(select(units.c.key).where(units.c.key.in_(some))))
    if len(known) == len(seen):
        return []
    here = conn.scalar(select(bench_places.c.place).where(bench_places.c.bench == ledger.bench.id)) or ""
    new = ((key, identity) for key, identity in seen.items() if key not in known)
    return [("unit.added", key, {**runs.added(identity), "place": here}) for key, identity in new]


def measure(conn: Connection, ledger: Ledger, found: Iterable[tuple[str, str, Health]]) -> None:
    """Keep readings of units at moments, in their order; the last of a unit is what is now.

    They are many, and no part of the chain. Of two of one moment the last is kept.
    """
    told = ((key, at, runs.reading(reading)) for key, at, reading in found)
    rows = [{"unit": key, "at": at, "bench": ledger.bench.id, **values} for key, at, values in told if values]
    put_rows(conn, health, rows)
    put_rows(conn, health_now, rows)
    unit_states.of_readings(conn, [str(row["unit"]) for row in rows])


def _of_different_units(said: Iterable[CheckIn]) -> Iterator[dict[str, CheckIn]]:
    """Some thousands at once, by the keys of their units: what a second one says of a unit counts after the first."""
    some: dict[str, CheckIn] = {}
    for one in said:
        if who := one.who:
            key = runs.key_of(who.platform, who.serial)
            if key in some or len(some) == _AT_ONCE:
                yield some
                some = {}
            some[key] = one
    if some:
        yield some


def _happened(conn: Connection, ledger: Ledger, some: Mapping[str, CheckIn]) -> Iterator[Happening]:
    who: Sequence[tuple[str, Identity]] = [(key, one.who) for key, one in some.items() if one.who]
    yield from newcomers(conn, ledger, dict(who))
    for key, identity in who:
        yield "unit.run", key, runs.body_of(some[key].report, identity, some[key].plan)
