"""What a device at home should have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from fleet.account.custody import places
from fleet.account.custody.places import Place
from fleet.db import snapshot, transaction
from fleet.models import agents, units
from fleet.remote.agents import wanted
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen, chosen
from fleet.remote.agents.wanted import Going, Standing, Wanted
from fleet.remote.waves import kept, meant
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import Rules
from fleet.units import Registry
from fleet.values import Json
from tests.remote.agents.at_home import begun, contact, enrolled, numbers, release, school, should_have, unit

BENCH = Wanted("of the bench", "small")


def _wanted(registry: Registry, key: str) -> Wanted | None:
    with snapshot(registry.engine) as conn:
        return should_have(conn, registry.home, key)


def _change(registry: Registry, push: Push, state: State, wave: int = 0) -> None:
    with transaction(registry.engine) as conn:
        kept.change(conn, registry.ledger, push, state, "by lan", wave=wave)


def test_without_a_push_a_unit_should_have_what_its_bench_set_up(registry: Registry) -> None:
    (key,) = school(registry, 1)
    assert _wanted(registry, key) == BENCH
    assert _wanted(registry, unit(registry, 2)) is None


def test_waves_open_one_after_the_other(registry: Registry) -> None:
    keys = school(registry, 10)
    release(registry, 7, {"small": "seven"})
    push = begun(registry, 7, {"small": "seven"}, Rules(waves=("1", "50%", "100%")))
    by_number = [key for key, _ in sorted(numbers(registry, keys).items(), key=lambda one: one[1])]
    new = Wanted("seven", "small", 7, push.name)
    for wave, have in ((1, 1), (2, 5), (3, 10)):
        _change(registry, push, State.RUNNING, wave)
        assert [_wanted(registry, key) for key in by_number] == [new] * have + [BENCH] * (10 - have)


@pytest.mark.parametrize("state", [State.PAUSED, State.ABORTED, State.EXPIRED])
def test_what_does_not_go_on_is_kept_by_who_fetched_it_and_given_to_nobody_else(
    registry: Registry, state: State
) -> None:
    here, there = school(registry, 2)
    release(registry, 7, {"small": "seven"})
    push = begun(registry, 7, {"small": "seven"})
    contact(registry, here, fetched="seven")
    _change(registry, push, state)
    assert _wanted(registry, here) == Wanted("seven", "small", 7, push.name)
    assert _wanted(registry, there) == BENCH


def test_a_filter_is_asked_of_the_unit(registry: Registry) -> None:
    phone, tablet = unit(registry, 1), unit(registry, 2, model="SM-T220")
    for key in (phone, tablet):
        enrolled(registry, key)
    release(registry, 7, {"small": "seven"})
    push = begun(registry, 7, {"small": "seven"}, Rules(where="model=SM-T220 and state=with_student"))
    assert _wanted(registry, tablet) == Wanted("seven", "small", 7, push.name)
    assert _wanted(registry, phone) == BENCH


def test_the_profile_is_that_of_the_enrolment_or_the_one_that_is_named(registry: Registry) -> None:
    small, big = unit(registry, 1), unit(registry, 2)
    enrolled(registry, small)
    enrolled(registry, big, profile="big")
    profiles = {"small": "seven", "big": "big seven", "other": "other seven"}
    release(registry, 7, profiles)
    push = begun(registry, 7, profiles)
    assert _wanted(registry, small) == Wanted("seven", "small", 7, push.name)
    assert _wanted(registry, big) == Wanted("big seven", "big", 7, push.name)
    push = begun(registry, 7, profiles, Rules(profile="other"))
    assert _wanted(registry, big) == Wanted("other seven", "other", 7, push.name)


def test_what_a_bench_set_up_later_stays(registry: Registry) -> None:
    (key,) = school(registry, 1)
    release(registry, 7, {"small": "seven"})
    begun(registry, 7, {"small": "seven"})
    enrolled(registry, key, digest="of a later bench")
    assert _wanted(registry, key) == Wanted("of a later bench", "small")


def test_pushes_that_cannot_matter_any_more_are_not_kept(registry: Registry) -> None:
    school(registry, 1)
    for number in (5, 6, 7):
        release(registry, number, {"small": f"{number}"})
        _change(registry, begun(registry, number, {"small": f"{number}"}), State.DONE)
    with snapshot(registry.engine) as conn:
        assert [one.push.release for one in wanted.read(conn, registry.home).pushes] == [7]


def _filtered(registry: Registry, number: int, where: str, **rules: object) -> Push:
    """A push that is done, of a release of that number."""
    release(registry, number, {"small": f"{number}"})
    push = begun(registry, number, {"small": f"{number}"}, Rules(where=where, **rules))  # type: ignore[arg-type]
    _change(registry, push, State.DONE)
    return push


def _asked(registry: Registry) -> list[int]:
    """The releases of pushes that are asked of each unit."""
    with snapshot(registry.engine) as conn:
        return [one.push.release for one in wanted.read(conn, registry.home).pushes if one.column]


def test_a_newer_push_to_the_same_units_covers_the_older_and_who_fetched_that_keeps_it(registry: Registry) -> None:
    here, there = school(registry, 2)
    for number in (3, 4):
        _filtered(registry, number, "state=with_student")
    assert _asked(registry) == [4]
    assert [_wanted(registry, key) for key in (here, there)] == [Wanted("4", "small", 4, "push-2")] * 2
    contact(registry, here, fetched="3")
    with transaction(registry.engine) as conn:
        conn.execute(update(units).values(state="stock"))
    assert [_wanted(registry, key) for key in (here, there)] == [Wanted("3", "small", 3, "push-1"), BENCH]


def test_what_is_not_covered_is_asked(registry: Registry) -> None:
    school(registry, 2)
    _filtered(registry, 3, "state=with_student")
    _filtered(registry, 4, "model=SM-A105F")
    _filtered(registry, 5, "state=with_student", hours="20:00-06:00")
    _filtered(registry, 6, "state=with_student", profile="small")
    assert _asked(registry) == [6, 5, 4, 3]


def test_so_many_filters_are_asked_and_no_more(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "_MOST", 2)
    (key,) = school(registry, 1)
    for number in (3, 4, 5):
        _filtered(registry, number, f"model=SM-A105F and serial != SN9{number}")
    release(registry, 6, {"big": "6"})
    assert _asked(registry) == [5, 4]
    contact(registry, key, fetched="3")
    with transaction(registry.engine) as conn:
        conn.execute(update(units).values(model="other"))
    assert _wanted(registry, key) == Wanted("3", "small", 3, "push-1")


def test_a_release_made_after_a_push_was_set_up_after_it_whatever_the_clock_of_the_bench(registry: Registry) -> None:
    here, there = school(registry, 2)
    _change(registry, push := _begun_of(registry, 7), State.DONE)
    release(registry, 8, {"small": "eight"})
    enrolled(registry, here, digest="eight")
    with transaction(registry.engine) as conn:
        conn.execute(update(agents).where(agents.c.digest == "eight").values(at="2020-01-01T00:00:00.000Z"))
    assert [_wanted(registry, key) for key in (here, there)] == [
        Wanted("eight", "small"),
        Wanted("7", "small", 7, push.name),
    ]
    with snapshot(registry.engine) as conn:
        mine = chosen(conn, registry.home, push)
        assert list(conn.scalars(select(agents.c.unit).select_from(WITH_CONTACTS).where(mine.of(push)))) == [there]
    again = begun(registry, 7, {"small": "7"}, Rules(older=True))
    assert _wanted(registry, here) == Wanted("7", "small", 7, again.name), "to go back was meant"


def _begun_of(registry: Registry, number: int) -> Push:
    """A push of a release of that number to all."""
    release(registry, number, {"small": f"{number}"})
    return begun(registry, number, {"small": f"{number}"})


def test_a_push_whose_filter_cannot_be_asked_any_more_is_given_to_nobody(registry: Registry) -> None:
    (key,) = school(registry, 1)
    rules = registry.home.path / "health.yaml"
    rules.write_text(
        "young:\n  meaning: {en: a, zh: a, vi: a}\n  where: state=with_student\n  severity: note\n"
        "  next: {en: a, zh: a, vi: a}\n"
    )
    release(registry, 7, {"small": "seven"})
    push = begun(registry, 7, {"small": "seven"}, Rules(where="alarm=young"))
    assert _wanted(registry, key) == Wanted("seven", "small", 7, push.name)
    rules.unlink()
    assert _wanted(registry, key) == BENCH


@pytest.mark.parametrize(
    "where",
    [
        "agent_battery < 50",
        "agent_seen = none or agent_seen < 1d",
        "not agent_differs and model ~ SM",
        "carrier = viettel and place = LE-LOI",
        "sim_changed or holder = S-000000003",
        "alarm = agent_no_owner",
        "not alarm = agent_differs",
        "not alarm = agent_silent and school = none",
    ],
)
def test_one_unit_is_asked_what_all_are(registry: Registry, where: str) -> None:
    keys = school(registry, 4)
    contact(registry, keys[0], battery_level=20, iccid="8984048000099999994")
    contact(registry, keys[1], battery_level=80, owner=False, drift='["app x is not there"]')
    contact(registry, keys[2], ago=timedelta(days=40))
    with transaction(registry.engine) as conn:
        places.put(conn, registry.ledger, Place("LE-LOI", "Lê Lợi", "school", ""))
        fields: dict[str, Json] = {"carrier": "viettel", "quota": "", "state": "in_use", "unit": keys[0]}
        registry.ledger.append(conn, "sim.set", "8984048000012345671", {"v": 1, "step": "receive", "fields": fields})
    release(registry, 7, {"small": "seven"})
    with snapshot(registry.engine) as conn:
        within = meant.within(conn, registry.home, where)
        one_by_one = select(agents.c.unit, wanted.fits(within, agents.c.unit).label("fits")).select_from(WITH_CONTACTS)
        found = {row.unit for row in conn.execute(one_by_one) if row.fits}
        mine = Chosen({"small": "seven"}, "", within)
        assert found == set(conn.scalars(select(agents.c.unit).select_from(WITH_CONTACTS).where(mine.now())))
    assert 0 < len(found) < 4


NOON = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
"""In Ho Chi Minh City; in Lisbon it is five in the morning."""


@pytest.mark.parametrize(
    ("zone", "hours", "has"),
    [
        ("Asia/Ho_Chi_Minh", "11:00-13:00", True),
        ("Asia/Ho_Chi_Minh", "20:00-06:00", False),
        ("Europe/Lisbon", "20:00-06:00", True),
        ("Europe/Lisbon", "11:00-13:00", False),
    ],
)
def test_hours_are_those_of_the_phone(zone: str, hours: str, has: bool) -> None:
    standing = Standing((_going(Rules(hours=hours, zones={"small": zone}, thresholds=("f" * 64,))),))
    found = wanted.of(standing, _row(), NOON)
    assert (found.push == "push-1") is has


def test_a_push_whose_time_is_up_is_given_to_nobody_before_anybody_judged_it() -> None:
    standing = Standing((_going(Rules(until="2026-03-01T04:00:00.000Z", thresholds=("f" * 64,))),))
    assert wanted.of(standing, _row(), NOON) == BENCH


@settings(max_examples=200)
@given(
    pushes=st.lists(
        st.tuples(st.sampled_from(State), st.integers(1, 3), st.sampled_from(["small", "big"])),
        max_size=5,
    ),
    number=st.text("0123456789abcdef", min_size=64, max_size=64),
    fetched=st.none() | st.integers(0, 5),
)
def test_it_is_the_newest_that_is_open_or_was_fetched(
    pushes: list[tuple[State, int, str]], number: str, fetched: int | None
) -> None:
    thresholds = ("3" + "f" * 63, "9" + "f" * 63, "f" * 64)
    goings: list[Going] = []
    expected = BENCH
    row = _row(wanted_number=number, wanted_fetched=None if fetched is None else f"digest {fetched}")
    for place, (state, wave, profile) in enumerate(pushes):
        going = _going(Rules(thresholds=thresholds), place, state, wave, profile)
        goings.insert(0, going)
        is_open = state in (State.RUNNING, State.DONE) and number <= thresholds[wave - 1]
        if profile == "small" and (fetched == place or is_open):
            expected = Wanted(f"digest {place}", "small", place, f"push-{place}")
    assert wanted.of(Standing(tuple(goings)), row, NOON) == expected


def _going(rules: Rules, number: int = 1, state: State = State.RUNNING, wave: int = 1, profile: str = "small") -> Going:
    at = (NOON - timedelta(days=1)).isoformat()
    push = Push(f"push-{number}", number, number, Via.AGENT, state, wave, rules, "", at, "lan", at, at)
    return Going(push, {profile: f"digest {number}"}, None, closed=state not in (State.RUNNING, State.DONE))


def _row(**changes: object) -> SimpleNamespace:
    told = {
        "wanted_number": "0" * 64,
        "wanted_at": "2026-01-01T00:00:00.000Z",
        "wanted_profile": "small",
        "wanted_digest": "of the bench",
        "wanted_fetched": None,
    }
    return SimpleNamespace(**{**told, **changes})
