"""What a bench is made of, as it is written in YAML or JSON.

bus: {usb2: {rate: 35000000}}            # bytes per second, shared by the devices on it
devices:
  - preset: pixel-13
    serial: 9B181FFAZ0012                # else the preset's, made unique
    link: usb2
    faults: [{kind: unplug, after_bytes: 1000000, replug_after: 2}]
    state: {battery: {level: 20}}        # laid over the preset
    capacity: 64000000000                # Android: bytes of its data partition
    deny_app_dirs: false                 # Android: whether the shell is refused Android/data and Android/obb
  - preset: iphone-17
    state: {trust: 3, installs: 3}       # its person taps Trust, and Install, after three seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from provision.virtual import trees
from provision.virtual.android import presets as android_presets
from provision.virtual.android import spec as android
from provision.virtual.ios import presets as ios_presets
from provision.virtual.ios import spec as ios

_ANDROIDS = ("pixel-13", "xiaomi-13", "pixel-7", "tablet-nogms-9", "pixel-15", "oppo-11", "samsung-9")
_IPHONES = ("iphone-17", "ipad-cellular", "iphone-15", "iphone-18", "ipad-nosim", "iphone-12")
_PEOPLE = {"trust": 3, "installs": 3}
"""Nobody gives orders to ``--iphones``: their people tap Trust and Install by themselves, after so many seconds."""


@dataclass(frozen=True)
class BenchSpec:
    """A bench. ``rates`` are the bytes per second of each bus."""

    rates: Mapping[str, float]
    androids: tuple[android.DeviceSpec, ...]
    iphones: tuple[ios.DeviceSpec, ...]


def read(path: Path) -> Mapping[str, Any]:
    """The file, as YAML (JSON is YAML too). ValueError when it is none."""
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from None
    return trees.mapping(tree, str(path))


def spec_for(phones: int, iphones: int = 0) -> Mapping[str, Any]:
    """A bench of so many Android devices, and so many iPhones and iPads, of different kinds and versions."""
    androids = [{"preset": name} for name in islice(cycle(_ANDROIDS), phones)]
    apples = [{"preset": name, "state": _PEOPLE} for name in islice(cycle(_IPHONES), iphones)]
    return {"devices": [*androids, *apples]}


def parse(tree: Mapping[str, Any]) -> BenchSpec:
    """The bench that is described. ValueError says what is wrong, and where."""
    trees.known(tree, ("bus", "devices"), "the bench")
    rates = {name: _rate(name, bus) for name, bus in trees.mapping(tree.get("bus") or {}, "bus").items()}
    listed = tree.get("devices")
    if not isinstance(listed, list) or not listed:
        raise ValueError("devices: give a list of at least one")
    androids, iphones = [], []
    for number, item in enumerate(listed):
        where = f"devices[{number}]"
        preset = trees.mapping(item, where).get("preset")
        if preset in android_presets.names():
            androids.append(android.parse(item, where, number, rates))
        elif preset in ios_presets.names():
            iphones.append(ios.parse(item, where, number, rates))
        else:
            names = ", ".join(android_presets.names() + ios_presets.names())
            raise ValueError(f"{where}: preset {preset!r} is not one of {names}")
    return BenchSpec(rates, tuple(androids), tuple(iphones))


def _rate(name: str, bus: Any) -> float:
    where = f"bus {name}"
    trees.known(trees.mapping(bus, where), ("rate",), where)
    rate = bus.get("rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0:
        raise ValueError(f"{where}: rate must be bytes per second, more than 0")
    return float(rate)
