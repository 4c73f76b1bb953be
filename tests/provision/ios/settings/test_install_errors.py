"""What iPhones say when they refuse an app: tests/data/ios/install_errors.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from provision.ios import install_errors
from provision.ios.install_errors import explain
from provision.text import printable

ROWS = yaml.safe_load((Path(__file__).parents[3] / "data" / "ios" / "install_errors.yaml").read_text("utf-8"))
TABLE = yaml.safe_load(Path(install_errors.__file__).with_suffix(".yaml").read_text("utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['error']} {row['description'][-40:]}")
def test_a_refusal_is_explained(row: Mapping[str, Any]) -> None:
    found = explain(row["error"], row["description"], row.get("detail"))
    assert (found.code, found.kind) == (row["code"], row["kind"])
    assert row["says"] in f"{found.reason} {found.next_action}"
    assert found.next_action


def test_every_row_has_a_case() -> None:
    told = {explain(row["error"], row["description"], row.get("detail")).reason for row in ROWS}
    assert not [row["reason"] for row in TABLE if row["reason"] not in told]


def test_every_refusal_that_the_facts_name_has_a_row() -> None:
    assert {row.get("code") for row in TABLE} >= {"0xe8008015", "0xe8008016", "0xe800801c", "0xe8008001"}


@hypothesis_settings(max_examples=60)
@given(
    error=st.text(max_size=40), description=st.text(max_size=80), detail=st.one_of(st.integers(), st.none(), st.text())
)
def test_whatever_a_device_says_is_told_plainly(error: str, description: str, detail: object) -> None:
    found = explain(error, description, detail)
    assert printable(found.reason) == found.reason
