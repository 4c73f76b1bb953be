"""A setting is five things (CONTRIBUTING.md): this fails while one of them is missing, and runs the page's example."""

from __future__ import annotations

import io
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles import schema
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.android.actions import Run
from provision.android.command import Command, command
from provision.android.identity import QUESTIONS, identify
from provision.android.settings import READERS, SETTINGS
from provision.model import Facts, Identity, Item, Step, Unit
from provision.setting import Answer
from provision.virtual import spec as specs
from provision.virtual.android import services
from provision.virtual.android.bench import Androids
from provision.virtual.android.device import Device

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests/data/android"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = set(Profile.model_fields) - {"profile"}
PHONE = Identity("android", "S1", "google", "Pixel", "13", 33)


def test_every_section_of_a_profile_is_a_setting_in_the_dict_and_the_other_way_round() -> None:
    assert set(SETTINGS) == SECTIONS


@pytest.mark.parametrize("name", [*READERS, *SETTINGS])
def test_it_is_a_module_of_its_own_under_its_own_name(name: str) -> None:
    module = {**READERS, **SETTINGS}[name]

    assert isinstance(module, types.ModuleType)
    assert module.__name__ == f"provision.android.{name}"
    assert module.__doc__


@pytest.mark.parametrize("name", [*READERS, *SETTINGS])
def test_it_has_a_case_file(name: str) -> None:
    assert list((CASES / name).glob("*.yaml")), f"add a case in tests/data/android/{name}/"


def test_no_case_is_left_behind() -> None:
    folders = {path.name for path in CASES.iterdir() if path.is_dir()}

    assert folders <= {*READERS, *SETTINGS, "identify"}, "cases of a setting that is no more"


EVERYTHING = """\
profile: everything
extends: [primary-vn]
apps: [{id: maths, android: {package: org.schoolbag.sample.maths, file: APPS/schoolbag-maths.xapk, grant: [camera]}}]
content: [{id: grade-3, from: APPS/../content/grade-3, to: Learning/grade-3}]
sim: {carrier: viettel, apn: automatic, roaming: false, background_data: {default: deny, allow: [maths]}}
network: {wifi: [{ssid: Truong A, password: !secret wifi}], filter_dns: family.example, web_filter: {auto: on}}
restrictions:
  install_apps: deny
  remove: [{android: com.android.browser}]
  block: [{android: com.android.chrome}]
home_screen: {dock: [maths]}
screen_lock: {pin: none}
identity: {name: "{tag}", time_zone: Asia/Ho_Chi_Minh, automatic_time: true, language: vi, skip_setup: all}
owner: {agent: testdpc, file: APPS/schoolbag-reader-1.apk}
bench: {debugging: keep}
"""


def virtual_phone(preset: str, home: Path) -> Device:
    spec = specs.parse({"devices": [{"preset": preset}]})
    (device,) = Androids(spec.androids, 0, home, {}, lambda _: None).devices
    return device


def told(device: Device, asked: Command) -> Answer:
    """What a virtual phone answers to a command."""
    out = io.BytesIO()
    code = device.start(services.process(device, ["sh", "-c", asked.raw], io.BytesIO(), out, out))
    return Answer(out.getvalue().decode(), code)


def unknown(device: Device, asked: Command) -> bool:
    answer = told(device, asked)
    return answer.code == 127 or "inaccessible or not found" in answer.text or ": not found" in answer.text


@pytest.mark.parametrize("preset", ["pixel-15", "samsung-13", "xiaomi-11-ready", "tablet-nogms-9"])
@pytest.mark.parametrize("name", [*READERS, *SETTINGS])
def test_virtual_phones_know_all_that_it_asks_and_does(name: str, preset: str, tmp_path: Path) -> None:
    """Whether they answer rightly is for the runs to show; here, that nobody forgot to give them the command."""
    (tmp_path / "profile.yaml").write_text(EVERYTHING.replace("APPS", str(ROOT / "examples/apps")), encoding="utf-8")
    profile = load(str(tmp_path / "profile.yaml"), Secrets({"FLEET_SECRET_WIFI": "hoc-tap-tot"}))
    device = virtual_phone(preset, tmp_path)
    who = identify({name: told(device, probe) for name, probe in QUESTIONS.items()})
    module = {**READERS, **SETTINGS}[name]
    probes = module.probes(profile, who, True)
    assert not [probe.masked for probe in probes.values() if unknown(device, probe)]
    if name in READERS:
        return
    found = module.parse({name: told(device, probe) for name, probe in probes.items()}, profile, who)
    items = list(SETTINGS[name].plan(profile, found, Facts(who), Unit(tag="S1", seal_key=b"key")))
    steps = [item.state for item in items if isinstance(item.state, Step)]
    runs = [action for step in steps for action in step.actions if isinstance(action, Run) and not action.cuts_link]
    assert items
    assert not [run.masked for run in runs if unknown(device, run.command)]


def test_a_forgotten_command_is_seen(tmp_path: Path) -> None:
    device = virtual_phone("pixel-15", tmp_path)

    assert unknown(device, command("no-such-program"))
    assert not unknown(device, command("getprop"))


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no {language} example"
    return found[1]


def example() -> tuple[types.ModuleType, type[Profile]]:
    """The page's setting as a module, and a Profile with the page's section in it."""
    names: dict[str, Any] = dict(vars(schema))
    exec(block("python schema"), names)
    profile = type(
        "WithDisplay", (Profile,), {"__annotations__": {"display": names["Display"] | None}, "display": None}
    )
    module = types.ModuleType("provision.android.display")
    exec(block("python setting"), vars(module))
    return module, profile


def planned(module: types.ModuleType, profile: Profile, answers: Mapping[str, str]) -> list[Item]:
    found = module.parse({name: Answer(text) for name, text in answers.items()}, profile, PHONE)
    return list(module.plan(profile, found, Facts(PHONE), Unit()))


def test_the_example_does_what_its_case_says() -> None:
    case = yaml.safe_load(block("yaml"))
    module, kind = example()
    profile = kind.model_validate({"profile": "case", **yaml.safe_load(case["profile"])})
    assert set(module.probes(profile, PHONE, False)) == set(case["answers"])

    for item, wanted in zip(planned(module, profile, case["answers"]), case["items"], strict=True):
        assert isinstance(item.state, Step)
        assert wanted == {
            "id": item.id,
            "want": item.want,
            "state": "step",
            "why": item.state.why,
            "actions": [action.masked for action in item.state.actions],
        }


@pytest.mark.parametrize(("answer", "state"), [("120000", "Met"), ("null", "Step"), ("Exception: no", "Cannot")])
def test_the_example_is_met_once_it_is_done_and_honest_when_it_cannot_know(answer: str, state: str) -> None:
    module, kind = example()
    profile = kind.model_validate({"profile": "case", "display": {"sleep_seconds": 120}})
    (item,) = planned(module, profile, {"timeout": answer})

    assert type(item.state).__name__ == state
    assert item.state.why


def test_the_example_asks_nothing_when_the_profile_says_nothing() -> None:
    module, kind = example()
    profile = kind.model_validate({"profile": "case"})

    assert not module.probes(profile, PHONE, False)
    assert not planned(module, profile, {})
