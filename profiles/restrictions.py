"""What a device's user can be kept from, and by which means on which platform: restrictions.yaml, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from profiles.errors import Problem, ProfileError
from profiles.once import once
from profiles.strict_yaml import Node, read

FILE = Path(__file__).with_name("restrictions.yaml")


@dataclass(frozen=True)
class Owner:
    """A user restriction that only a device owner may set (facts, Android 3.7). ``api`` is the first that knows it."""

    key: str
    api: int


@dataclass(frozen=True)
class ShellSetting:
    """A setting that shell may write, and that the user can undo: ``settings put namespace key value``."""

    namespace: str
    key: str
    deny: str
    allow: str


@dataclass(frozen=True)
class IosKey:
    """A key of com.apple.applicationaccess; ``deny`` is its value when the restriction is denied."""

    key: str
    min_os: str
    supervised: bool
    deny: bool


@dataclass(frozen=True)
class Restriction:
    """``strength`` (A, B or C) holds when an owner or supervision enforces it. ``limits`` may be empty."""

    name: str
    meaning: str
    owner: Owner | None
    shell: ShellSetting | None
    ios: IosKey | None
    strength: str
    limits: str


@once
def table() -> Mapping[str, Restriction]:
    """Every restriction by its name, in the order of the file. Raises ProfileError when the file has mistakes."""
    return parse(read(FILE))


def parse(root: Node) -> Mapping[str, Restriction]:
    """The rows of a restrictions file. Raises ProfileError with every mistake at its place."""
    problems: list[Problem] = []
    rows: dict[str, Restriction] = {}
    for name, node in root.entries.items():
        mistakes = list(_mistakes(node))
        problems.extend(mistakes)
        if not mistakes:
            rows[name] = _row(name, node)
    if not root.entries:
        problems.append(root.at.problem("must be a map of restrictions by name"))
    if problems:
        raise ProfileError(problems)
    return MappingProxyType(rows)


_TYPES: Mapping[str, Mapping[str, type]] = {
    "": {"meaning": str, "android": dict, "ios": dict, "strength": str, "limits": str},
    "android": {"owner": str, "api": int, "shell": dict},
    "shell": {"namespace": str, "key": str, "deny": str, "allow": str},
    "ios": {"key": str, "from": str, "supervised": bool, "deny": bool},
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "": ("meaning", "strength"),
    "android": ("owner", "api"),
    "shell": ("namespace", "key", "deny", "allow"),
    "ios": ("key", "from", "supervised"),
}


def _mistakes(node: Node, part: str = "") -> Iterator[Problem]:
    if not isinstance(node.value, Mapping):
        yield node.place.problem("must be a map")
        return
    for key in _NEEDED[part]:
        if key not in node.entries:
            yield node.place.problem(f'"{key}" is missing')
    for key, child in node.entries.items():
        wanted = _TYPES[part].get(key)
        if wanted is None:
            yield child.place.problem(f'unknown key "{key}"')
        elif wanted is dict:
            yield from _mistakes(child, key)
        elif type(child.value) is not wanted:
            yield child.at.problem(f"must be {_WORDS[wanted]}")
    if part == "" and _text(node, "strength") not in ("", "A", "B", "C"):
        yield node.entries["strength"].at.problem("must be A, B or C")


_WORDS = {str: "a text", int: "a whole number", bool: "true or false"}


def _row(name: str, node: Node) -> Restriction:
    android, ios = node.entries.get("android"), node.entries.get("ios")
    return Restriction(
        name=name,
        meaning=_text(node, "meaning"),
        owner=Owner(_text(android, "owner"), int(android.entries["api"].raw)) if android else None,
        shell=_shell(android.entries.get("shell")) if android else None,
        ios=_ios(ios) if ios else None,
        strength=_text(node, "strength"),
        limits=_text(node, "limits"),
    )


def _shell(node: Node | None) -> ShellSetting | None:
    return ShellSetting(**{key: _text(node, key) for key in _TYPES["shell"]}) if node else None


def _ios(node: Node) -> IosKey:
    deny = node.entries.get("deny")
    return IosKey(
        key=_text(node, "key"),
        min_os=_text(node, "from"),
        supervised=node.entries["supervised"].value is True,
        deny=deny is not None and deny.value is True,
    )


def _text(node: Node, key: str) -> str:
    child = node.entries.get(key)
    return child.value if child is not None and isinstance(child.value, str) else ""
