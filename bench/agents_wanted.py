"""How long it takes until another release is wanted for all units at home, and what it costs until they come.

    .venv/bin/python -m bench.agents_wanted [--units N] [--database URL]

It lays out N units with students (100,000), each with an agent that has come, and begins a push in three waves, by a
filter and then for all: at most 5 s each, and one event. Besides: what one contact has to ask more because of a push
with a filter, how long judging takes, and the alarms of all of them, against a count of the same rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, insert, select

from fleet.account.status import alarms
from fleet.account.status import known as filter_known
from fleet.account.status.health_rules import rules_of
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.ledger import Happening
from fleet.models import agent_contacts, agents, events
from fleet.remote.agents import pushing, wanted
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen
from fleet.remote.agents.judging import judge
from fleet.remote.agents.records import hashed
from fleet.remote.waves import meant
from fleet.remote.waves.rules import Rules, stamp
from fleet.units import Registry, open_registry
from fleet.values import Json
from provision.progress import now

T = TypeVar("T")
_MOST = 5.0
_SCHOOLS = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--database", default=None)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_registry(Home(Path(folder)), said.database, "bench") as registry:
        _took("laid out", lambda: _lay_out(registry, said.units))
        if registry.engine.dialect.name == "postgresql":  # as it does by itself, sooner or later
            with transaction(registry.engine) as conn:
                conn.exec_driver_sql("ANALYZE")
        first = _push(registry, 1, "state = with_student and place = SCHOOL-7")
        _contacts(registry)
        slowest = max(first, _push(registry, 2, ""))
        _took("judged", lambda: judge(registry))
        _status(registry)
    print(f"wanted in {slowest:.2f} s at most (at most {_MOST:.0f})")
    return 0 if slowest <= _MOST else 1


def _took(what: str, do: Callable[[], T]) -> T:
    begun = time.perf_counter()
    found = do()
    print(f"{what}: {time.perf_counter() - begun:.2f} s", flush=True)
    return found


def _lay_out(registry: Registry, number: int) -> None:
    with transaction(registry.engine) as conn:
        for school in range(_SCHOOLS):
            told: dict[str, Json] = {"v": 1, "name": f"School {school}", "kind": "school", "area": ""}
            registry.ledger.append(conn, "place.set", f"SCHOOL-{school}", told)
        registry.ledger.append_many(conn, _units(number))
        for release in (1, 2):
            known: dict[str, Json] = {"digest": f"{release}", "note": "", "files": 1, "bytes": 1}
            known |= {"v": 1, "number": release, "profiles": {"small": f"digest {release}"}}
            registry.ledger.append(conn, "release.set", f"{release}", known)
        at = stamp(datetime.now(UTC) - timedelta(minutes=20))
        same = {
            "seen_at": at,
            "fetched": "d",
            "fetched_at": at,
            "since": at,
            "missing": "[]",
            "owner": True,
            "battery_level": 50,
        }
        rows = [
            {**same, "number": row.number, "unit": row.unit, "iccid": f"898404800{row.unit[12:]:0>9}0"}
            | {"drift": '["app x is not there"]' if place % 100 == 0 else "[]"}
            for place, row in enumerate(conn.execute(select(agents.c.number, agents.c.unit)))
        ]
        conn.execute(insert(agent_contacts), rows)


def _units(number: int) -> Iterator[Happening]:
    device = {"platform": "android", "maker": "samsung", "model": "SM-A105F", "version": "13", "imei": ""}
    agent = {"agent": "headwind", "profile": "small", "digest": "d", "server": "https://home.example"}
    for one in range(number):
        key = f"android:SN{one:07}"
        where = {"batch": "B", "place": f"SCHOOL-{one % _SCHOOLS}", "state": "with_student", "student": f"S{one:09}"}
        yield "unit.received", key, {"v": 1, "serial": f"SN{one:07}", **device, **where}
        yield "agent.enrolled", key, {"v": 1, "number": hashed(f"{one}"), **agent}
        sim: dict[str, Json] = {"carrier": "viettel", "quota": "4 GB/day", "state": "in_use", "unit": key}
        yield "sim.set", f"898404800{one:09}0", {"v": 1, "step": "receive", "fields": sim}


def _push(registry: Registry, release: int, where: str) -> float:
    """Seconds until it is wanted; it has written one event, and one more where another push ends by it."""
    with snapshot(registry.engine) as conn:
        before = _events(conn)
    begun = time.perf_counter()
    with transaction(registry.engine) as conn:
        mine = Chosen({"small": f"digest {release}"}, "", meant.within(conn, registry.home, where))
        rules = Rules(waves=("1%", "10%", "100%"), where=where)
        push = pushing.begin(conn, registry.ledger, registry.home, release, rules, mine)
    seconds = time.perf_counter() - begun
    with snapshot(registry.engine) as conn:
        written, number = _events(conn) - before, pushing.number_of(conn, mine)
        assert written <= 2
    print(f"{push.name}, {where or 'all'}: wanted for {number} units in {seconds:.2f} s, {written} events", flush=True)
    return seconds


def _events(conn: Connection) -> int:
    return conn.scalar(select(func.count()).select_from(events)) or 0


def _contacts(registry: Registry) -> None:
    """What a contact asks: its enrolment alone, and with what it should have."""
    with snapshot(registry.engine) as conn:
        standing = wanted.read(conn, registry.home)
        numbers = list(conn.scalars(select(agents.c.number).limit(2000)))
        bare = select(agents.c.unit, agent_contacts.c.fetched).select_from(WITH_CONTACTS)
        full = select(*wanted.columns(standing)).select_from(WITH_CONTACTS)
        for what, query in (("bare", bare), (f"with {len(standing.pushes)} pushes", full)):
            begun = time.perf_counter()
            for number in numbers:
                row = conn.execute(query.where(agents.c.number == number)).one()
                if query is full:
                    wanted.of(standing, row, datetime.now(UTC))
            each = (time.perf_counter() - begun) / len(numbers)
            print(f"one contact, {what}: {each * 1e6:.0f} µs", flush=True)


def _status(registry: Registry) -> None:
    with snapshot(registry.engine) as conn:
        every = select(func.count()).where(agent_contacts.c.drift > "")
        _took("all contacts counted", lambda: conn.scalar(every))
        rules = rules_of(registry.home)
        home = {name: rule for name, rule in rules.items() if name.startswith(("agent_", "sim_changed"))}
        for name, rule in home.items():
            begun = time.perf_counter()
            found = alarms.numbers(conn, filter_known.asked(conn, {name: rule}, None, now()))
            print(f"alarm {name}: {found[name]} units, {time.perf_counter() - begun:.3f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
