"""The panes of the Setup Assistant, by version of iOS; and versions compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles.errors import ProfileError
from profiles.setup_panes import panes, parse, table
from profiles.strict_yaml import parse as parse_yaml
from profiles.versions import at_least


def test_those_that_a_version_has_in_the_order_of_the_table() -> None:
    assert panes(("Siri", "AppleID"), "12.0") == ("AppleID", "Siri")
    assert panes("all", "12.0")[:3] == ("Android", "AppleID", "Biometric")
    assert "Intelligence" not in panes("all", "17.6")
    assert "Intelligence" in panes("all", "18")
    assert panes((), "18.0") == ()


@pytest.mark.parametrize("name", [name for name, pane in table().items() if pane.until])
def test_what_went_is_not_asked_for_any_more(name: str) -> None:
    pane = table()[name]
    assert panes((name,), pane.min_os) == (name,)
    assert panes((name,), pane.until) == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{about: x}", "1:1: must be a map of about, from and, where it went, until"),
        ("{about: x, from: '1', to: '2'}", "1:1: must be a map of about, from and, where it went, until"),
        ("x", "1:1: must be a map of about, from and, where it went, until"),
    ],
)
def test_mistakes_are_told_by_their_place(row: str, expected: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(parse_yaml(f"A: {row}".encode(), Path("/p.yaml")))
    assert str(caught.value) == f"/p.yaml:{expected}"


def test_a_file_without_panes_is_none() -> None:
    with pytest.raises(ProfileError, match="must be a map of panes"):
        parse(parse_yaml(b"[]", Path("/p.yaml")))


@pytest.mark.parametrize(
    ("version", "minimum", "is_so"),
    [
        ("15.4.1", "15.4", True),
        ("15", "15.0", True),
        ("15.0", "15", True),
        ("9.3.5", "10.0", False),
        ("14.4", "14.5", False),
        ("26.0", "18.2", True),
        ("", "0", True),
        ("beta", "1.0", False),
    ],
)
def test_versions_are_compared_number_by_number(version: str, minimum: str, is_so: bool) -> None:
    assert at_least(version, minimum) is is_so
