"""What an iPhone or iPad of a bench is made of, beside what every virtual device has; see docs/virtual.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from provision.virtual import trees
from provision.virtual.faults import Fault
from provision.virtual.ios import faults
from provision.virtual.trees import Common


@dataclass(frozen=True)
class DeviceSpec:
    """One iPhone or iPad of a bench."""

    common: Common
    faults: tuple[Fault, ...]


def parse(tree: Mapping[str, Any], where: str, number: int, links: Mapping[str, float]) -> DeviceSpec:
    """The device that is described. ValueError says what is wrong, and where."""
    trees.known(tree, ("preset", "serial", "udid", "link", "faults", "state"), where)
    common = trees.common(tree, where, number, links)
    if tree.get("udid"):
        common = replace(common, overrides={**common.overrides, "udid": str(tree["udid"])})
    _person(common.overrides, "trust", ("ask", "deny"), where)
    _person(common.overrides, "installs", ("ask",), where)
    try:
        struck = tuple(faults.parse(trees.mapping(fault, "fault")) for fault in tree.get("faults") or ())
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return DeviceSpec(common, struck)


def _person(state: Mapping[str, Any], key: str, words: tuple[str, ...], where: str) -> None:
    """What a person does: one of the words, or they do it by themselves after so many seconds."""
    found = state.get(key, "ask")
    if found not in words and (isinstance(found, bool) or not isinstance(found, int | float) or found < 0):
        raise ValueError(f"{where}: state: {key} must be {', '.join(words)} or seconds")
