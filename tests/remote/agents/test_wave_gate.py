"""Which waves may go on, by how their units stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.remote.agents.gate import ENOUGH, Gate, Wave, gate

_COUNT = st.integers(0, 5)


@settings(max_examples=300)
@given(
    st.lists(
        st.builds(
            lambda w, sw, f, sf, c, x, xs: Wave(1, w + sw, f + sf, c, x + xs, xs, sw, sf),
            *([_COUNT] * 7),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 100),
    st.booleans(),
    st.data(),
)
def test_a_gate_never_opens_past_what_is_not_known(
    found: list[Wave], stop_at: int, waited: bool, data: st.DataObject
) -> None:
    is_open = data.draw(st.integers(1, len(found)))
    said = gate(found, is_open, stop_at, waited=waited)
    last = found[is_open - 1]
    assert is_open <= said.wave <= min(is_open + 1, len(found))
    if said.wave > is_open or said.over:
        assert not said.stop
        assert all(wave.failed_since * 100 <= stop_at * wave.total for wave in found[:is_open])
        told = [wave for wave in found[:is_open] if wave.confirmed + wave.failed >= ENOUGH]
        assert all(wave.failed_since * 100 <= stop_at * (wave.confirmed + wave.failed) for wave in told)
        assert not last.total or (last.confirmed and last.fetched == last.silent_fetched)
    if said.over:
        assert is_open == len(found)


def test_an_empty_wave_holds_up_nothing() -> None:
    assert gate([Wave(1), Wave(2, wanted=1)], 1, 20, waited=False) == Gate(2)


@pytest.mark.parametrize(
    ("wave", "stops"),
    [
        (Wave(1, wanted=99_980, confirmed=12, failed=8, failed_since=8), True),
        (Wave(1, wanted=99_980, confirmed=17, failed=3, failed_since=3), False),
        (Wave(1, wanted=99_991, confirmed=1, failed=8, failed_since=8), False),
        (Wave(1, wanted=2, confirmed=0, failed=1, failed_since=1), True),
        (Wave(1, wanted=2, confirmed=0, failed=1, failed_since=0), False),
    ],
)
def test_failures_are_a_share_of_those_that_told(wave: Wave, stops: bool) -> None:
    assert bool(gate([wave], 1, 20, waited=False).stop) is stops


@pytest.mark.parametrize(
    ("wave", "waited", "stop"),
    [
        (Wave(1, wanted=2, silent_wanted=2), True, "nobody of wave 1 has it after 24 hours"),
        (Wave(1, wanted=2, silent_wanted=2), False, ""),
        (Wave(1, wanted=1, fetched=1, silent_wanted=1), True, ""),
        (Wave(1), True, ""),
    ],
)
def test_nobody_has_it(wave: Wave, waited: bool, stop: str) -> None:
    assert gate([wave], 1, 20, waited=waited).stop == stop
