"""The generated registry, made once and kept.

    .venv/bin/python -m bench.million.registry --units 1000000 --at FOLDER [--years 3] [--database URL]

prints the home folder of it: ``FLEET_HOME=that fleet status``. All of it goes in the way that commands write it: the
roster is imported, everything else is events of a ledger whose clock goes from day to day. It is made anew when the
schema or the generator changed. A registry of a day before gets another day's events first, so that something has
changed since yesterday.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, select

from bench.million import reports
from bench.million.happenings import REPAIRER, Due, Happenings
from bench.million.world import World
from fleet import check_ins
from fleet.account.custody import places
from fleet.account.people.vault import the_vault
from fleet.account.programme.load import load
from fleet.account.programme.store import apply
from fleet.account.roster.read import Request, gathered
from fleet.account.roster.schools import Schools
from fleet.account.roster.taking_over import applied
from fleet.check_ins import CheckIn
from fleet.db import REVISIONS, snapshot, transaction
from fleet.home import Home
from fleet.ledger import Happening, Ledger
from fleet.models import custody, metadata, students
from fleet.units import Registry, open_registry
from fleet.values import Json

BENCH = "000000000000b0b0"
PROGRAMME = Path(__file__).with_name("programme.yaml")
_SOURCES = ("world.py", "happenings.py", "reports.py", "registry.py", "programme.yaml")


@dataclass(frozen=True)
class Made:
    """A registry that is there: its home, what is in it, and its database ("" the file in the home)."""

    home: Path
    world: World
    database: str = ""

    @property
    def arguments(self) -> list[str]:
        """What ``fleet`` has to be told to find it."""
        return ["--home", str(self.home), *(["--database", self.database] if self.database else [])]


def made(at: Path, units: int, years: int = 0, database: str = "") -> Made:
    """The registry of that size below ``at``; made where it is not there: an hour for a million units."""
    home = at / f"{_mark()}-{units}-{years}{'-postgresql' if database else ''}"
    note = home / "world.json"
    if note.exists():
        kept = Made(home, World(units, years, date.fromisoformat(json.loads(note.read_text())["today"])), database)
        _live_on(kept)
        return kept
    found = Made(home, World(units, years), database)
    home.mkdir(parents=True)
    Home(home).keep_vault_key(hashlib.sha256(b"generated").digest())
    (home / "bench.json").write_text(json.dumps({"id": BENCH, "name": "generated"}))
    _make(found)
    note.write_text(json.dumps({"today": found.world.today.isoformat()}))
    return found


def _mark() -> str:
    """Of the tables and of all that makes the registry: with another one it has to be made anew."""
    sources = b"\0".join(Path(__file__).with_name(name).read_bytes() for name in _SOURCES)
    tables = [f"{table!r} {sorted(str(index.name) for index in table.indexes)}" for table in metadata.sorted_tables]
    return hashlib.sha256(repr((REVISIONS[-1], tables)).encode() + sources).hexdigest()[:10]


@contextmanager
def opened(wanted: Made, moment: str) -> Iterator[Registry]:
    """For writing, with a clock that stands at ``moment``."""
    with open_registry(Home(wanted.home), wanted.database or None, "lan", clock=lambda: moment) as registry:
        yield registry


def _make(wanted: Made) -> None:
    world = wanted.world
    started = time.monotonic()
    with opened(wanted, world.moment(0)) as registry:
        _told(started, "places and roster")
        with transaction(registry.engine) as conn:
            registry.ledger.append_many(conn, _places(world))
        _import_roster(wanted, registry)
        _take_programme(wanted, registry)
        with snapshot(registry.engine) as conn:
            due = _in_order(conn, world)
    happenings = Happenings(world, due)
    with opened(wanted, world.moment(0)) as registry, registry.engine.connect() as kept:
        kept.scalar(select(custody.c.unit).limit(1))
        kept.rollback()  # as long as anybody is connected, SQLite need not clear up after each day
        for number, day in enumerate(happenings.days()):
            if number % 50 == 0:
                _told(started, f"day {number}")
            _append(registry, day.at, day.happened, day.seen)
        if wanted.database:
            with registry.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
                conn.exec_driver_sql("VACUUM ANALYZE")  # as the server does by itself, some time later
    _told(started, "made")


def _told(started: float, what: str) -> None:
    print(f"{time.monotonic() - started:6.0f} s  {what}", file=sys.stderr, flush=True)


def _append(registry: Registry, at: str, happened: Iterable[Happening], seen: Sequence[CheckIn]) -> None:
    ledger = Ledger(registry.ledger.bench, registry.ledger.actor, lambda: at)
    with transaction(registry.engine) as conn:
        ledger.append_many(conn, happened)
        check_ins.record(conn, ledger, seen)


def _places(world: World) -> Iterator[Happening]:
    for kind, codes in (("store", world.stores), ("bench", world.benches), ("repair", (REPAIRER,))):
        for number, code in enumerate(codes):
            yield _place(code, f"{kind} {number}", kind, world.area_of(number))
    for number, code in enumerate(world.schools):
        yield _place(code, f"Trường {number:05}", "school", world.area_of(number))
    for code in world.batches:
        yield "batch.set", code, {"v": 1, "donor": f"Donor {int(code[2:]) % 23}", "announced": None}


def _place(code: str, name: str, kind: str, area: str) -> Happening:
    return "place.set", code, {"v": 1, "name": name, "kind": kind, "area": area}


def _import_roster(wanted: Made, registry: Registry) -> None:
    """As ``fleet roster import --apply`` does it, on the first day."""
    file = wanted.home / "roster.csv"
    wanted.world.write_roster(file)
    with snapshot(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        schools = Schools(places.listed(conn))
    request = Request(file, wanted.world.today, spool=wanted.home)
    with gathered(request, keys, schools) as found, transaction(registry.engine) as conn:
        report = applied(conn, registry.ledger, keys, found, schools, "roster")
    file.unlink()
    assert (report.new, report.refused) == (wanted.world.students, []), report


def _take_programme(wanted: Made, registry: Registry) -> None:
    file = wanted.home / "programme.yaml"
    areas = "".join(f"  - {{area: {area}}}\n" for area in wanted.world.areas)
    file.write_text(PROGRAMME.read_text().replace("areas: []\n", f"areas:\n{areas}"))
    apply(registry, load(file))


def _in_order(conn: Connection, world: World) -> Sequence[Due]:
    """Students in the programme's order; one in fifty is passed over, and so is every other child with a brother or
    sister who has one."""
    categories = ("lost_parent", "poor", "near_poor", "hardship", "")
    order = {area: number for number, area in enumerate(world.areas)}
    columns = ("student", "school", "area", "category", "household", "connection")
    rows = conn.execute(select(*(students.c[name] for name in columns))).all()
    homes: set[str] = set()
    due: list[Due] = []
    by_need = sorted(rows, key=lambda one: (order[one.area], categories.index(one.category), one.student))
    for number, (student, school, _, _, household, connection) in enumerate(by_need):
        if number % 50 and (household not in homes or number % 2):
            due.append(Due(student, school, connection not in ("line", "sim")))
            homes.add(household)
    assert len(due) >= world.units
    return due


def _live_on(kept: Made) -> None:
    """What a day brings, unless today brought something already: some units are seen, some come back."""
    today = World(kept.world.units, kept.world.years)
    some = kept.world.units // 300
    last = today.moment(300 * (today.years + 1))
    with opened(kept, last) as registry:
        with snapshot(registry.engine) as conn:
            if (conn.scalar(select(custody.c.since).order_by(custody.c.since.desc()).limit(1)) or "") >= last:
                return
            columns = (custody.c.unit, custody.c.place, custody.c.holder)
            held = conn.execute(select(*columns).where(custody.c.state == "with_student").limit(some)).all()
        back: list[Happening] = [
            ("unit.custody", unit, {**_BACK, "place": place, "student": holder}) for unit, place, holder in held
        ]
        _append(registry, last, back, [reports.check_in(today, unit, unit, last) for unit in range(some)])


_BACK: dict[str, Json] = {"v": 1, "step": "return", "state": "at_school", "kit": {"charger": 1}, "condition": "worn"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=Path, required=True, help="where generated registries are kept")
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--years", type=int, default=0, help="of loans before the last 300 days")
    parser.add_argument("--database", default="", help="of an empty database, instead of a file")
    wanted = parser.parse_args()
    print(made(wanted.at, wanted.units, wanted.years, wanted.database).home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
