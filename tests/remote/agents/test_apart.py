"""Enrolments and orders where benches knew nothing of each other, and phones that were reset meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from fleet.db import snapshot
from fleet.ledger import Happening
from fleet.ledger_replay import replay
from fleet.models import agents, metadata, orders
from fleet.remote.agents import records
from fleet.remote.agents.orders import of_unit
from fleet.units import Registry
from profiles.rules import AGENTS
from provision.model import Locks, Report
from tests.fleet.making import facts, identity, report, tables
from tests.fleet.test_ledger_many import received
from tests.fleet.test_merge import HANDED, Side, custody, side
from tests.remote.agents.at_home import enrolled, of_today, unit

_KEY = "android:A"
_DONE: dict[str, Any] = {"v": 1, "kind": "wipe", "why": "stolen"}


@dataclass
class Clock:
    """Of one bench; it stands until it is set."""

    minute: int = 0

    def __call__(self) -> str:
        return f"2025-03-01T08:{self.minute:02}:00.000Z"


@dataclass
class Apart:
    """The hub, and a site that set up A for a student before it lost its way to the hub."""

    hub: Side
    site: Side
    clock: Clock
    path: Path

    def at(self, minute: int, side: Side, *happened: Happening) -> None:
        self.clock.minute = minute
        for one in happened:
            side.write(one)

    def joined(self) -> list[tuple[str, str]]:
        """Both know all: number and state of the orders of A, the same on both sides. None is left to be done."""
        self.hub.merge(self.site.export(self.path / "site"))
        self.site.merge(self.hub.export(self.path / "hub"))
        assert self.hub.tables() == self.site.tables()
        with self.hub.engine.connect() as conn:
            assert list(of_unit(conn, _KEY, left=True)) == []
            rows = conn.execute(select(orders.c.number, orders.c.state).order_by(orders.c.order_id))
            return [(row.number, row.state) for row in rows]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    clock = Clock()
    found = Apart(side("a", clock), side("b", clock), clock, tmp_path)
    found.at(0, found.site, received("A"), custody("A", "hand_over", state="with_student", **HANDED), _enrolled("n1"))
    found.hub.merge(found.site.export(tmp_path / "first"))
    yield found
    for one in (found.hub, found.site):
        one.engine.dispose()


def _enrolled(number: str) -> Happening:
    told = {"number": number, "agent": "headwind", "profile": "p", "digest": "d", "server": "https://home.example"}
    return "agent.enrolled", _KEY, {"v": 1, **told}


def _for_the_next() -> tuple[Happening, Happening]:
    back = {"state": "stock", "student": "S1", "kit": {}, "condition": "good"}
    return custody("A", "return", **back), _enrolled("n2")


def _wipe(state: str) -> Happening:
    return "unit.ordered", _KEY, {**_DONE, "number": "n1", "text": "", "state": state}


def _changed(apart: Apart, state: str) -> Happening:
    with apart.hub.engine.connect() as conn:
        order = conn.scalar(select(orders.c.order_id))
    return "unit.order_changed", _KEY, {**_DONE, "order": order, "state": state}


@pytest.mark.parametrize("minute", [1, 9])
def test_the_next_student_is_not_wiped_for_the_last(apart: Apart, minute: int) -> None:
    """Whatever the clock of the site: it returned the unit and set it up anew, which the hub did not know."""
    apart.at(minute, apart.site, *_for_the_next())
    apart.at(5, apart.hub, _wipe("open"))
    assert apart.joined() == [("n1", "withdrawn")]


@pytest.mark.parametrize("state", ["open", "begun", "done"])
def test_what_ended_with_the_enrolment_is_not_taken_up_again(apart: Apart, state: str) -> None:
    """The unit was returned at the site before the second person said so at the hub."""
    apart.at(1, apart.hub, _wipe("asked"))
    apart.at(2, apart.site, *_for_the_next())
    apart.at(3, apart.hub, _changed(apart, "open"))
    apart.at(4, apart.hub, _changed(apart, state))
    assert apart.joined() == [("n1", "withdrawn")]


def test_a_wipe_that_began_is_no_order_to_the_next(apart: Apart) -> None:
    apart.at(1, apart.hub, _wipe("open"))
    apart.at(2, apart.hub, _changed(apart, "begun"))
    apart.at(3, apart.site, *_for_the_next())
    assert apart.joined() == [("n1", "begun")]


_BEFORE, _AFTER = "2025-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def _run(owner: str | None, **changes: Any) -> Report:
    who = identity("SN1")
    locks = Locks(owner=owner, owner_known=changes.pop("owner_known", True))
    return report(who, **{"facts": replace(facts(who), locks=locks), "started": _AFTER, **changes})


@pytest.mark.parametrize(
    ("said", "lives"),
    [
        (_run(None), False),
        (_run(f"{AGENTS['testdpc']}/.DeviceAdminReceiver"), False),
        (_run(None, error="Stopped.", steps=0), False),
        (_run(f"{AGENTS['headwind']}/.AdminReceiver"), True),
        (_run(None, owner_known=False), True),
        (_run(None, facts=None), True),
        (_run(None, started=_BEFORE), True),
        (_run(None, error="It was unplugged.", steps=3), True),
    ],
    ids=["no owner", "another", "stopped", "the agent", "not known", "not read", "just enrolled", "broken off"],
)
def test_a_phone_that_comes_without_its_agent_has_no_number(registry: Registry, said: Report, lives: bool) -> None:
    today = of_today(registry)
    key = unit(today, 1)
    number = enrolled(today, key)
    today.record(said, identity("SN1"))
    with snapshot(today.engine) as conn:
        living = records.alive(conn, key)
        assert (living.number if living else None) == (number if lives else None)
        why = conn.scalar(select(agents.c.why))
        assert why == ("" if lives else "the phone came to a bench without its agent")
        other = create_engine("sqlite://")
        metadata.create_all(other)
        with other.begin() as target:
            replay(conn, target)
            assert tables(target) == tables(conn)
        other.dispose()
