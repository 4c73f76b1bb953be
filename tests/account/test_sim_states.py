"""The steps of a SIM: what leads where, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import AccountError
from fleet.sim_states import STEPS, SimState, reached, where_to
from tests.account.sim_making import number

ROW: dict[str, Any] = {
    "iccid": number(1),
    "state": "received",
    **dict.fromkeys(("unit", "student", "activated_at", "accepted_at", "used_at", "read_at")),
}
AT = "2021-10-05T00:00:00.000Z"


def test_the_usual_way() -> None:
    way = {
        "receive": ("ordered", "received"),
        "insert": ("received", "inserted"),
        "read": ("inserted", "read"),
        "activate": ("read", "activated"),
        "accept": ("activated", "handed_over"),
        "use": ("handed_over", "in_use"),
        "idle": ("in_use", "idle"),
        "end": ("idle", "ended"),
    }
    for step, (before, after) in way.items():
        assert where_to(step, {**ROW, "state": before}) == after


def test_what_comes_out_of_order_does_not_set_back() -> None:
    for state in ("activated", "handed_over", "in_use", "idle"):
        assert where_to("read", {**ROW, "state": state}) == state
    assert where_to("insert", {**ROW, "state": "activated"}) == "activated"
    assert where_to("activate", {**ROW, "state": "handed_over"}) == "handed_over"


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"activated_at": AT}, "activated"),
        ({"activated_at": AT, "accepted_at": AT}, "handed_over"),
        ({"activated_at": AT, "accepted_at": AT, "used_at": "2021-10-05"}, "in_use"),
        ({"activated_at": AT, "accepted_at": AT, "used_at": "2021-10-01"}, "handed_over"),
        ({"read_at": AT}, "read"),
        ({"unit": "android:A"}, "inserted"),
        ({}, "received"),
    ],
)
def test_resumed_as_far_as_it_had_come(row: dict[str, Any], state: str) -> None:
    suspended = {**ROW, "state": "suspended", **row}
    assert where_to("resume", suspended) == reached(suspended) == state


def test_a_refusal_says_what_it_is_and_what_it_would_have_to_be() -> None:
    with pytest.raises(AccountError) as told:
        where_to("suspend", {**ROW, "state": "read"})
    assert "is read; to suspend it, it would have to be activated, handed over, in use, idle" in told.value.what
    with pytest.raises(AccountError, match="it was never activated") as told:
        where_to("suspend", {**ROW, "state": "handed_over"})
    assert "fleet sim activate" in told.value.next_action
    with pytest.raises(AccountError, match="is ended"):
        where_to("end", {**ROW, "state": "ended"})


@given(st.sampled_from(sorted(STEPS)), st.sampled_from(list(SimState)))
def test_every_step_from_every_state_leads_somewhere_or_says_why_not(step: str, state: SimState) -> None:
    row = {**ROW, "state": str(state), "activated_at": AT}
    allowed = state in STEPS[step].starts | STEPS[step].stays
    if allowed:
        assert where_to(step, row) in SimState
        return
    with pytest.raises(AccountError, match=number(1)) as told:
        where_to(step, row)
    assert told.value.next_action
