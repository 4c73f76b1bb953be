"""What pydantic found wrong, in plain words and at its place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from profiles.errors import Problem, meant
from profiles.fields import PATTERNS
from profiles.rules import OURS
from profiles.secrets import Secret
from profiles.shape import Place, is_section, keys_at, types_at, words_at, written_keys
from profiles.strict_yaml import Node, SecretName

_NAMES: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    Path: "a path",
    Secret: "!secret name",
}


def explain(error: ValidationError, root: Node) -> list[Problem]:
    """One problem per place: what is wrong there, by pydantic's error types (its texts change between versions)."""
    problems: dict[tuple[Place, str], Problem] = {}
    for detail in error.errors(include_url=False):
        node, place = _follow(root, detail["loc"])
        message = _message(detail, node, place)
        if message:
            is_key = detail["type"] in ("extra_forbidden", "missing") or isinstance(node.value, Mapping)
            mark = node.place if is_key else node.at
            # a union tells of one value once per choice: one line is enough
            kind = str(detail["loc"][-1]) if detail["type"] == "missing" else ""
            problems.setdefault((place, kind), mark.problem(message))
    return list(problems.values())


def _follow(root: Node, loc: tuple[int | str, ...]) -> tuple[Node, Place]:
    """The node that a location leads to. What is not in the document (names of choices in unions) is skipped."""
    node, place = root, ()
    for part in loc:
        if isinstance(part, str) and part in node.entries:
            node, place = node.entries[part], (*place, part)  # type: ignore[assignment]
        elif isinstance(part, int) and part < len(node.items):
            node, place = node.items[part], (*place, part)  # type: ignore[assignment]
    return node, place


def _message(detail: ErrorDetails, node: Node, place: Place) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if node.value is None:
        return ""  # told as a key without a value, in better words
    if kind == OURS:
        return str(context["message"])
    if kind == "extra_forbidden":
        return f'unknown key "{place[-1]}"{meant(str(place[-1]), keys_at(place[:-1]))}'
    if kind == "missing":
        return f'"{detail["loc"][-1]}" is missing'
    if kind == "string_pattern_mismatch":
        return f'must be {PATTERNS[context["pattern"]]}, not "{node.raw}"'
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    return _wrong_kind(node, place)


_LIMITS: Mapping[str, str] = {
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def _wrong_kind(node: Node, place: Place) -> str:
    kinds = types_at(place)
    if isinstance(node.value, Mapping) and any(is_section(kind) for kind in kinds):
        return ""  # a choice of a union that was not meant; the one that was meant tells what is wrong in it
    if isinstance(node.value, tuple) and any(get_origin(kind) is tuple for kind in kinds):
        return ""
    expected = _listed(kinds)
    if Secret in kinds:  # what stands there may be the secret itself: it is not repeated
        near = meant(node.raw, words_at(place)) if words_at(place) else ""
        return f"must be {expected}{near}: a secret itself never stands in a profile"
    return f"must be {expected}, not {_got(node)}{_hint(node, kinds, place)}"


def _listed(kinds: tuple[Any, ...]) -> str:
    names: list[str] = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            names.extend(f'"{word}"' for word in get_args(kind))
        elif is_section(kind):
            names.append(f"a map with {', '.join(written_keys(kind))}")
        else:
            names.append(_NAMES.get(kind, "a map" if get_origin(kind) is Mapping else "a list"))
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _got(node: Node) -> str:
    if isinstance(node.value, Mapping):
        return "a map"
    if isinstance(node.value, tuple):
        return "a list"
    if isinstance(node.value, SecretName):
        return f"!secret {node.value.name}"
    return f'"{node.raw}"' if isinstance(node.value, str | Path) else node.raw


def _hint(node: Node, kinds: tuple[Any, ...], place: Place) -> str:
    if isinstance(node.value, str):
        digits = node.raw.lstrip("0")
        if int in kinds and digits.isascii() and digits.isdigit() and digits != node.raw:
            return f": with a zero in front it is a text; write {digits}"
        return meant(node.raw, words_at(place))
    if isinstance(node.value, bool | int | float) and str in kinds:
        return f': put it in quotes: "{node.raw}"'
    return ""
