"""The kinds of virtual iPhone and iPad, read from presets.yaml, and what is made up for each: UDID, serial, IMEI."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from provision.virtual.merging import merge

Tree = dict[str, Any]

_LETTERS = "0123456789CDFGHJKLMNPQRTVWXY"
"""What Apple's serial numbers are written in: no letter that looks like another or like a digit."""


@cache
def _file() -> Tree:
    text = resources.files("provision.virtual.ios").joinpath("presets.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def names() -> list[str]:
    """The presets that can be asked for."""
    return [name for name in _file()["presets"] if name != "base"]


def operators() -> Tree:
    """MCC/MNC to ``{bundle, iin}``."""
    return dict(_file()["operators"])


def resolve(preset: str, overrides: Mapping[str, Any]) -> Tree:
    """The whole description of a device: the preset, what it is like, and ``overrides`` on top.

    Raises KeyError naming the presets there are.
    """
    presets = _file()["presets"]
    if preset not in presets:
        raise KeyError(f"no preset {preset!r}; there are {', '.join(names())}")
    chain: list[Mapping[str, Any]] = [overrides]
    name: str | None = preset
    while name is not None:
        chain.append(presets[name])
        name = presets[name].get("like")
    tree: Tree = {}
    for layer in reversed(chain):
        tree = merge(tree, layer)
    tree.pop("like", None)
    return tree | {"preset": preset}


def made_up(digits: int, *of: object) -> str:
    """A number of so many digits that depends on nothing but ``of``."""
    return str(int.from_bytes(_hash(*of)[:12], "big") % 10**digits).zfill(digits)


def _hash(*of: object) -> bytes:
    return hashlib.sha256("/".join(map(str, of)).encode()).digest()


def luhn(digits: str) -> str:
    """The digits with their Luhn check digit behind them."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def serial(tree: Tree) -> str:
    """Twelve letters and digits, as up to the iPhone 12."""
    if tree["serial"]:
        return str(tree["serial"])
    found = _hash(tree["preset"], tree["seed"], "serial")
    return "F" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in found[:11])


def ecid(tree: Tree) -> int:
    return int.from_bytes(_hash(tree["preset"], tree["seed"], "ecid")[:7], "big") >> 3


def udid(tree: Tree) -> str:
    """``<chip>-<ECID>`` from the A12 on, 40 hex digits before."""
    if tree["udid"]:
        return str(tree["udid"])
    if tree["chip"] is None:
        return _hash(tree["preset"], tree["seed"], "udid").hex()[:40]
    return f"{int(str(tree['chip']), 16):08X}-{ecid(tree):016X}"


def address(tree: Tree, last: int) -> str:
    """The hardware address of a radio: Wi-Fi's, or Bluetooth's one above it."""
    found = bytearray(_hash(tree["preset"], tree["seed"], "mac")[:6])
    found[0] = 0x3C
    found[5] = (found[5] & 0xFC) + last
    return ":".join(f"{byte:02x}" for byte in found)


def imeis(tree: Tree) -> list[str]:
    """One per slot, 15 digits with check digit; none without a cellular radio."""
    return [luhn(tree["tac"] + made_up(6, tree["preset"], tree["seed"], slot)) for slot in range(tree["slots"])]


def sim_values(tree: Tree) -> Tree:
    """What lockdownd tells of the SIM (``sim``: ``operator state number esim``; facts, iOS §1)."""
    if not tree["slots"]:
        return {}
    given = tree["sim"]
    if not given:
        return {"SIMStatus": "kCTSIMSupportSIMStatusNotInserted", "SIMTrayStatus": "kCTSIMSupportSIMTrayInsertedNoSIM"}
    state = given.get("state", "kCTSIMSupportSIMStatusReady")
    tray = "kCTSIMSupportSIMTrayAbsent" if given.get("esim") else "kCTSIMSupportSIMTrayInsertedWithSIM"
    numeric = str(given["operator"])
    known = operators().get(numeric, {"bundle": "com.apple.Unknown_bundle", "iin": "8900"})
    made = made_up(19 - len(known["iin"]), tree["preset"], tree["seed"], "iccid", numeric)
    iccid = given.get("iccid", luhn(known["iin"] + made))
    found: Tree = {"SIMStatus": state, "SIMTrayStatus": tray, "IntegratedCircuitCardIdentity": iccid}
    if state != "kCTSIMSupportSIMStatusReady":
        return found
    imsi = numeric + made_up(15 - len(numeric), tree["preset"], tree["seed"], "imsi")
    carrier = {
        "CFBundleIdentifier": known["bundle"],
        "CFBundleVersion": "56.0",
        "IntegratedCircuitCardIdentity": iccid,
        "InternationalMobileSubscriberIdentity": imsi,
        "MCC": numeric[:3],
        "MNC": numeric[3:],
        "Slot": "kOne",
    }
    found |= {"InternationalMobileSubscriberIdentity": imsi, "CarrierBundleInfoArray": [carrier]}
    found |= {"kCTPostponementStatus": "kCTPostponementStatusActivated"}
    return found | ({"PhoneNumber": given["number"]} if given.get("number") else {})
