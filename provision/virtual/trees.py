"""How a description is read that people wrote: every complaint says where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Common:
    """What the description of every virtual device has. ``number`` is its place in the bench."""

    number: int
    preset: str
    overrides: Mapping[str, Any]
    link: str


def mapping(tree: Any, where: str) -> Mapping[str, Any]:
    """ValueError unless it is keys and values."""
    if not isinstance(tree, Mapping):
        raise ValueError(f"{where}: write keys and values")  # noqa: TRY004  (the spec is wrong, not the program)
    return tree


def known(tree: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    """ValueError unless all keys are among these."""
    for key in tree:
        if key not in keys:
            raise ValueError(f"{where}: {key!r} is not one of {', '.join(keys)}")


def common(tree: Mapping[str, Any], where: str, number: int, links: Mapping[str, float]) -> Common:
    """``preset``, ``serial``, ``link`` and ``state`` of a device; each one's ``seed`` is its number, unless it says."""
    link = tree.get("link") or ""
    if link and link not in links:
        raise ValueError(f"{where}: link {link!r} is not one of the buses {', '.join(links) or '(none)'}")
    overrides = dict(mapping(tree.get("state") or {}, f"{where}: state"))
    overrides.setdefault("seed", number)
    if tree.get("serial"):
        overrides |= {"serial": str(tree["serial"]), "seed": 0}
    return Common(number, str(tree["preset"]), overrides, link)


def size(tree: Mapping[str, Any], key: str, default: int, where: str) -> int:
    """A number of bytes, more than none."""
    found = tree.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int) or found <= 0:
        raise ValueError(f"{where}: {key} must be a number of bytes")
    return found
