"""What comes of a profile on a certain iPhone or iPad, by cases that are files: tests/data/ios/configuration/*.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision.ios.wanted import situation, wanted
from tests.provision.ios.config.cases import SECRETS, UNIT, facts_of, payloads_of, planned, profile_of, told

FILES = sorted((Path(__file__).parents[3] / "data/ios/configuration").glob("*.yaml"))


def read(file: Path) -> Mapping[str, Any]:
    case: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_plans_what_the_case_says(file: Path, tmp_path: Path) -> None:
    case = read(file)
    profile = profile_of(case["profile"], tmp_path)
    items = planned(profile, facts_of(case, profile))
    found = told(items)
    for row, said in zip(found, case["items"], strict=False):
        if "actions" not in said:
            row.pop("actions", None)
    assert found == case["items"]
    assert all(item.source for item in items), "what a profile asks for says where"


@pytest.mark.parametrize("file", [file for file in FILES if "payloads" in read(file)], ids=lambda file: file.stem)
def test_the_configuration_holds_what_the_case_says(file: Path, tmp_path: Path) -> None:
    case = read(file)
    profile = profile_of(case["profile"], tmp_path)

    assert payloads_of(profile, facts_of(case, profile)) == case["payloads"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_secrets_are_in_the_data_and_nowhere_else(file: Path, tmp_path: Path) -> None:
    case = read(file)
    profile = profile_of(case["profile"], tmp_path)
    facts = facts_of(case, profile)
    configured = wanted(profile, situation(facts), UNIT).configuration
    shown = repr((planned(profile, facts), wanted(profile, situation(facts), UNIT), payloads_of(profile, facts)))
    assert not [secret for secret in SECRETS.values() if secret in shown]
    if configured and "password: !secret wifi" in case["profile"]:
        assert SECRETS["FLEET_SECRET_WIFI"].encode() in configured.data
