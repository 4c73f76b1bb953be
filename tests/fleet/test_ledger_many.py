"""Many events at once are the same events, and leave the same tables, as one by one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, select

from fleet.db import snapshot, transaction
from fleet.home import Bench
from fleet.ledger import Happening, Ledger, Verified, verify
from fleet.ledger_replay import replay
from fleet.models import events, metadata, students, units
from fleet.units import Registry
from tests.fleet.making import identity, report, tables

AT = "2025-03-01T08:00:00.000Z"
LEDGER = Ledger(Bench("b" * 16, "hanoi"), "lan", lambda: AT)


def received(name: str, **more: Any) -> Happening:
    told = {"platform": "android", "serial": name, "maker": "m", "model": "x", "version": "9", "imei": ""}
    return "unit.received", f"android:{name}", {"v": 1, **told, "batch": "B1", "place": "P", "state": "stock", **more}


def student(name: str, **fields: Any) -> Happening:
    return "student.set", f"S{name}", {"v": 1, "fields": fields, "ids": {f"h{name}": "id"}}


_NAMES = st.sampled_from("ABCDE")
_HAPPENED = st.one_of(
    st.builds(received, _NAMES),
    st.builds(lambda name, grade: student(name, grade=grade), _NAMES, st.sampled_from("123")),
    st.builds(lambda name: ("student.forgotten", f"S{name}", {"v": 1}), _NAMES),
    st.builds(
        lambda name, tag: ("unit.tagged", f"android:{name}", {"v": 1, "tag": tag, "was": None}),
        _NAMES,
        st.sampled_from(["A-0001", "A-0007", "B-0002", "LAB"]),
    ),
    st.builds(
        lambda name, whose: ("unit.assigned", f"android:{name}", {"v": 1, "student": whose, "why": ""}),
        _NAMES,
        st.sampled_from([None, "SA", "SB"]),
    ),
    st.builds(
        lambda name, state: ("sim.set", f"89{name}", {"v": 1, "step": "list", "fields": {"state": state}}),
        _NAMES,
        st.sampled_from(["received", "ended"]),
    ),
)


def _written(happened: list[Happening], *, at_once: bool) -> tuple[Any, Any, Any]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as conn:
        if at_once:
            assert LEDGER.append_many(conn, iter(happened)) == len(happened)
        else:
            for one in happened:
                LEDGER.append(conn, *one)
        rows = [tuple(row) for row in conn.execute(select(events).order_by(events.c.seq))]
        found = rows, tables(conn), verify(conn)
    engine.dispose()
    return found


@settings(max_examples=25)
@given(happened=st.lists(_HAPPENED, min_size=1, max_size=25))
def test_at_once_is_as_one_by_one(happened: list[Happening]) -> None:
    assert _written(happened, at_once=True) == _written(happened, at_once=False)


def test_batches_larger_than_what_is_in_memory(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, (student(str(number % 7000), grade=str(number)) for number in range(11_000)))
    with snapshot(registry.engine) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert found.events == 11_001
        assert conn.scalar(select(func.count()).select_from(students)) == 7000
        assert conn.scalar(select(students.c.grade).where(students.c.student == "S0")) == "7000"
        assert len(set(conn.scalars(select(events.c.at)))) == 1
        assert _replayed(conn) == tables(conn)


def _replayed(source: Connection) -> Any:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as target:
        replay(source, target)
        rebuilt = tables(target)
    engine.dispose()
    return rebuilt


def test_an_error_in_the_middle_leaves_nothing(registry: Registry) -> None:
    def happened() -> Any:
        for number in range(6000):
            yield received(str(number))
        raise RuntimeError("the file is damaged")

    registry.record(report())
    with pytest.raises(RuntimeError), transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, happened())
    with snapshot(registry.engine) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert found.events == 3
        assert conn.scalar(select(func.count()).select_from(units)) == 1


def test_nothing_at_all(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        assert registry.ledger.append_many(conn, ()) == 0
    registry.record(report())
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)


def test_what_was_written_later_is_later_on_whichever_bench(registry: Registry) -> None:
    """The clock of one bench is a year behind; what it writes still comes after what it could see."""
    behind = replace(registry.ledger, bench=Bench("0" * 16, "hue"), clock=lambda: "2024-03-01T08:00:00.000Z")
    registry.record(report())
    registry.tag(identity().serial, "A-1")
    with transaction(registry.engine) as conn:
        behind.append(conn, "unit.tagged", f"android:{identity().serial}", {"v": 1, "tag": "A-2", "was": "A-1"})
        behind.append(conn, "unit.tagged", f"android:{identity().serial}", {"v": 1, "tag": "A-3", "was": "A-2"})
    registry.tag("A-3", "A-4")
    with snapshot(registry.engine) as conn:
        told = conn.execute(select(events.c.body).where(events.c.kind == "unit.tagged").order_by(events.c.at)).scalars()
        assert [body[8:11] for body in told] == ["A-1", "A-2", "A-3", "A-4"]
        assert _replayed(conn) == tables(conn)


def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from fleet.db import transaction
from fleet.home import Home
from fleet.units import open_registry
from tests.fleet.test_ledger_many import student
used = []
with open_registry(Home(Path(sys.argv[1])), None, "lan") as registry:
    for many in (10_000, 30_000):
        with transaction(registry.engine) as conn:
            registry.ledger.append_many(conn, (student(f"{many}-{n}", grade="1") for n in range(many)))
        used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(0 if used[1] < used[0] + 60_000 else f"{used} kB")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
