"""The table of payloads: what it finds wrong, by cases, and whether it says the same as the other tables do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles.restrictions import table
from provision.ios.payloads import Kind, check
from provision.virtual.ios import payload_types

CASES = yaml.safe_load((Path(__file__).parents[3] / "data/ios/payloads/cases.yaml").read_text(encoding="utf-8"))
RULES = [row for row in table().values() if row.ios]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_what_is_wrong_with_a_payload(case: dict[str, Any]) -> None:
    device = {"version": "17.0", "supervised": True, **case.get("device", {})}
    found = check(case["payload"], device["version"], device["supervised"])
    assert [[str(problem.kind), problem.where, problem.what] for problem in found] == case["problems"]


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
def test_every_rule_is_a_key_that_a_new_supervised_device_takes(row: Any) -> None:
    payload = {"PayloadType": "com.apple.applicationaccess", row.ios.key: row.ios.deny}
    assert not check(payload, "26.0", True)
    kinds = {problem.kind for problem in check(payload, "26.0", False)}
    assert kinds == ({Kind.SUPERVISED} if row.ios.supervised else set())


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
def test_every_rule_begins_where_the_virtual_iphone_has_it_from_apple(row: Any) -> None:
    def obeyed(version: str, supervised: bool) -> bool:
        payload = {"PayloadType": "com.apple.applicationaccess", row.ios.key: row.ios.deny}
        return bool(payload_types.restrictions(payload, version, supervised=supervised))

    assert obeyed(row.ios.min_os, True)
    assert obeyed("26.0", False) is not row.ios.supervised
    older = [
        version for version in ("3.0", "6.1", "8.4", "10.3", "11.4", "12.0", "13.7") if _before(version, row.ios.min_os)
    ]
    assert not [version for version in older if obeyed(version, True)]


def _before(one: str, other: str) -> bool:
    return payload_types.number(one) < payload_types.number(other)
