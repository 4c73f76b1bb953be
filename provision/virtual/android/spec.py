"""What an Android device of a bench is made of, beside what every virtual device has; see docs/virtual.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provision.virtual import trees
from provision.virtual.android import faults
from provision.virtual.faults import Fault
from provision.virtual.trees import Common

_CAPACITY = 64_000_000_000


@dataclass(frozen=True)
class DeviceSpec:
    """One phone of a bench. ``capacity`` are the bytes of its data partition."""

    common: Common
    faults: tuple[Fault, ...]
    capacity: int
    deny_app_dirs: bool


def parse(tree: Mapping[str, Any], where: str, number: int, links: Mapping[str, float]) -> DeviceSpec:
    """The phone that is described. ValueError says what is wrong, and where."""
    trees.known(tree, ("preset", "serial", "link", "faults", "state", "capacity", "deny_app_dirs"), where)
    common = trees.common(tree, where, number, links)
    try:
        struck = tuple(faults.parse(trees.mapping(fault, "fault")) for fault in tree.get("faults") or ())
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    capacity = trees.size(tree, "capacity", _CAPACITY, where)
    return DeviceSpec(common, struck, capacity, bool(tree.get("deny_app_dirs", False)))
