"""What a device at home is ordered to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, create_engine

from fleet import tags
from fleet.db import snapshot, transaction
from fleet.home import Options
from fleet.ledger import Ledger
from fleet.ledger_replay import replay
from fleet.models import metadata
from fleet.remote.agents import orders, records
from fleet.remote.agents.judging import judge
from fleet.remote.agents.orders import Kind, Order
from fleet.remote.agents.reading import Reader
from fleet.remote.errors import OrderError
from fleet.remote.releases import keys
from fleet.tags import Named
from fleet.unit_commands import unit as group
from fleet.units import Registry
from tests.fleet.making import tables
from tests.remote.agents.at_home import contact, enrolled, numbers, of_today, school, unit

WHY = "it hangs"


@pytest.fixture
def today(registry: Registry) -> Registry:
    return of_today(registry)


def _given(registry: Registry, kind: Kind, text: str = "", *, by: str = "lan") -> Order:
    found: Order = _do(registry, lambda conn, ledger, one: orders.give(conn, ledger, one, kind, WHY, text), by=by)
    return found


def _do(registry: Registry, do: Callable[[Connection, Ledger, Named], Any], *, by: str = "lan") -> Any:
    with transaction(registry.engine) as conn:
        return do(conn, replace(registry.ledger, actor=by), tags.the(conn, "A-1"))


def _left(registry: Registry, key: str) -> list[tuple[Kind, str]]:
    with snapshot(registry.engine) as conn:
        return [(one.kind, one.state) for one in orders.of_unit(conn, key, left=True)]


def _programme(registry: Registry) -> None:
    body: dict[str, Any] = {"programme": "p", "one_per": "student", "wipe": {"second_person": True}}
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "programme.set", "p", {"v": 1, "digest": "d", "programme": body})


def test_a_unit_whose_agent_does_not_live_is_ordered_nothing(today: Registry) -> None:
    key = unit(today, 1)
    with pytest.raises(OrderError, match="no agent that lives"):
        _given(today, Kind.REBOOT)
    enrolled(today, key)
    assert _given(today, Kind.REBOOT).state == "open"


@pytest.mark.parametrize("why", ["", "  "])
def test_nothing_is_ordered_without_a_reason(today: Registry, why: str) -> None:
    school(today, 1)
    with pytest.raises(OrderError, match="without a reason"):
        _do(today, lambda conn, ledger, one: orders.give(conn, ledger, one, Kind.LOCK, why))


def test_unlock_ends_lock_and_is_done_when_the_agent_was_told(today: Registry) -> None:
    (key,) = school(today, 1)
    with pytest.raises(OrderError, match="is not ordered to lock"):
        _given(today, Kind.UNLOCK)
    _given(today, Kind.LOCK, "Lost.")
    with pytest.raises(OrderError, match="ordered that already"):
        _given(today, Kind.LOCK, "Lost.")
    _given(today, Kind.LOCK, "Lost. Call us.")
    assert _left(today, key) == [(Kind.LOCK, "open")]
    _given(today, Kind.UNLOCK)
    assert _left(today, key) == [(Kind.UNLOCK, "open")]
    judge(today)
    assert _left(today, key) == [(Kind.UNLOCK, "open")], "its agent was not told yet"
    contact(today, key, fetched="of the bench", fetched_at=timedelta(0))
    judge(today)
    assert _left(today, key) == []


def test_location_is_given_back_by_its_opposite(today: Registry) -> None:
    (key,) = school(today, 1)
    _given(today, Kind.LOCATE_OFF)
    _do(today, lambda conn, ledger, one: orders.withdraw(conn, ledger, one, Kind.LOCATE_OFF, WHY))
    assert _left(today, key) == [(Kind.LOCATE_ON, "open")]


def test_what_was_not_done_is_taken_back(today: Registry) -> None:
    school(today, 1)
    _given(today, Kind.MESSAGE, "one")
    _given(today, Kind.MESSAGE, "two")
    withdrawn = _do(today, lambda conn, ledger, one: orders.withdraw(conn, ledger, one, Kind.MESSAGE, WHY))
    assert [one.state for one in withdrawn] == ["withdrawn", "withdrawn"]
    with pytest.raises(OrderError, match="not ordered to reboot"):
        _do(today, lambda conn, ledger, one: orders.withdraw(conn, ledger, one, Kind.REBOOT, WHY))


def test_a_wipe_has_begun_when_the_agent_says_so_and_its_number_lives(today: Registry) -> None:
    (key,) = school(today, 1)
    contact(today, key, fetched="of the bench", fetched_at=timedelta(minutes=1))
    given = _given(today, Kind.WIPE)
    for _ in range(2):
        with transaction(today.engine) as conn:
            assert orders.carried_out(conn, today.ledger, key, given.id), "its answer may be lost: it may say so again"
            assert records.alive(conn, key) is not None
            assert [one.state for one in orders.of_unit(conn, key)] == ["begun"]
    assert "its agent begins to wipe itself" in _shown(today)
    assert "it has been silent since" in _shown(today)
    contact(today, key, fetched_at=timedelta(seconds=-1))
    assert "it came again" in _shown(today)
    with pytest.raises(OrderError, match="ordered that already"):
        _given(today, Kind.WIPE)
    enrolled(today, key)
    assert _left(today, key) == []
    _given(today, Kind.WIPE)


def test_a_wipe_that_has_begun_is_taken_back_for_a_phone_that_came_again(today: Registry) -> None:
    (key,) = school(today, 1)
    given = _given(today, Kind.WIPE)
    with transaction(today.engine) as conn:
        orders.carried_out(conn, today.ledger, key, given.id)
    (taken,) = _do(today, lambda conn, ledger, one: orders.withdraw(conn, ledger, one, Kind.WIPE, WHY))
    assert taken.state == "withdrawn"
    with transaction(today.engine) as conn:
        assert not orders.carried_out(conn, today.ledger, key, given.id)


def test_what_was_withdrawn_is_not_opened_by_who_did_not_know(today: Registry) -> None:
    """A bench that was offline returned the unit before the second person said so."""
    (key,) = school(today, 1)
    _programme(today)
    given = _given(today, Kind.WIPE)
    enrolled(today, key)
    body: dict[str, Any] = {"v": 1, "order": given.id, "kind": "wipe", "state": "open", "why": WHY}
    with transaction(today.engine) as conn:
        today.ledger.append(conn, "unit.order_changed", key, body)
        assert [one.state for one in orders.of_unit(conn, key)] == ["withdrawn"]


def test_an_order_is_for_the_enrolment_that_was_meant(today: Registry) -> None:
    """The hub did not know that a bench had set the unit up anew, for somebody else."""
    (key,) = school(today, 1)
    meant = numbers(today, [key])[key]
    after = enrolled(today, key)
    said = {"kind": "wipe", "text": "", "why": WHY, "state": "open"}
    with transaction(today.engine) as conn:
        today.ledger.append(conn, "unit.ordered", key, {"v": 1, "number": meant, **said})
    assert _left(today, key) == []
    reader = Reader(today, home=True)
    known = reader.one(after)
    reader.close()
    assert known is not None
    assert known.orders == ()


def test_a_wipe_takes_a_second_person_where_the_programme_says_so(today: Registry) -> None:
    (key,) = school(today, 1)
    _programme(today)
    given = _given(today, Kind.WIPE)
    assert given.state == "asked"
    with transaction(today.engine) as conn:
        assert not orders.carried_out(conn, today.ledger, key, given.id), "nobody told it"
    with pytest.raises(OrderError, match="cannot be the second person"):
        _do(today, lambda conn, ledger, one: orders.approve(conn, ledger, one, WHY))
    approved = _do(today, lambda conn, ledger, one: orders.approve(conn, ledger, one, WHY), by="minh")
    assert (approved.state, approved.by, approved.actor) == ("open", "minh", "lan")
    with pytest.raises(OrderError, match="Nobody has asked"):
        _do(today, lambda conn, ledger, one: orders.approve(conn, ledger, one, WHY), by="minh")


def _shown(registry: Registry) -> str:
    """As it is read across the lines of a table."""
    return " ".join(_runner(registry)("show", "A-1").output.split())


def test_what_was_ordered_ends_with_the_enrolment(today: Registry) -> None:
    (key,) = school(today, 1)
    _given(today, Kind.WIPE)
    _given(today, Kind.LOCK)
    enrolled(today, key)
    assert _left(today, key) == [], "the next to have it is not wiped for the last"


def test_commands_say_when_it_arrives_and_unit_show_says_how_it_stands(
    today: Registry,
) -> None:
    (key,) = school(today, 1)
    run = _runner(today)
    assert "there was none yet" in run("reboot", "A-1", "--why", WHY).output
    contact(today, key, fetched="of the bench", fetched_at=timedelta(0))
    assert "the last one was on 20" in run("lock", "A-1", "--text", "Lost.", "--why", WHY).output
    told = json.loads(run("show", "A-1", "--json").output)["at_home"]
    assert told["wanted"] == {"digest": "of the bench", "profile": "small", "release": None, "push": None}
    assert (told["fetched"], told["confirmed"]) == ("of the bench", None)
    assert [one["kind"] for one in told["orders"]] == ["lock", "reboot"]
    shown = run("show", "A-1").output
    assert "Should have: small as its bench set it up" in shown
    assert "ordered to lock “Lost.”: it hangs" in shown


def test_a_unit_that_never_had_an_agent_has_no_part_at_home(today: Registry) -> None:
    unit(today, 1)
    assert json.loads(_runner(today)("show", "A-1", "--json").output)["at_home"] is None


@pytest.mark.parametrize("again", [[], ["--again", "A-2"], ["--again", "A-1", "--approve"]])
def test_nothing_is_wiped_before_the_tag_was_typed_twice(today: Registry, again: list[str]) -> None:
    (key,) = school(today, 1)
    done = _runner(today)("wipe", "A-1", *again, "--why", WHY)
    assert done.exit_code == 2
    assert _left(today, key) == []
    assert _runner(today)("wipe", "a-1", "--again", "A-1", "--why", WHY).exit_code == 0
    assert _left(today, key) == [(Kind.WIPE, "open")]


def test_replaying_the_ledger_gives_the_same_orders(today: Registry, tmp_path: Path) -> None:
    (key,) = school(today, 1)
    _programme(today)
    for kind in (Kind.LOCK, Kind.UNLOCK, Kind.MESSAGE, Kind.WIPE):
        _given(today, kind)
    _do(today, lambda conn, ledger, one: orders.approve(conn, ledger, one, WHY), by="minh")
    enrolled(today, key)
    _given(today, Kind.REBOOT)
    engine = create_engine(f"sqlite:///{tmp_path / 'replayed.db'}")
    metadata.create_all(engine)
    with snapshot(today.engine) as source, engine.begin() as target:
        replay(source, target)
        assert tables(target) == tables(source)
        assert {one.state for one in orders.of_unit(target, key)} == {"done", "withdrawn", "open"}
    engine.dispose()


def test_a_site_orders_nothing(today: Registry) -> None:
    school(today, 1)
    keys.trust(today.home, keys.parse("ed25519:NsAR2bgdnmlDrW3bMVm0CaqutZU6beSZWQfxLaZykHc=", "city"))
    done = _runner(today)("reboot", "A-1", "--why", WHY)
    assert "belongs to a site of city" in str(done.exception)


def _runner(registry: Registry) -> Callable[..., Result]:
    def run(*words: str) -> Result:
        return CliRunner().invoke(group, words, obj=Options(home=registry.home.path))

    return run
