"""The kinds of virtual phone, read from presets.yaml, and what is made up for each: serial, IMEI, ICCID, properties."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from provision.virtual.merging import merge

Tree = dict[str, Any]

FEATURES = (
    (24, ("shell_v2", "cmd")),
    (26, ("stat_v2",)),
    (28, ("push_sync",)),
    (29, ("fixed_push_mkdir", "abb", "fixed_push_symlink_timestamp", "abb_exec")),
    (30, ("ls_v2", "sendrecv_v2")),
)
"""What adbd announces, from which API on (§7.2), without what the virtual bench does not speak."""


@cache
def _file() -> Tree:
    text = resources.files("provision.virtual.android").joinpath("presets.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def names() -> list[str]:
    """The presets that can be asked for."""
    return [name for name in _file()["presets"] if name != "base"]


def operators() -> Tree:
    """MCC/MNC to ``{name, country, iin}``."""
    return dict(_file()["operators"])


def present(values: Mapping[str, Any]) -> dict[str, str]:
    """The values that were not taken away with None, as text."""
    return {key: str(value) for key, value in values.items() if value is not None}


def resolve(preset: str, overrides: Mapping[str, Any]) -> Tree:
    """The whole description of a phone: the preset, what it is like, and ``overrides`` on top.

    Raises KeyError naming the presets there are.
    """
    presets = _file()["presets"]
    if preset not in presets:
        raise KeyError(f"no preset {preset!r}; there are {', '.join(names())}")
    chain = [overrides]
    name: str | None = preset
    while name is not None:
        chain.append(presets[name])
        name = presets[name].get("like")
    tree: Tree = {}
    for layer in reversed(chain):
        tree = merge(tree, layer)
    tree.pop("like", None)
    tree["preinstalled"] = {}
    for bundle in tree["bundles"]:
        tree["preinstalled"] |= _file()["bundles"][bundle]
    return tree


def erased(preset: str, overrides: Mapping[str, Any], times: int) -> Tree:
    """The overrides of the same phone once its data was erased, for the ``times``-th time: it waits to be set up."""
    packages = {name: None for name, given in resolve(preset, overrides)["packages"].items() if not _in_image(given)}
    off = {"adb_enabled": "0", "development_settings_enabled": "0", "device_provisioned": "0"}
    gone: Tree = {key: [] for key in ("accounts", "apns", "policy_restrictions", "profile_owners", "user_restrictions")}
    gone |= {"owner": None, "users": [{"id": 0, "name": "Owner"}], "lock": {"kind": "none", "value": None}}
    gone |= {"packages": packages, "erased": times, "wifi": {"networks": []}}
    kept = {key: value for key, value in overrides.items() if key != "settings"}
    return merge(kept, gone | {"settings": {"global": off, "secure": {"user_setup_complete": "0"}}})


def _in_image(given: Mapping[str, Any] | None) -> bool:
    return given is not None and bool(given.get("system", True))


def features(api: int) -> tuple[str, ...]:
    """adbd's features on this API level (§7.2)."""
    return tuple(feature for since, some in FEATURES if since <= api for feature in some)


def luhn(digits: str) -> str:
    """The digits with their Luhn check digit behind them."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def made_up(digits: int, *of: object) -> str:
    """A number of so many digits that depends on nothing but ``of``."""
    found = hashlib.sha256("/".join(map(str, of)).encode()).digest()
    return str(int.from_bytes(found[:12], "big") % 10**digits).zfill(digits)


def serial(tree: Tree) -> str:
    """``ro.serialno``. A ``seed`` other than 0 changes the last four characters."""
    plain = str(tree["serial"])
    return plain if not tree["seed"] else plain[:-4] + made_up(4, plain, tree["seed"])


def imeis(tree: Tree) -> list[str]:
    """One per slot: what the preset gives, else made from its ``tac``; 15 digits with check digit."""
    given = tree.get("imei")
    if given:
        return [str(imei) for imei in given]
    return [luhn(tree["tac"] + made_up(6, serial(tree), slot)) for slot in range(tree["phone_slots"])]


def sims(tree: Tree) -> list[Tree]:
    """One row per slot: ``slot sub_id state operator name country iccid imsi roaming``. ICCID has 20 digits."""
    rows: list[Tree] = []
    for slot in range(tree["phone_slots"]):
        given = dict(tree["sims"][slot]) if slot < len(tree["sims"]) else {"state": "ABSENT"}
        state = given.get("state", "LOADED" if tree["api"] >= 28 else "READY")
        row: Tree = {"slot": slot, "sub_id": -1, "state": state, "operator": "", "name": "", "country": ""}
        row |= {"iccid": "", "imsi": "", "roaming": False}
        if state != "ABSENT":
            numeric = str(given.get("operator", "45204"))
            known = operators().get(numeric, {"name": numeric, "country": "", "iin": "8900"})
            row |= {"sub_id": slot + 1, "operator": numeric, "name": known["name"], "country": known["country"]}
            body = known["iin"] + made_up(19 - len(known["iin"]), serial(tree), slot, numeric)
            row |= {"iccid": luhn(body), "imsi": numeric + made_up(15 - len(numeric), serial(tree), slot)}
        rows.append(row | given)
    return rows


def properties(tree: Tree) -> dict[str, str]:
    """Every property that the phone starts with."""
    return present(_build(tree) | _boot(tree) | _radio(tree) | tree["properties"])


def _build(tree: Tree) -> dict[str, str]:
    product = tree.get("product", tree["device"])
    release = f"{tree['brand']}/{product}/{tree['device']}:{tree['android']}"
    fingerprint = f"{release}/{tree['build']}/{tree['incremental']}:user/release-keys"
    abis = tree["abis"]
    found = {
        "ro.build.version.release": tree["android"],
        "ro.build.version.sdk": str(tree["api"]),
        "ro.build.version.codename": "REL",
        "ro.build.version.security_patch": tree["patch"],
        "ro.build.version.incremental": tree["incremental"],
        "ro.build.id": tree["build"],
        "ro.build.display.id": tree["build"],
        "ro.build.fingerprint": fingerprint,
        "ro.build.type": "user",
        "ro.build.tags": "release-keys",
        "ro.build.characteristics": "tablet" if tree["form"] == "tablet" else "default",
        "ro.product.manufacturer": tree["manufacturer"],
        "ro.product.brand": tree["brand"],
        "ro.product.model": tree["model"],
        "ro.product.device": tree["device"],
        "ro.product.name": product,
        "ro.product.board": tree["board"],
        "ro.product.locale": tree["locale"],
        "ro.product.cpu.abi": abis[0],
        "ro.product.cpu.abilist": ",".join(abis),
        "ro.product.cpu.abilist32": ",".join(abi for abi in abis if "64" not in abi),
        "ro.product.cpu.abilist64": ",".join(abi for abi in abis if "64" in abi),
        "ro.product.first_api_level": str(tree["first_api"]),
        "persist.sys.timezone": tree["time_zone"],
        "persist.sys.locale": tree["locale"],
    }
    if tree["api"] >= 28:
        found["ro.vendor.build.security_patch"] = tree["patch"]
    if "gms" in tree["bundles"]:
        found["ro.com.google.gmsversion"] = f"{tree['android']}_{tree['patch'][:7].replace('-', '')}"
    return found


def _boot(tree: Tree) -> dict[str, str]:
    locked = tree["flash_locked"]
    found = {
        "ro.serialno": serial(tree),
        "ro.boot.serialno": serial(tree),
        "ro.secure": "1",
        "ro.debuggable": "0",
        "ro.adb.secure": "1",
        "ro.crypto.state": "encrypted" if tree["crypto"] else "unencrypted",
        "sys.boot_completed": "1",
        "dev.bootcomplete": "1",
        "init.svc.adbd": "running",
        "sys.usb.config": "adb",
        "sys.usb.state": "adb",
    }
    if tree["crypto"]:
        found["ro.crypto.type"] = tree["crypto"]
    if tree["verified_boot"]:
        found["ro.boot.verifiedbootstate"] = tree["verified_boot"]
    if locked is not None:
        found["ro.boot.flash.locked"] = str(int(locked))
    if locked is not None and tree["api"] >= 26:
        found["ro.boot.vbmeta.device_state"] = "locked" if locked else "unlocked"
    if tree["vendor"] == "google":
        found["ro.oem_unlock_supported"] = "1"
        found["sys.oem_unlock_allowed"] = str(int(tree["oem_unlock_allowed"]))
    if "gms" in tree["bundles"]:
        found["ro.frp.pst"] = "/dev/block/by-name/frp"
    return found


def _radio(tree: Tree) -> dict[str, str]:
    if not tree["phone_slots"]:
        return {"ro.radio.noril": "yes"}
    rows = sims(tree)

    def joined(key: str) -> str:
        return ",".join(str(row[key]) for row in rows)

    network = ",".join("Unknown" if row["state"] == "ABSENT" else "LTE" for row in rows)
    return {
        "gsm.sim.state": joined("state"),
        "gsm.sim.operator.numeric": joined("operator"),
        "gsm.sim.operator.alpha": joined("name"),
        "gsm.sim.operator.iso-country": joined("country"),
        "gsm.operator.numeric": joined("operator"),
        "gsm.operator.alpha": joined("name"),
        "gsm.operator.iso-country": joined("country"),
        "gsm.operator.isroaming": ",".join(str(bool(row["roaming"])).lower() for row in rows),
        "gsm.network.type": network,
        "gsm.version.baseband": ",".join(f"{tree['board']}-1.0" for _ in rows),
        "gsm.current.phone-type": ",".join("1" for _ in rows),
    }
