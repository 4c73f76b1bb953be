"""The plan for a kind of device with none at hand: the real settings, over what a phone says that was just reset."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from profiles.carriers import find
from profiles.errors import SchoolbagError
from profiles.schema import Profile
from provision.android.settings import SETTINGS
from provision.model import Cellular, Facts, Identity, Item, Setup, SimCard, Unit
from provision.plan import plan
from provision.setting import Answer

_API = {
    "7": 24, "7.1": 25, "8": 26, "8.1": 27, "9": 28, "10": 29, "11": 30, "12": 31, "12.1": 32, "13": 33, "14": 34,
    "15": 35, "16": 36,
}  # fmt: skip


_ANY_CARRIER = "viettel"


class NoSuchDevice(SchoolbagError):
    """The device that a command describes is of no kind that we know."""

    exit_code = 2


def plan_for(profile: Profile, device_os: str, maker: str) -> tuple[Item, ...]:
    """The plan of ``profile`` for a reset device, ``device_os`` as in ``android-13``. Raises NoSuchDevice.

    It has a tag, a SIM of the profile's carrier (of any, when it names none), and every app that the profile wants
    removed or blocked.
    """
    platform, _, version = device_os.partition("-")
    if platform != "android" or version not in _API:
        raise NoSuchDevice(f"{device_os} is no device that fleet knows.", f"Say android-{', android-'.join(_API)}.")
    who = Identity(
        "android", "", maker.lower(), "", version, _API[version],
        properties={"ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi"},
    )  # fmt: skip
    found = {name: _found(name, profile, who) for name in SETTINGS}
    facts = Facts(
        who,
        cellular=Cellular((_card(profile),)),
        setup=Setup(screen_locked=False),
        found=MappingProxyType(found),
    )
    return plan(SETTINGS, profile, facts, Unit(tag="TAG"))


def _found(name: str, profile: Profile, who: Identity) -> Any:
    setting = SETTINGS[name]
    questions = setting.probes(profile, who, False)
    return setting.parse({key: Answer(_answer(name, key, profile, who)) for key in questions}, profile, who)


def _answer(setting: str, question: str, profile: Profile, who: Identity) -> str:
    names = [app.android for app in profile.restrictions.remove if app.android]
    for row in _rows():
        in_range = row.get("from", 0) <= who.api <= row.get("to", 99)
        if row["setting"] == setting and in_range and re.fullmatch(row["question"], question):
            packages = "\n".join(f"package:{name}" for name in names)
            return str(row["answer"]).format(count=len(names), packages=packages)
    return ""


@cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return rows


def _card(profile: Profile) -> SimCard:
    sim = profile.sim
    if sim and sim.mccmnc:
        return SimCard(slot=0, state="LOADED", operator=sim.mccmnc)
    carrier = find(sim.carrier if sim and sim.carrier else _ANY_CARRIER)
    assert carrier is not None, "a loaded profile names a carrier that there is"
    return SimCard(slot=0, state="LOADED", operator=carrier.numerics[0], operator_name=carrier.name)
