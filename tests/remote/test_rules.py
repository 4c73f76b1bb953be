from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.remote.errors import PushError
from fleet.remote.waves import rules
from fleet.remote.waves.rules import Rules

HOUR, MINUTE = st.integers(0, 23), st.integers(0, 59)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "1", "1,50%", "0,100%", "100%,1", "101%,100%", "2,1,100%", "50%,10%,100%", "1,1,100%"]
)
def test_waves_that_do_not_add_up(text: str) -> None:
    with pytest.raises(PushError):
        rules.divided(rules.waves(text), list("abcdefghij"))


def test_waves_by_number_and_share() -> None:
    names = [f"s{n:02}" for n in range(40)]
    found = rules.divided(rules.waves("1,10%,100%"), names)
    assert [sum(wave == n for wave in found.values()) for n in (1, 2, 3)] == [1, 3, 36]
    assert found["s00"] == 1


def test_a_wave_that_adds_nobody_is_left_out() -> None:
    assert rules.divided(rules.waves("1,10%,100%"), ["a", "b"]) == {"a": 1, "b": 2}


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True), st.integers(1, 300))
def test_every_site_is_in_one_wave_and_waves_follow_each_other(shares: list[int], total: int) -> None:
    names = [f"{n}" for n in range(total)]
    steps = [f"{share}%" for share in sorted(shares) if share < 100] + ["100%"]
    found = rules.divided(rules.waves(",".join(steps)), names)
    assert list(found) == names
    waves = list(found.values())
    assert waves == sorted(waves)
    assert set(waves) == set(range(1, max(waves) + 1))


@pytest.mark.parametrize("text", ["8-10", "08:00", "24:00-06:00", "08:60-09:00", "08:00-08:00", "20:00–06:00"])
def test_hours_that_are_none_or_never_open(text: str) -> None:
    with pytest.raises(PushError):
        rules.hours(text)


def test_hours_go_by_the_clock_of_the_site() -> None:
    night = Rules(hours="20:00-06:00")
    assert not night.open_at(NOON, 7 * 60)  # 19:00 there
    assert night.opens_next(NOON, 7 * 60) == NOON + timedelta(hours=1)
    assert night.open_at(NOON, 8 * 60)  # 20:00 there
    assert night.open_at(NOON - timedelta(hours=7), 0)  # 05:00
    assert night.opens_next(NOON, 0) == NOON + timedelta(hours=8)


@given(HOUR, MINUTE, HOUR, MINUTE, st.integers(-720, 840), st.integers(0, 10**6))
def test_it_opens_when_it_says(h: int, m: int, to_h: int, to_m: int, zone: int, minutes: int) -> None:
    text = f"{h:02}:{m:02}-{to_h:02}:{to_m:02}"
    if (h, m) == (to_h, to_m):
        return
    window, moment = Rules(hours=rules.hours(text)), NOON + timedelta(minutes=minutes)
    opening = window.opens_next(moment, zone)
    assert window.open_at(opening, zone)
    assert moment <= opening <= moment + timedelta(days=1)
    if opening > moment:
        assert not window.open_at(opening - timedelta(minutes=1), zone)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "2026-11-01", "2020-01-01T00:00"])
def test_a_day_that_is_none_or_over(text: str) -> None:
    with pytest.raises(PushError):
        rules.until(text, NOON)


def test_a_day_counts_to_its_end() -> None:
    given_up = Rules(until=rules.until("2026-11-23", NOON))
    assert not given_up.expired(rules.stamp(NOON + timedelta(hours=20)))
    assert given_up.expired(rules.stamp(NOON + timedelta(days=3)))


def test_rules_are_kept_as_they_are() -> None:
    said = Rules(("1", "100%"), 5, "20:00-06:00", "2026-11-30T00:00:00.000Z", bring=False, profile="a", older=True)
    assert rules.rules_of(said.told()) == said
