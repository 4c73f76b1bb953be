"""What goes wrong with a device is one plain sentence and one next action; the cases are files."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pymobiledevice3 import exceptions
from pymobiledevice3.services.afc import AfcError

import provision.ios.refusals
from provision.errors import DeviceError
from provision.ios.refusals import No, explain, explained, signature, word
from provision.text import printable
from tests.benches import ROOT

CASES = yaml.safe_load((ROOT / "tests/data/ios/refusals.yaml").read_text("utf-8"))
ROWS = yaml.safe_load(Path(provision.ios.refusals.__file__).with_name("refusals.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["said"][:40])
def test_cases(case: dict[str, Any]) -> None:
    name, _, text = case["said"].partition(": ")
    error = explain(No(name, text))
    assert type(error).__name__ == case["kind"]
    assert error.what.startswith(case["what"])
    assert error.what.endswith(".")
    assert bool(error.next_action) is case.get("next", True)


def test_every_row_has_a_case() -> None:
    """And none stands in the shadow of another."""
    hit = {next(row["text"] for row in ROWS if re.search(row["text"], case["said"])) for case in CASES}
    assert [row["text"] for row in ROWS if row["text"] not in hit] == []


def test_the_exceptions_are_called_so() -> None:
    """Of pymobiledevice3 or python, as they are named now."""
    named = {name for row in ROWS for name in re.findall(r"\b[A-Z]\w+(?:Error|Exception)\b", row["text"])}
    builtin = {"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "IncompleteReadError"}
    builtin |= {"ConnectionRefusedError", "FileNotFoundError", "PermissionError"}
    builtin |= {"IsADirectoryError", "NotADirectoryError", "OSError"}
    assert named - builtin
    for name in named - builtin:
        assert issubclass(getattr(exceptions, name), exceptions.PyMobileDevice3Exception)


_NO = "GetProhibited"


@pytest.mark.parametrize(
    ("error", "said", "its_word"),
    [
        (exceptions.GetProhibitedError("x", "", "", error=_NO), f"GetProhibitedError: {_NO}", _NO),
        (exceptions.LockdownError("x", "udid", "17", error="Odd"), "LockdownError: Odd", "Odd"),
        (exceptions.PasswordRequiredError("locked"), "PasswordRequiredError: locked", "PasswordProtected"),
        (exceptions.AfcException("x", AfcError.NO_SPACE_LEFT), "AfcException: NO_SPACE_LEFT", "NO_SPACE_LEFT"),
        (exceptions.ConnectionTerminatedError("gone"), "ConnectionTerminatedError: gone", ""),
        (TimeoutError(), "TimeoutError: ", ""),
        (No("CertificateRejected"), "CertificateRejected", "CertificateRejected"),
        (No("A", "b"), "A: b", "A"),
    ],
)  # fmt: skip
def test_what_is_looked_up(error: Exception, said: str, its_word: str) -> None:
    assert (signature(error), word(error)) == (said, its_word)


@pytest.mark.parametrize("error", [TypeError("ours"), AssertionError("ours"), AttributeError("ours")])
def test_a_fault_of_ours_is_not_taken_for_the_device_s(error: Exception) -> None:
    with pytest.raises(type(error)), explained():
        raise error


@pytest.mark.parametrize(
    "error",
    [exceptions.NotPairedError(), asyncio.IncompleteReadError(b"", 4), OSError("x")],
)
def test_all_else_is_the_device_s(error: Exception) -> None:
    with pytest.raises(DeviceError), explained():
        raise error


@given(st.text(min_size=1, max_size=200), st.text(max_size=200))
@settings(max_examples=50)
def test_whatever_it_says_can_be_shown(name: str, text: str) -> None:
    error = explain(No(name, text))
    assert printable(error.what) == error.what
    assert printable(error.next_action) == error.next_action
