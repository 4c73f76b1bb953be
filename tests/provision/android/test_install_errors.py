"""Refusals of apps: every code of the facts has a reason, and what phones really print is understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.android.install_errors import explain
from provision.text import printable

DATA = Path(__file__).parents[2] / "data/android"
CASES = yaml.safe_load((DATA / "install_errors.yaml").read_text(encoding="utf-8"))
CODES = (DATA / "install_codes.txt").read_text().split()
"""The codes of Android 16, facts/android.md §2.1 and §2.2."""

RETRYABLE = {
    "INSTALL_FAILED_ABORTED",
    "INSTALL_FAILED_SESSION_INVALID",
    "INSTALL_FAILED_VERIFICATION_TIMEOUT",
    "INSTALL_FAILED_MEDIA_UNAVAILABLE",
    "DELETE_FAILED_ABORTED",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["answer"][:60].strip() or "nothing")
def test_what_phones_say(case: dict[str, Any]) -> None:
    found = explain(case["answer"], maker=case.get("maker", "google"), skin=case.get("skin", ""))

    assert found.code == case["code"]
    assert found.kind == case["kind"]
    assert case["says"] in f"{found.reason} {found.next_action}"


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("form", ["Failure [{}]", "Failure [{}: with words]\n", "noise\r\nFailure [{}: a [b] c]\r\n"])
def test_every_code_has_a_reason_and_one_next_action(code: str, form: str) -> None:
    found = explain(form.format(code), maker="google", skin="")

    assert found.code == code
    assert code not in found.reason  # an unknown code repeats the phone's own words
    assert found.reason.endswith(".")
    assert found.next_action.endswith(".")
    assert found.retryable == (code in RETRYABLE)


def test_an_unknown_refusal_gives_the_phone_s_own_words_without_its_control_characters() -> None:
    found = explain("\x1b[2J\nFailure [INSTALL_FAILED_X\x07: \x1b[31mred]", maker="", skin="")

    assert found.reason == r"The phone refused the app: Failure [INSTALL_FAILED_X\x07: \x1b[31mred]"
    assert not found.retryable


def test_megabytes_of_noise_are_cut() -> None:
    found = explain("x" * 5_000_000, maker="", skin="")

    assert len(found.reason) < 400


@given(st.text(max_size=300), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=100)
def test_no_answer_is_too_strange(answer: str, maker: str, skin: str) -> None:
    found = explain(answer, maker=maker, skin=skin)

    assert printable(found.reason) == found.reason
    assert found.next_action
