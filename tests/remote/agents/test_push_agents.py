"""Pushes by way of agents: their waves are thresholds, and go on by what the agents tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select, update

from fleet.account.filters.leaves import OTHER, WAITS
from fleet.db import snapshot, transaction
from fleet.ledger_replay import replay
from fleet.models import chains, events, metadata, pushes, wants
from fleet.remote.agents import judging, reports, stands, wanted
from fleet.remote.agents.chosen import chosen
from fleet.remote.agents.contacts import Contact, Told, listed, write
from fleet.remote.agents.gate import Wave
from fleet.remote.agents.judging import judge
from fleet.remote.agents.quota import waits_for_wifi
from fleet.remote.errors import PushError
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State
from fleet.remote.waves.rules import Rules, ends, stamp, waves
from fleet.units import Registry
from tests.fleet.making import tables
from tests.remote.agents.at_home import (
    begun,
    contact,
    enrolled,
    numbers,
    of_today,
    release,
    school,
    should_have,
    unit,
)

SEVEN = {"small": "seven"}
HOUR = timedelta(hours=1)


@pytest.fixture
def today(registry: Registry) -> Registry:
    return of_today(registry)


def _push(registry: Registry, units: int, steps: str = "1,50%,100%") -> tuple[Push, list[str]]:
    """A push of release 7, and its units in the order of their numbers."""
    keys = school(registry, units)
    release(registry, 7, SEVEN)
    push = begun(registry, 7, SEVEN, Rules(waves=waves(steps)))
    return push, [key for key, _ in sorted(numbers(registry, keys).items(), key=lambda one: one[1])]


def _now(registry: Registry) -> Push:
    with snapshot(registry.engine) as conn:
        return kept.one_of(conn, "")


def _confirm(registry: Registry, keys: list[str]) -> None:
    for key in keys:
        contact(registry, key, fetched="seven", fetched_at=HOUR, confirmed="seven", told_at=HOUR / 2, owner=True)


def test_no_row_is_written_for_a_unit(today: Registry) -> None:
    keys = school(today, 7)
    release(today, 7, SEVEN)
    with snapshot(today.engine) as conn:
        before = len(conn.execute(select(events)).all())
    push = begun(today, 7, SEVEN, Rules(waves=waves("1,50%,100%")))
    with snapshot(today.engine) as conn:
        assert len(conn.execute(select(events)).all()) == before + 1
        assert not conn.execute(select(wants)).all()
    found = [push.rules.wave_of(number) for number in sorted(numbers(today, keys).values())]
    assert found == [1, 2, 2, 2, 3, 3, 3]


def test_a_wave_opens_when_the_one_before_confirmed_it(today: Registry) -> None:
    _, keys = _push(today, 6)
    for key in keys:
        contact(today, key)
    judge(today)
    assert _now(today).wave == 1
    contact(today, keys[0], fetched="seven", fetched_at=timedelta(0))
    judge(today)
    assert _now(today).wave == 1, "it fetched it, and nobody knows yet what came of it"
    _confirm(today, keys[:1])
    judge(today)
    assert _now(today).wave == 2
    _confirm(today, keys[1:3])
    judge(today)
    judge(today)
    assert (_now(today).state, _now(today).wave) == (State.RUNNING, 3)
    _confirm(today, keys[3:])
    judge(today)
    assert (_now(today).state, _now(today).wave) == (State.DONE, 3)


def test_units_that_come_and_do_not_fetch_it_hold_it_up_for_a_day(
    today: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, keys = _push(today, 4, "50%,100%")
    _confirm(today, keys[:1])
    contact(today, keys[1], ago=HOUR)
    judge(today)
    assert _now(today).wave == 1
    contact(today, keys[1], ago=25 * HOUR)
    judge(today)
    assert _now(today).wave == 2, "a silent one does not"


def test_nobody_confirmed_opens_nothing(today: Registry) -> None:
    _push(today, 4)
    judge(today)
    assert (_now(today).state, _now(today).wave) == (State.RUNNING, 1)


def test_a_report_that_differs_fails_only_after_the_time_that_downloads_take(today: Registry) -> None:
    push, keys = _push(today, 1, "100%")
    said: dict[str, Any] = {
        "fetched": "seven",
        "drift": '["app x is not there"]',
        "owner": True,
        "told_at": timedelta(0),
    }
    contact(today, keys[0], fetched_at=HOUR / 2, **said)
    assert _waves(today, push)[0].fetched == 1
    contact(today, keys[0], fetched_at=2 * HOUR, **said)
    assert _waves(today, push)[0].failed == 1
    judge(today)
    assert (_now(today).state, _now(today).why) == (State.PAUSED, "1 of 1 unit of wave 1 failed")


def test_what_waits_for_wifi_has_not_failed(today: Registry) -> None:
    push, keys = _push(today, 1, "100%")
    big, small = ({"pkg": f"org.{size}", "version": "2", "size": size} for size in (11_000_000, 1))
    report = reports.parse(b'{"deviceId":"1","applications":[]}')
    for apps, stand in (([big], "fetched"), ([big, small], "fetched"), ([small], "failed")):
        texts = reports.differs(report, {"apps": apps, "files": []}, partial(waits_for_wifi, quota=None))
        assert texts
        contact(
            today, keys[0], fetched="seven", fetched_at=2 * HOUR, told_at=timedelta(0), drift=listed(texts), owner=True
        )
        wave = _waves(today, push)[0]
        assert (getattr(wave, stand), wave.silent_fetched) == (1, int(stand == "fetched")), texts


def test_no_owner_any_more_has_failed(today: Registry) -> None:
    push, keys = _push(today, 1, "100%")
    contact(today, keys[0], fetched="seven", fetched_at=HOUR, told_at=HOUR / 2, owner=False, confirmed="seven")
    assert _waves(today, push)[0].failed == 1


def test_what_failed_before_it_was_resumed_does_not_pause_it_again(today: Registry) -> None:
    push, keys = _push(today, 1, "100%")
    contact(today, keys[0], fetched="seven", fetched_at=3 * HOUR, told_at=timedelta(0), owner=False)
    judge(today)
    with transaction(today.engine) as conn:
        kept.change(conn, today.ledger, _now(today), State.RUNNING, "by lan")
    judge(today)
    assert _now(today).state is State.RUNNING
    assert _waves(today, push)[0].failed == 1


def test_a_push_whose_time_is_up_expires(today: Registry) -> None:
    school(today, 1)
    release(today, 7, SEVEN)
    begun(today, 7, SEVEN, Rules(until="2025-01-01T00:00:00.000Z"))
    judge(today)
    assert _now(today).state is State.EXPIRED


def test_what_somebody_changed_meanwhile_is_not_written_over(today: Registry) -> None:
    push, keys = _push(today, 2)
    _confirm(today, keys)
    with transaction(today.engine) as conn:
        kept.change(conn, today.ledger, push, State.PAUSED, "by lan")
    judging._settle(today, push, State.RUNNING, 2, "")
    assert (_now(today).state, _now(today).wave) == (State.PAUSED, 1)


def test_replaying_the_ledger_gives_the_same_push(today: Registry, tmp_path: Path) -> None:
    _, keys = _push(today, 4)
    _confirm(today, keys)
    for _ in range(4):
        judge(today)
    with snapshot(today.engine) as source, _empty(tmp_path) as target:
        replay(source, target)
        assert tables(target) == tables(source)
    assert _now(today).state is State.DONE


def test_the_same_again_goes_on_with_it(today: Registry) -> None:
    push, _ = _push(today, 2)
    with transaction(today.engine) as conn:
        kept.change(conn, today.ledger, push, State.PAUSED, "by lan")
    again = begun(today, 7, SEVEN, replace(push.rules, thresholds=()))
    assert (again.name, again.state) == (push.name, State.RUNNING)


def test_one_that_has_no_unit_left_which_the_new_one_has_not_is_replaced(today: Registry) -> None:
    push, _ = _push(today, 2)
    release(today, 8, {"small": "eight"})
    begun(today, 8, {"small": "eight"})
    with snapshot(today.engine) as conn:
        assert kept.one_of(conn, push.name).why == "replaced by push-2"


def test_one_that_has_is_in_the_way(today: Registry) -> None:
    _push(today, 2)
    key = unit(today, 3, model="SM-T220")
    enrolled(today, key)
    begun(today, 7, SEVEN)
    release(today, 8, {"small": "eight"})
    with pytest.raises(PushError, match="2 units that are still to come are not in this one, and 1 are in both"):
        begun(today, 8, {"small": "eight"}, Rules(where="model=SM-T220"))


def test_units_that_left_the_bench_without_an_agent_are_told_by_number(today: Registry) -> None:
    unit(today, 1)
    unit(today, 2)
    unit(today, 3, state="stock")
    release(today, 7, SEVEN)
    with pytest.raises(PushError) as caught:
        begun(today, 7, SEVEN)
    assert caught.value.next_action.startswith("2 units left the bench without one")


@contextmanager
def _empty(folder: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{folder / 'replayed.db'}")
    metadata.create_all(engine)
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def _waves(registry: Registry, push: Push) -> list[Wave]:
    with snapshot(registry.engine) as conn:
        return list(stands.waves_of(conn, push, chosen(conn, registry.home, push), datetime.now(UTC)))


@settings(max_examples=200)
@given(
    shares=st.lists(st.integers(1, 99), max_size=4, unique=True).map(sorted),
    total=st.integers(1, 3000),
)
def test_waves_end_where_they_are_said_to_and_the_last_has_all(shares: list[int], total: int) -> None:
    steps = [*(f"{share}%" for share in shares), "100%"]
    found = ends(steps, total)
    assert found == sorted(set(found))
    assert set(found) == {math.ceil(total * share / 100) for share in (*shares, 100)}


def test_a_wave_that_nobody_has_after_a_day_pauses_and_says_so(today: Registry) -> None:
    _, keys = _push(today, 4, "50%,100%")
    contact(today, keys[0], ago=25 * HOUR)
    contact(
        today, keys[1], fetched="seven", fetched_at=2 * HOUR, told_at=HOUR / 2, drift=listed([f"{WAITS}app x is old"])
    )
    judge(today)
    assert (_now(today).state, _now(today).wave) == (State.RUNNING, 1)
    _since_yesterday(today)
    judge(today)
    assert (_now(today).state, _now(today).wave) == (State.PAUSED, 1)
    assert _now(today).why == "nobody of wave 1 has it after 24 hours"


def test_who_tells_neither_good_nor_bad_holds_it_up_for_a_day(today: Registry) -> None:
    push, keys = _push(today, 4, "50%,100%")
    _confirm(today, keys[:1])
    contact(today, keys[1], fetched="seven", fetched_at=23 * HOUR, told_at=timedelta(0))
    judge(today)
    assert _now(today).wave == 1
    contact(today, keys[1], fetched="seven", fetched_at=25 * HOUR, told_at=timedelta(0))
    assert _waves(today, push)[0].silent_fetched == 1
    judge(today)
    assert _now(today).wave == 2


def test_a_report_that_differs_stays_failed_when_the_same_is_asked_for_again(today: Registry) -> None:
    push, (key,) = _push(today, 1, "100%")
    number, at = numbers(today, [key])[key], datetime.now(UTC)
    asked = partial(Contact, number, key, home=True)

    def keep(ago: timedelta, fetched: str | None = None, told: Told | None = None) -> None:
        moment = stamp(at - ago)
        with transaction(today.engine) as conn:
            write(conn, [asked(at=moment, fetched=fetched, fetched_at=moment if fetched else None, told=told)])

    differs = Told(True, 50, None, None, drift=("app x is not there",))
    keep(4 * HOUR, "six")
    keep(2 * HOUR, "seven")
    keep(2 * HOUR - HOUR / 4, told=differs)
    assert _waves(today, push)[0].fetched == 1
    keep(HOUR / 2, "seven")
    keep(HOUR / 4)
    keep(timedelta(0), told=differs)
    assert _waves(today, push)[0].failed == 1


def test_what_another_phone_told_by_its_number_does_not_hide_that_it_waits(today: Registry) -> None:
    push, (key,) = _push(today, 1, "100%")
    newer = "app y is 3, which is newer than 2"
    for texts, stand in (
        ([f"{OTHER} (IMEI 1)", f"{OTHER} (IMEI 2)", f"{WAITS}app x is not there"], "fetched"),
        ([f"{OTHER} (IMEI 1)", newer, f"{WAITS}app x is not there"], "failed"),
        ([f"{OTHER} (model {WAITS})", "app x is not there"], "failed"),
        ([f"{OTHER} (IMEI 1)"], "failed"),
    ):
        contact(today, key, fetched="seven", fetched_at=2 * HOUR, told_at=timedelta(0), drift=listed(texts))
        wave = _waves(today, push)[0]
        assert (getattr(wave, stand), wave.silent_fetched) == (1, int(stand == "fetched")), texts


def test_a_wave_has_its_share_of_the_units_that_come(today: Registry) -> None:
    keys = school(today, 12)
    release(today, 7, SEVEN)
    found = sorted(numbers(today, keys).items(), key=lambda one: one[1])
    for place in (3, 8, 11):
        contact(today, found[place][0])
    contact(today, found[0][0], ago=25 * HOUR)
    push = begun(today, 7, SEVEN, Rules(waves=waves("1,50%,100%")))
    assert [push.rules.wave_of(number) for _, number in found] == [1] * 4 + [2] * 5 + [3] * 3


def test_a_first_wave_does_not_take_the_place_of_the_next(today: Registry) -> None:
    keys = school(today, 6)
    release(today, 7, SEVEN)
    found = sorted(numbers(today, keys).items(), key=lambda one: one[1])
    contact(today, found[4][0])
    push = begun(today, 7, SEVEN, Rules(waves=waves("1,50%,100%")))
    assert [push.rules.wave_of(number) for _, number in found] == [1, 2, 2, 2, 2, 3]


def test_the_time_of_a_ledger_that_is_ahead_hides_no_failure(today: Registry) -> None:
    keys = school(today, 1)
    release(today, 7, SEVEN)
    with transaction(today.engine) as conn:
        conn.execute(insert(chains).values(bench="other", seq=0, hash="", at=stamp(datetime.now(UTC) + 20 * HOUR)))
    push = begun(today, 7, SEVEN)
    assert push.changed > stamp(datetime.now(UTC) + 19 * HOUR)
    contact(today, keys[0], fetched="seven", fetched_at=2 * HOUR, told_at=-HOUR / 60, owner=False)
    judge(today)
    assert (_now(today).state, _now(today).why) == (State.PAUSED, "1 of 1 unit of wave 1 failed")


def test_a_rule_of_health_that_cannot_be_read_pauses_a_push_that_asks_for_units(today: Registry) -> None:
    (key,) = school(today, 1)
    release(today, 7, SEVEN)
    begun(today, 7, SEVEN, Rules(where="state=with_student"))
    (today.home.path / "health.yaml").write_text("agent_silent:\n  limit: many\n")
    judge(today)
    assert _now(today).state is State.PAUSED
    assert "its filter cannot be asked any more" in _now(today).why
    assert "health.yaml:2:" in _now(today).why
    with snapshot(today.engine) as conn:
        standing = should_have(conn, today.home, key)
    assert standing == wanted.Wanted("of the bench", "small")


def _since_yesterday(registry: Registry) -> None:
    with transaction(registry.engine) as conn:
        conn.execute(update(pushes).values(clock=stamp(datetime.now(UTC) - 25 * HOUR)))
