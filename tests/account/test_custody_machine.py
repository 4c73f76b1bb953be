"""Random steps of custody, by a clock that may go back: received = the sum of all places, at every moment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from fleet.account.custody import steps as custody_steps
from fleet.account.custody.balance import Balance, balance
from fleet.account.custody.count import count
from fleet.account.custody.machine import STEPS
from fleet.account.custody.returning import take_back
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.db import snapshot
from fleet.home import Home
from fleet.models import acceptances, custody, holdings, units
from fleet.units import Registry, open_registry
from profiles.errors import SchoolbagError
from tests.account.custody_making import KINDS, STUDENTS, assert_replays, furnish, take_in
from tests.fleet.making import identity, report, ticking

_TAGS = ("A-0001", "A-0002", "A-0003", "A-0004")
_PLACES = st.sampled_from(sorted(KINDS))
_LATE = "9999-01-01T00:00:00.000Z"
_SAID = {"fault": "screen", "done": "it", "why": "so", "search": "all", "evidence": "none", "student": STUDENTS[0]}
_ACTIONS = st.one_of(
    st.tuples(st.just("receive"), st.sampled_from(_TAGS), _PLACES),
    st.tuples(st.just("bench"), st.sampled_from(_TAGS), _PLACES),
    st.tuples(st.just("count"), st.sets(st.sampled_from(_TAGS)), _PLACES),
    st.tuples(st.just("hand_over"), st.sampled_from(_TAGS), st.sampled_from(STUDENTS)),
    st.tuples(st.just("return"), st.sampled_from(_TAGS), _PLACES),
    st.tuples(st.sampled_from(sorted(set(STEPS) - {"hand_over", "return"})), st.sampled_from(_TAGS), _PLACES),
)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with places, students and two units, to be copied."""
    home = Home(tmp_path_factory.mktemp("furnished") / "home")
    with open_registry(home, None, "lan", clock=ticking("2025-01-01T00:00:00.000Z")) as registry:
        furnish(registry)
        take_in(registry, _TAGS[:2])
    return home.path


@settings(max_examples=10)
@given(actions=st.lists(_ACTIONS, max_size=20), leaps=st.lists(st.integers(-100_000, 100_000), max_size=40))
def test_the_books_balance(furnished: Path, actions: list[tuple[str, Any, str]], leaps: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(shutil.copytree(furnished, Path(folder) / "home")))
        with open_registry(home, None, "lan", clock=ticking(seconds=leaps)) as registry:
            for action in actions:
                _act(registry, *action)
                with snapshot(registry.engine) as conn:
                    _check_now(conn)
            with snapshot(registry.engine) as conn:
                _check_ever(conn)
            assert_replays(registry)


def _act(registry: Registry, action: str, what: Any, where: str) -> None:
    """One action, done or refused."""
    try:
        match action:
            case "receive":
                take_in(registry, [what], place=where)
            case "bench":
                registry.record(report(identity(f"SN{what.replace('-', '')}")))
                registry.tag(f"SN{what.replace('-', '')}", what)
            case "count":
                count(registry, where, sorted(what), apply=True)
            case "hand_over":
                hand_over(registry, what, where, Acceptance("guardian", {"device": 1}, "good", allowed="chance"))
            case "return":
                take_back(registry, [what], where, None, "good")
            case step:
                custody_steps.do(
                    registry, step, [what], {**_SAID, "place": where} if step != "repair" else _repair(where)
                )
    except SchoolbagError:
        pass


def _repair(where: str) -> Mapping[str, str]:
    return {"place": where, "fault": "screen", "why": "screen"}


def _check_now(conn: Connection) -> None:
    """What is now, by custody and by the history of places alike."""
    now, then = balance(conn, _LATE), balance(conn, _LATE, until=_LATE)
    assert _sum(now) == now.received
    assert now.lines == then.lines
    assert not {"books", "accepted"} & {one.kind for one in (*now.unexplained, *then.unexplained)}
    with_student = select(custody.c.unit, custody.c.holder).where(custody.c.holder.is_not(None))
    out = select(acceptances.c.unit, acceptances.c.student).join(custody, custody.c.unit == acceptances.c.unit)
    accepted = out.where(acceptances.c.returned_at.is_(None), custody.c.state == "with_student")
    assert sorted(conn.execute(with_student).all()) == sorted(conn.execute(accepted).all())


def _check_ever(conn: Connection) -> None:
    """At every moment that there was, as a whole and for each place."""
    for (moment,) in conn.execute(select(holdings.c.since).distinct()).all():
        found = balance(conn, _LATE, until=moment)
        assert _sum(found) == found.received
        for place in KINDS:
            there = balance(conn, _LATE, until=moment, place=place)
            assert _sum(there) == there.received
    open_ones = conn.scalars(select(holdings.c.unit).where(holdings.c.until.is_(None))).all()
    assert sorted(open_ones) == sorted(conn.scalars(select(units.c.key)).all())


def _sum(found: Balance) -> int:
    return sum(line.units for line in found.lines)
