from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import iccid
from fleet.account.sims.data_plan_terms import end_of, size, terms
from fleet.errors import AccountError
from tests.account.sim_making import cases


@pytest.mark.parametrize("case", cases("iccids.yaml"), ids=lambda case: case["told"])
def test_a_number_has_one_form(case: dict[str, str]) -> None:
    assert iccid.normal(case["told"]) == case["kept"]
    why = iccid.problem(case["told"])
    assert (case["listed"] in why) if case["listed"] else not why


@given(st.integers(0, 10**13 - 1), st.sampled_from(["84", "86", "1", "49"]), st.integers(0, 1))
def test_whoever_tells_a_number_means_one_card(n: int, country: str, longer: int) -> None:
    """With its check digit, without it, with a filler: the registry finds the card."""
    length = 19 if country == "86" else 18 + longer
    payload = f"89{country}{n}".ljust(length, "7")[:length]
    printed = payload + iccid.check_digit(payload)
    assert not iccid.problem(printed)
    assert iccid.normal(printed) == printed
    if len(printed) == 19:
        assert iccid.normal(f"{printed}F") == printed
    if not iccid.is_whole(payload) or country == "86":  # else nobody can know that a digit is lacking
        assert iccid.normal(payload) == printed


@given(st.integers(0, 10**16 - 1), st.integers(2, 18), st.integers(1, 9))
def test_a_mistyped_digit_is_noticed(n: int, at: int, by: int) -> None:
    payload = f"89{n:016d}"
    printed = payload + iccid.check_digit(payload)
    wrong = printed[:at] + str((int(printed[at]) + by) % 10) + printed[at + 1 :]
    if not wrong.startswith("8986"):  # printed without a check digit
        assert "mistyped" in iccid.problem(wrong)


@given(st.text(max_size=25))
def test_any_text_has_a_form_or_none(told: str) -> None:
    kept = iccid.normal(told)
    assert kept == "" or (kept.isascii() and kept.isdigit() and len(kept) in iccid.LENGTHS)
    assert iccid.normal(kept) == kept


@pytest.mark.parametrize("case", cases("plans.yaml"), ids=lambda case: case["said"] or "nothing")
def test_plans_as_people_write_them(case: dict[str, Any]) -> None:
    if "wrong" in case:
        with pytest.raises(AccountError, match=case["wrong"]):
            terms(case["said"])
        return
    found = terms(case["said"])
    assert (found.quota, found.days) == (case["quota"], case["days"])
    assert size(found.quota) == (case["bytes"], case["per"])
    assert terms(found.quota).quota == found.quota


def test_a_plan_ends_so_many_days_after_it_was_accepted() -> None:
    assert end_of("2021-10-05T02:30:00.000Z", 90) == "2022-01-03T02:30:00.000Z"
    assert end_of("2021-10-05T02:30:00.000Z", None) is None
