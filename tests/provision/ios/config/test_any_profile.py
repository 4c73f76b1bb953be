"""Whatever the profile and the device: one configuration that is valid, the same every time, and obeyed in whole.

The judge is the virtual iPhone, which reads and admits profiles by a table of its own.
"""

from __future__ import annotations

import json
import plistlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.load import load
from profiles.restrictions import IosKey, table
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.ios.mobileconfig import IDENTIFIER, Mobileconfig
from provision.ios.payloads import check
from provision.ios.wanted import situation, wanted
from provision.model import Cannot, Facts, Unit
from provision.virtual.ios import payload_types, profile_check
from tests.provision.ios.config.cases import SECRETS, UNIT, facts_of, planned
from tests.provision.ios.config.profiles import VERSIONS, devices, profiles

OPEN = [{"ssid": "A", "security": "open"}]
CALM = settings(max_examples=80)


def loaded(tree: Mapping[str, Any]) -> Profile:
    """By way of a file, as profiles come; JSON is YAML, but for the tags of secrets."""
    text = json.dumps(tree, ensure_ascii=False).replace('"!secret wifi"', "!secret wifi")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "any.yaml")
        file.write_text(text, encoding="utf-8")
        return load(str(file), Secrets(SECRETS))


def configured(profile: Profile, facts: Facts, unit: Unit = UNIT) -> Mobileconfig | None:
    return wanted(profile, situation(facts), unit).configuration


@CALM
@given(tree=profiles(), device=devices)
def test_a_phone_takes_it_and_obeys_all_of_it(tree: dict[str, Any], device: dict[str, Any]) -> None:
    profile = loaded(tree)
    facts = facts_of({"device": device}, profile)
    found = configured(profile, facts)
    if found is not None:
        obeyed(found, facts)


@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_of_all_rules_at_once_it_obeys_all_that_are_in_it(version: str, supervised: bool) -> None:
    profile = loaded({"profile": "all", "network": {"wifi": OPEN}, "restrictions": dict.fromkeys(table(), "deny")})
    facts = facts_of({"device": {"version": version, "ours": supervised}}, profile)
    found = configured(profile, facts)
    assert found is not None
    obeyed(found, facts)
    parts = wanted(profile, situation(facts), UNIT).parts
    said = {part.key for part in parts if part.setting == "restrictions" and part.content}
    kept = {name for name, row in table().items() if row.ios and _takes(row.ios, version, supervised)}
    assert said == kept, "neither more nor less than this phone takes"


def _takes(key: IosKey, version: str, supervised: bool) -> bool:
    payload = {"PayloadType": payload_types.RESTRICTIONS, key.key: key.deny}
    return bool(payload_types.restrictions(payload, version, supervised=supervised))


def obeyed(found: Mobileconfig, facts: Facts) -> None:
    """A virtual phone of this kind reads it, admits it, knows every payload and obeys every restriction."""
    now = situation(facts)
    read = profile_check.read(found.data, now.version)
    profile_check.admit(read, [], now.version, supervised=now.supervised)
    assert read.identifier == IDENTIFIER
    assert read.uuid == found.uuid
    for payload in read.payloads:
        assert payload_types.kind(payload, now.version), "a phone that does not know it does nothing"
        if payload["PayloadType"] == payload_types.RESTRICTIONS:
            keys = {key for key in payload if not key.startswith("Payload")}
            assert keys == set(payload_types.restrictions(payload, now.version, supervised=now.supervised))
    assert not check(read.content, now.version, now.supervised)


@CALM
@given(tree=profiles(), device=devices)
def test_what_is_in_it_is_what_the_items_say(tree: dict[str, Any], device: dict[str, Any]) -> None:
    profile = loaded(tree)
    facts = facts_of({"device": device}, profile)
    items = planned(profile, facts)
    assert len({item.id for item in items}) == len(items)
    assert all(item.state.why and item.source for item in items)
    parts = wanted(profile, situation(facts), UNIT).parts
    impossible = {item.id for item in items if isinstance(item.state, Cannot)}
    for part in parts:
        if part.content:
            assert f"{part.setting}.{part.key}" not in impossible


@CALM
@given(tree=profiles(), device=devices)
def test_the_same_profile_gives_the_same_bytes_and_another_key_other_uuids(
    tree: dict[str, Any], device: dict[str, Any]
) -> None:
    one, again = loaded(tree), loaded(tree)
    facts = facts_of({"device": device}, one)
    first = configured(one, facts)
    assert first == configured(again, facts)
    if first:
        other = configured(one, facts, Unit(seal_key=b"another registry"))
        assert other
        assert other.uuid != first.uuid
        assert _without_uuids(other.data) == _without_uuids(first.data)


def _without_uuids(data: bytes) -> Any:
    content = plistlib.loads(data)
    for part in (content, *content["PayloadContent"]):
        del part["PayloadUUID"]
    return content


@settings(max_examples=20)
@given(tree=profiles(), device=devices, password=st.text("0123456789abcdef", min_size=8, max_size=20))
def test_another_password_is_another_configuration(tree: dict[str, Any], device: dict[str, Any], password: str) -> None:
    tree["network"] = {"wifi": [{"ssid": "A", "password": "!secret wifi"}]}
    profile = loaded(tree)
    facts = facts_of({"device": device}, profile)
    before = configured(profile, facts)
    after = wanted(profile, situation(facts), UNIT, lambda _: password).configuration
    assert before
    assert after
    assert (after.uuid == before.uuid) == (password == SECRETS["FLEET_SECRET_WIFI"])
