"""The settings and readers of an Android device, by cases that are files: tests/data/android/<setting>/*.yaml.

A case of a setting says what the phone answers (by probe), the profile, and every item that must come of it. A case
of a reader says the answers and what is read from them. EXAMPLES in a profile is the folder examples/. Keys that a
case leaves out have the values of ``_DEVICE`` and ``_READERS`` here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.android import identity, refusals
from provision.android.settings import READERS, SETTINGS
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Strength, Unit
from provision.owned import Agent, BenchServer, Heard, Number
from provision.setting import Answer

DATA = Path(__file__).parents[2] / "data" / "android"
EXAMPLES = Path(__file__).parents[3] / "examples"
_DEVICE = {"platform": "android", "serial": "S1", "maker": "google", "model": "Pixel", "version": "13", "api": 33}
_READERS: Mapping[str, Mapping[str, str]] = {
    "locks": {"accounts": "accounts=0", "policy": "Current Device Policy Manager state:", "owners": "no owners"},
    "cellular": {"state": "LOADED", "numeric": "45204", "name": "Viettel"},
}
_SECRETS = {
    "FLEET_SECRET_WIFI": "hoc-tap-tot",
    "FLEET_SECRET_PIN": "2468",
    "FLEET_SECRET_APN": "s3cret",
    "FLEET_SECRET_AGENT": "swordfish",
}


def _cases(*names: str) -> list[Any]:
    files = sorted(file for name in names for file in (DATA / name).glob("*.yaml"))
    return [pytest.param(file, id=f"{file.parent.name}-{file.stem}") for file in files]


def _read(file: Path) -> Mapping[str, Any]:
    case: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


def _device(case: Mapping[str, Any]) -> Identity:
    return Identity(**{**_DEVICE, **case.get("device", {})}, properties=case.get("properties", {}))


def _answers(said: Mapping[str, Any]) -> Mapping[str, Answer]:
    return {name: Answer(*text) if isinstance(text, list) else Answer(text) for name, text in said.items()}


def _profile(text: str, folder: Path) -> Profile:
    file = folder / "case.yaml"
    file.write_text("profile: case\n" + text.replace("EXAMPLES", str(EXAMPLES)), encoding="utf-8")
    return load(str(file), Secrets(_SECRETS))


def _facts(case: Mapping[str, Any], who: Identity, profile: Profile) -> Facts:
    said = {name: case.get("readers", {}).get(name, _READERS.get(name, {})) for name in READERS}
    found = {name: reader.parse(_answers(said[name]), profile, who) for name, reader in READERS.items()}
    return Facts(who, **found)


def _unit(case: Mapping[str, Any], profile: Profile) -> Unit:
    """``sealed`` in a case holds the plain values that the last run sealed; ``agent`` how its owner's agent stands,
    ``fetched: this`` that it has this very profile, ``server`` that the bench has one."""
    unit = Unit(tag=case.get("unit", {}).get("tag"), seal_key=b"key", agent=_agent(case, profile))
    sealed = {item: unit.seal(value) for item, value in case.get("unit", {}).get("sealed", {}).items()}
    return dataclasses.replace(unit, sealed=sealed)


def _agent(case: Mapping[str, Any], profile: Profile) -> Agent | None:
    told = dict(case.get("unit", {}).get("agent") or {})
    if not told or profile.owner is None:
        return None
    if told.get("fetched") == "this":
        told["fetched"] = profile.digest
    told["number"] = Number(told.get("number", "none"))
    if told.get("server"):
        told["server"] = BenchServer(8080, lambda: "N1", lambda: None, lambda _since, _seconds: Heard.TOLD)
    return Agent(profile.owner.package, **told)


def _described(item: Item) -> dict[str, Any]:
    """An item in the words of a case file; what is empty is left out there, too."""
    state = item.state
    told: dict[str, Any] = {
        "id": item.id,
        "want": item.want,
        "state": {Met: "met", Step: "step", Cannot: "cannot"}[type(state)],
        "why": state.why,
        "next": state.next_action if isinstance(state, Cannot) else "",
        "actions": [action.masked for action in state.actions] if isinstance(state, Step) else [],
        "sealed": bool(getattr(state, "sealed", "")),
        "strength": str(item.strength) if item.strength else "",
        "required": item.required,
    }
    return {key: value for key, value in told.items() if value}


@pytest.mark.parametrize("file", _cases(*SETTINGS))
def test_a_setting_plans_what_its_case_says(file: Path, tmp_path: Path) -> None:
    case, setting = _read(file), SETTINGS[file.parent.name]
    who, profile = _device(case), _profile(case["profile"], tmp_path)
    asked = setting.probes(profile, who, False)
    assert set(asked) == set(case["answers"]), "a case answers exactly what is asked"
    found = setting.parse(_answers(case["answers"]), profile, who)
    items = list(setting.plan(profile, found, _facts(case, who, profile), _unit(case, profile)))
    told = [_described(item) for item in items]
    # Commands are compared where a case names them: most cases are about states and reasons.
    for row, wanted in zip(told, case["items"], strict=False):
        if "actions" in wanted:
            row.setdefault("actions", [])
        else:
            row.pop("actions", None)
    assert told == case["items"]
    assert all(item.state.why for item in items), "doing nothing needs a reason, too"
    assert all(item.source for item in items if item.id != "bench.verifier"), "what a profile asks for says where"


@pytest.mark.parametrize("file", _cases(*SETTINGS))
def test_no_secret_is_in_what_people_see(file: Path, tmp_path: Path) -> None:
    case, setting = _read(file), SETTINGS[file.parent.name]
    who, profile = _device(case), _profile(case["profile"], tmp_path)
    asked = setting.probes(profile, who, False)
    found = setting.parse(_answers(case["answers"]), profile, who)
    items = list(setting.plan(profile, found, _facts(case, who, profile), _unit(case, profile)))
    shown = " ".join([*(probe.masked for probe in asked.values()), *(str(_described(item)) for item in items)])
    assert not [secret for secret in _SECRETS.values() if secret in shown]


@pytest.mark.parametrize("file", _cases(*READERS))
def test_a_reader_reads_what_its_case_says(file: Path) -> None:
    case, reader = _read(file), READERS[file.parent.name]
    who, profile = _device(case), Profile(profile="case")
    assert set(case["answers"]) <= set(reader.probes(profile, who, False)), "a case answers what is asked"
    read = dataclasses.asdict(reader.parse(_answers(case["answers"]), profile, who))
    read = {key: list(value) if isinstance(value, tuple) else value for key, value in read.items()}
    assert {key: read[key] for key in case["expect"]} == case["expect"]


@pytest.mark.parametrize("file", _cases("identify"))
def test_a_phone_says_who_it_is(file: Path) -> None:
    case = _read(file)
    who = identity.identify(_answers(case["answers"]))
    assert {key: getattr(who, key) for key in case["expect"]} == case["expect"]
    assert {key: who.properties.get(key) for key in case.get("properties", {})} == case.get("properties", {})


def _refusals() -> list[Any]:
    return [
        pytest.param(row, id=row["said"][:60]) for row in yaml.safe_load((DATA / "refusals.yaml").read_text("utf-8"))
    ]


@pytest.mark.parametrize("row", _refusals())
def test_a_refusal_is_explained(row: Mapping[str, str]) -> None:
    who = Identity(**{**_DEVICE, "maker": row.get("maker", "google")})  # type: ignore[arg-type]
    known = refusals.explain(row["said"], who)
    assert known == ((row["reason"], row.get("next", "")) if "reason" in row else None)


def test_every_row_of_the_refusals_has_a_case() -> None:
    rows = yaml.safe_load(Path(refusals.__file__).with_name("refusals.yaml").read_text("utf-8"))
    reasons = [row["reason"] for row in yaml.safe_load((DATA / "refusals.yaml").read_text("utf-8")) if "reason" in row]
    for row in rows:
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(row["reason"]))
        assert any(re.fullmatch(pattern, reason) for reason in reasons), row["reason"]


_NOISE = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="0123456789 :=,%{}[]()'\r\n-/abcdef\x00\x1b", max_size=400),
    st.lists(
        st.sampled_from([
            "Accounts: ", "accounts=99999999", "UserInfo{0:Owner:13}", "User  0: admin=", "Device Owner:", "level: ",
            "scale: 0", "temperature: -999999999999999999999", "Charge counter: 0", "999999999999999999999",
            "Result: Parcel(00000000: 00000000 7fffffff 00390038", "Row: 0 _id=1, apn=", "numeric=", "No result found",
            "whitelisted UIDs: 99999999999", "Network Id", "0 a b", "User 0: installed=true enabled=99999",
            "Logical SIM slot 0: subId=1", "dataRoaming=1", "granted=true", "null", "\n", " ", "[ro.x]: [y]",
        ]),
        max_size=12,
    ).map("".join),
)  # fmt: skip
_WIDE = """
identity: {name: "{tag}", time_zone: Asia/Ho_Chi_Minh, automatic_time: true}
network: {wifi: [{ssid: A, password: !secret wifi}], filter_dns: family.example}
apps: [{id: a, android: {package: org.example.a}}]
sim: {carrier: viettel, apn: automatic, roaming: off, background_data: {default: deny, allow: [a]}}
restrictions: {remove: [{android: com.x.y}], block: [{android: com.x.z}], factory_reset: deny, data_roaming: deny}
screen_lock: {pin: !secret pin}
owner: {agent: headwind, file: EXAMPLES/apps/schoolbag-reader-1.apk, secret: !secret agent, server: "https://a.example"}
"""


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=_NOISE, api=st.sampled_from([0, 24, 28, 33, 36]), data=st.data())
def test_no_noise_from_a_phone_breaks_anything(noise: str, api: int, data: st.DataObject, tmp_path: Path) -> None:
    who, profile = dataclasses.replace(Identity(**_DEVICE), api=api), _wide(tmp_path)  # type: ignore[arg-type]
    said = Answer(noise, data.draw(st.sampled_from([0, 1, 255, None])))
    read = {
        name: reader.parse(dict.fromkeys(reader.probes(profile, who, False), said), profile, who)
        for name, reader in READERS.items()
    }
    facts = Facts(identity.identify({"properties": said}), **read)
    facts = dataclasses.replace(facts, identity=who)
    for setting in SETTINGS.values():
        found = setting.parse(dict.fromkeys(setting.probes(profile, who, False), said), profile, who)
        for item in setting.plan(profile, found, facts, Unit(tag="T-1")):
            assert item.state.why
            assert item.state.why.isprintable(), "nothing that a terminal acts on"
            assert item.strength in (None, *Strength)
    refusals.explain(noise, who)


_LOADED: list[Profile] = []


def _wide(folder: Path) -> Profile:
    if not _LOADED:
        _LOADED.append(_profile(_WIDE, folder))
    return _LOADED[0]
