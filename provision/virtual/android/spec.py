"""What a bench is made of, as it is written in YAML or JSON.

bus: {usb2: {rate: 35000000}}            # bytes per second, shared by the phones on it
devices:
  - preset: pixel-13
    serial: 9B181FFAZ0012                # else the preset's, made unique
    link: usb2
    faults: [{kind: unplug, after_bytes: 1000000, replug_after: 2}]
    state: {battery: {level: 20}}        # laid over the preset
    capacity: 64000000000                # bytes of its data partition
    deny_app_dirs: false                 # whether the shell is refused Android/data and Android/obb
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from provision.virtual.android import faults, presets
from provision.virtual.faults import Fault

_CAPACITY = 64_000_000_000
_MIX = ("pixel-13", "samsung-11", "xiaomi-13", "pixel-7", "tablet-nogms-9", "pixel-15", "oppo-11", "samsung-9")


@dataclass(frozen=True)
class DeviceSpec:
    """One phone of a bench."""

    preset: str
    overrides: Mapping[str, Any]
    link: str
    faults: tuple[Fault, ...]
    capacity: int
    deny_app_dirs: bool


@dataclass(frozen=True)
class BenchSpec:
    """A bench. ``rates`` are the bytes per second of each bus."""

    rates: Mapping[str, float]
    devices: tuple[DeviceSpec, ...]


def read(path: Path) -> Mapping[str, Any]:
    """The file, as YAML (JSON is YAML too). ValueError when it is none."""
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from None
    return _mapping(tree, str(path))


def spec_for(number: int) -> Mapping[str, Any]:
    """A bench of so many phones of different makers and versions."""
    known = [name for name in _MIX if name in presets.names()] or presets.names()
    return {"devices": [{"preset": name} for name in islice(cycle(known), number)]}


def parse(tree: Mapping[str, Any]) -> BenchSpec:
    """The bench that is described. ValueError says what is wrong, and where."""
    _known(tree, ("bus", "devices"), "the bench")
    rates = {name: _rate(name, bus) for name, bus in _mapping(tree.get("bus") or {}, "bus").items()}
    listed = tree.get("devices")
    if not isinstance(listed, list) or not listed:
        raise ValueError("devices: give a list of at least one")
    devices = [_device(_mapping(item, f"devices[{at}]"), f"devices[{at}]", at, rates) for at, item in enumerate(listed)]
    return BenchSpec(rates, tuple(devices))


def _rate(name: str, bus: Any) -> float:
    where = f"bus {name}"
    _known(_mapping(bus, where), ("rate",), where)
    rate = bus.get("rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0:
        raise ValueError(f"{where}: rate must be bytes per second, more than 0")
    return float(rate)


def _device(tree: Mapping[str, Any], where: str, number: int, rates: Mapping[str, float]) -> DeviceSpec:
    _known(tree, ("preset", "serial", "link", "faults", "state", "capacity", "deny_app_dirs"), where)
    preset, link = tree.get("preset"), tree.get("link") or ""
    if preset not in presets.names():
        raise ValueError(f"{where}: preset {preset!r} is not one of {', '.join(presets.names())}")
    if link and link not in rates:
        raise ValueError(f"{where}: link {link!r} is not one of the buses {', '.join(rates) or '(none)'}")
    capacity = tree.get("capacity", _CAPACITY)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity <= 0:
        raise ValueError(f"{where}: capacity must be a number of bytes")
    overrides = dict(_mapping(tree.get("state") or {}, f"{where}: state"))
    overrides.setdefault("seed", number)
    if tree.get("serial"):
        overrides |= {"serial": str(tree["serial"]), "seed": 0}
    try:
        struck = tuple(faults.parse(_mapping(fault, "fault")) for fault in tree.get("faults") or ())
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return DeviceSpec(str(preset), overrides, link, struck, capacity, bool(tree.get("deny_app_dirs", False)))


def _mapping(tree: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(tree, Mapping):
        raise ValueError(f"{where}: write keys and values")  # noqa: TRY004  (the spec is wrong, not the program)
    return tree


def _known(tree: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in tree:
        if key not in keys:
            raise ValueError(f"{where}: {key!r} is not one of {', '.join(keys)}")
