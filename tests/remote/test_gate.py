"""Which waves may go on: all of the table, and what always holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.remote.pushes.gate import gate
from fleet.remote.pushes.work import State, Wave


def wave(number: int, off: int = 0, bad: int = 0, **states: int) -> Wave:
    found = {State(name): count for name, count in states.items()}
    return Wave(number, sum(found.values()), off, bad, found)


CASES = [
    ("nobody was tried yet", [wave(1, waiting=1), wave(2, waiting=9)], 1, "", False),
    ("the first is at work", [wave(1, sending=1), wave(2, waiting=9)], 1, "", False),
    ("the first has it", [wave(1, done=1), wave(2, waiting=9)], 2, "", False),
    ("the first is off", [wave(1, off=1, waiting=1), wave(2, waiting=9)], 1, "", False),
    ("one of the first is off, one has it", [wave(1, off=1, waiting=1, done=1), wave(2, waiting=9)], 2, "", False),
    ("the first failed", [wave(1, failed=1), wave(2, waiting=9)], 1, "1 of 1 site of wave 1 failed", False),
    (
        "devices at the first failed",
        [wave(1, bad=1, done=1), wave(2, waiting=9)],
        1,
        "1 of 1 site of wave 1 failed",
        False,
    ),
    ("few failed", [wave(1, failed=1, done=9), wave(2, waiting=9)], 2, "", False),
    ("all have it", [wave(1, done=1), wave(2, done=9)], 2, "", True),
    ("all have it but one that needs somebody", [wave(1, done=1), wave(2, done=8, failed=1)], 2, "", True),
    ("all have it but one that is off", [wave(1, done=1), wave(2, done=8, off=1, waiting=1)], 2, "", False),
    ("all were removed", [], 0, "", True),
]


@pytest.mark.parametrize(
    ("waves", "open_", "stop", "over"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_waves(waves: list[Wave], open_: int, stop: str, over: bool) -> None:
    found = gate(waves, 20)
    assert (found.wave, found.stop, found.over) == (open_, stop, over)


@st.composite
def some(draw: st.DrawFn) -> list[Wave]:
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        states = {state: draw(st.integers(0, 5)) for state in State}
        off, bad = draw(st.integers(0, states[State.WAITING])), draw(st.integers(0, states[State.DONE]))
        found.append(Wave(number, sum(states.values()), off, bad, states))
    return found


@given(some(), st.integers(0, 100))
def test_nothing_opens_behind_a_wave_that_is_not_through(waves: list[Wave], stop_at: int) -> None:
    found = gate(waves, stop_at)
    for before in waves[: found.wave - 1]:
        assert before.failed * 100 <= stop_at * before.total
        assert before.of(State.CONNECTING, State.SENDING, State.BRINGING) == 0
        assert before.of(State.WAITING) == before.off
        assert before.of(State.DONE) or not before.off
    if found.over:
        assert found.left == 0
        assert not found.stop
