"""What is kept up beside the tables is what one would find by going through them, whatever happened to units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from fleet.db import snapshot, transaction
from fleet.ledger import Happening, Ledger
from fleet.models import custody, health_now, sims, tallies, units
from fleet.sim_reading import changed
from fleet.units import Registry
from provision.model import Verdict
from tests.fleet.making import identity, report, ticking
from tests.fleet.test_ledger_many import received
from tests.fleet.test_merge import custody as step

_KEYS = st.sampled_from("ABC")
_STATES = st.sampled_from(["stock", "at_school", "in_transit", "lost"])


def _put(name: str, unit: str | None) -> Happening:
    return changed("insert", f"898404800001234567{name}", {"state": "inserted", "unit": unit and f"android:{unit}"})


_HAPPENED = st.one_of(
    st.builds(lambda key, place: received(key, place=place), _KEYS, st.sampled_from("PQ")),
    st.builds(lambda key, state: step(key, "move", state=state), st.sampled_from("AB"), _STATES),
    st.builds(lambda key, tag: ("unit.tagged", f"android:{key}", {"v": 1, "tag": tag, "was": None}), _KEYS, _KEYS),
    st.builds(_put, st.sampled_from("12"), st.one_of(st.none(), _KEYS, st.just("unknown"))),
    st.tuples(_KEYS, st.sampled_from([Verdict.VERIFIED, Verdict.FAILED]), st.sampled_from("xy")),
)


@pytest.fixture
def checked(registry: Registry) -> Iterator[Registry]:
    yield registry
    with snapshot(registry.engine) as conn:
        _check(conn)


def _check(conn: Connection) -> None:
    wanted: Counter[tuple[str, str, str, str]] = Counter()
    for row in conn.execute(select(units)):
        wanted["verdict", row.state, row.last_verdict or "", ""] += 1
        wanted["profile", row.state, row.last_profile or "", row.last_digest or ""] += 1
        wanted["model", row.state, row.maker, row.model] += 1
        wanted["version", row.state, row.platform, row.version] += 1
        wanted["tag", row.state, "yes" if row.tag else "", ""] += 1
    for row in conn.execute(select(custody)):
        wanted["place", row.state, row.place, ""] += 1
        wanted["batch", row.state, row.batch, ""] += 1
    assert {tuple(row)[:4]: row.units for row in conn.execute(select(tallies))} == dict(wanted)
    states = {row.key: row.state for row in conn.execute(select(units.c.key, units.c.state))}
    for unit, state in conn.execute(select(health_now.c.unit, health_now.c.state)):
        assert state == states[unit]
    for unit, state in conn.execute(select(sims.c.unit, sims.c.unit_state)):
        assert state == states.get(unit)


def test_whatever_happens(registry: Registry) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(_HAPPENED, max_size=12), st.booleans())
    def kept(happened: list[Any], at_once: bool) -> None:
        with registry.engine.execution_options(writing=True).connect() as conn, conn.begin() as mine:
            _do(conn, registry.ledger, [received("A"), received("B"), *happened], at_once)
            _check(conn)
            mine.rollback()

    kept()


def _do(conn: Connection, ledger: Ledger, happened: list[Any], at_once: bool) -> None:
    from fleet.check_ins import CheckIn, record

    waiting: list[Happening] = []
    for one in happened:
        if not at_once or isinstance(one[1], Verdict):
            ledger.append_many(conn, waiting)
            waiting = []
        if isinstance(one[1], Verdict):
            key, verdict, profile = one
            who = identity(key, version=profile)
            record(conn, ledger, [CheckIn(report(who, verdict=verdict, profile=profile))])
        else:
            waiting.append(one)
    ledger.append_many(conn, waiting)


def test_a_bench_that_was_offline(checked: Registry, tmp_path: Path) -> None:
    """It brings a reading, and moved a unit that has a SIM here."""
    from fleet.home import Home
    from fleet.units import open_registry
    from tests.fleet.test_merge import handed_on

    checked.record(report())
    later = ticking("2025-03-01T10:00:00.000Z")
    key = f"android:{identity().serial}"
    with transaction(checked.engine) as conn:
        checked.ledger.append(conn, *_put("1", identity().serial))
        assert conn.scalar(select(sims.c.unit_state)) == "at_bench"
    with open_registry(Home(tmp_path / "other"), f"sqlite:///{tmp_path / 'other.db'}", "lan", clock=later) as elsewhere:
        elsewhere.record(report())
        with transaction(elsewhere.engine) as conn:
            moved: Happening = ("unit.custody", key, {"v": 1, "step": "move", "place": "P", "state": "stock"})
            elsewhere.ledger.append(conn, *moved)
        handed_on(elsewhere, checked, tmp_path / "file")
    with snapshot(checked.engine) as conn:
        assert conn.scalar(select(sims.c.unit_state)) == conn.scalar(select(health_now.c.state)) == "stock"
