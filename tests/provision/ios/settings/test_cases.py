"""Readers and settings of iPhones, by cases that are files: tests/data/ios/<reader or setting>/*.yaml.

A case of a setting says what the device answers (by probe), the profile, and every item that must come of it. A case
of a reader says the answers and what is read from them. A value of ``answers`` is what the device says; ``{refused:
WORD}`` is its refusal, ``{bytes: TEXT}`` a file. ``ipas`` are IPAs beside the profile, by name, with the words of
tests/ipas.py. What a case leaves out of ``device`` is as in ``_DEVICE`` here.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.ios import apps, bench, cellular, content, health, identity, makers, screen_lock
from provision.ios.reading import answer, refusal
from provision.ios.supervision import Supervision
from provision.model import Action, Cannot, Facts, Health, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from tests.ipas import make_ipa

DATA = Path(__file__).parents[3] / "data" / "ios"
EXAMPLES = Path(__file__).parents[4] / "examples"
UDID = "00008101-000A1B2C3D4E001E"
_SETTINGS: Mapping[str, Any] = {
    "apps": apps,
    "bench": bench,
    "content": content,
    "identity": identity,
    "screen_lock": screen_lock,
}
_READERS: Mapping[str, Any] = {"cellular": cellular, "health": health, "makers": makers}
_DEVICE = {"platform": "ios", "serial": "F17", "maker": "Apple", "model": "iPhone 12", "version": "17.7.2", "api": 17}
_PROPERTIES = {"DeviceClass": "iPhone", "ProductType": "iPhone13,2", "UniqueDeviceID": UDID}
_TIME = 1_700_000_000
"""When every file of a case was last changed."""


def cases(names: Mapping[str, Any]) -> list[Any]:
    files = sorted(file for name in names for file in (DATA / name).glob("*.yaml"))
    return [pytest.param(file, id=f"{file.parent.name}-{file.stem}") for file in files]


def read(file: Path) -> Mapping[str, Any]:
    case: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


def device(case: Mapping[str, Any]) -> Identity:
    said = dict(case.get("device", {}))
    return Identity(**{**_DEVICE, **said}, properties={**_PROPERTIES, **case.get("properties", {})})


def answers(said: Mapping[str, Any]) -> Mapping[str, Answer]:
    return {name: _answer(value) for name, value in said.items()}


def _answer(said: Any) -> Answer:
    if isinstance(said, dict) and set(said) == {"refused"}:
        return refusal(said["refused"])
    return answer(said["bytes"].encode() if isinstance(said, dict) and set(said) == {"bytes"} else said)


def profile_of(case: Mapping[str, Any], folder: Path) -> Profile:
    for name, words in case.get("ipas", {}).items():
        ends = {"expires": datetime.fromisoformat(words["expires"])} if "expires" in words else {}
        make_ipa(folder / name, **{**words, **ends})
    for name, text in case.get("files", {}).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        os.utime(file, (_TIME, _TIME))
    file = folder / "case.yaml"
    file.write_text(f"profile: case\n{case['profile']}", encoding="utf-8")
    return load(str(file), Secrets({"FLEET_SECRET_PIN": "2468"}))


def _facts(case: Mapping[str, Any], who: Identity) -> Facts:
    """``supervised``: by our keybag; ``set_up``: its first setup is over. No configuration is installed."""
    ours = case.get("supervised", False)
    found = {
        "supervision": Supervision(supervised=ours, ours=ours, known=ours, set_up=case.get("set_up")),
        "configuration": {},
    }
    return Facts(who, health=Health(storage_free=case.get("storage_free")), found=found)


def _masked(action: Action) -> str:
    """The size of an IPA or a manifest is not what a case is about."""
    return re.sub(r"\(\d+ bytes\)", "(SIZE bytes)", action.masked)


def described(item: Item) -> dict[str, Any]:
    """An item in the words of a case file; what is empty is left out there, too."""
    state = item.state
    told: dict[str, Any] = {
        "id": item.id,
        "want": item.want,
        "state": {Met: "met", Step: "step", Cannot: "cannot"}[type(state)],
        "why": state.why,
        "next": state.next_action if isinstance(state, Cannot) else "",
        "in_the_way": isinstance(state, Cannot) and state.in_the_way,
        "actions": [_masked(action) for action in state.actions] if isinstance(state, Step) else [],
        "strength": str(item.strength) if item.strength else "",
        "required": item.required,
    }
    return {key: value for key, value in told.items() if value}


@pytest.mark.parametrize("file", cases(_SETTINGS))
def test_a_setting_plans_what_its_case_says(file: Path, tmp_path: Path) -> None:
    case, setting = read(file), _SETTINGS[file.parent.name]
    who, profile = device(case), profile_of(case, tmp_path)
    asked = setting.probes(profile, who, False)
    assert set(asked) == set(case["answers"]), "a case answers exactly what is asked"
    found = setting.parse(answers(case["answers"]), profile, who)
    facts = _facts(case, who)
    items = list(setting.plan(profile, found, facts, Unit(tag=case.get("tag"), seal_key=b"key")))
    assert [described(item) for item in items] == case["items"]
    assert all(item.source for item in items), "what a profile asks for says where"
    assert "2468" not in str([described(item) for item in items])


@pytest.mark.parametrize("file", cases(_READERS))
def test_a_reader_reads_what_its_case_says(file: Path) -> None:
    case, reader = read(file), _READERS[file.parent.name]
    who, profile = device(case), Profile(profile="case")
    assert set(case["answers"]) <= set(reader.probes(profile, who, False)), "a case answers what is asked"
    found = dataclasses.asdict(reader.parse(answers(case["answers"]), profile, who))
    found = {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}
    assert {key: found[key] for key in case["expect"]} == case["expect"]


@pytest.mark.parametrize("name", [*_SETTINGS, *(name for name in _READERS if name != "makers")])
def test_it_has_a_case(name: str) -> None:
    assert list((DATA / name).glob("*.yaml"))
