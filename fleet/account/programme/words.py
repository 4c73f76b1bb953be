"""What pydantic found wrong in a programme file, in plain words and at its place.

:mod:`profiles.explain` does this for profiles, whose words (paths, secrets) do not occur here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fleet.account.programme.schema import SHAPES, Programme
from profiles.errors import Problem, meant
from profiles.rules import OURS
from profiles.shape import Place, is_section, item_types, written_keys
from profiles.strict_yaml import Node, SecretName

_NAMES: Mapping[Any, str] = {str: "a text", int: "a whole number"}

_LIMITS: Mapping[str, str] = {
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def explain(error: ValidationError, root: Node) -> list[Problem]:
    """One problem per place."""
    problems: dict[tuple[Place, str], Problem] = {}
    for detail in error.errors(include_url=False):
        node, place = _follow(root, detail["loc"])
        if message := _message(detail, node, place):
            is_key = detail["type"] in ("extra_forbidden", "missing") or isinstance(node.value, Mapping)
            kind = str(detail["loc"][-1]) if detail["type"] == "missing" else ""
            problems.setdefault((place, kind), (node.place if is_key else node.at).problem(message))
    return list(problems.values())


def _follow(root: Node, loc: tuple[int | str, ...]) -> tuple[Node, Place]:
    """The node that a location leads to; the names of choices in unions are no part of the file."""
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
    if kind == OURS:
        return str(context["message"])
    if kind == "extra_forbidden":
        return f'unknown key "{place[-1]}"{meant(str(place[-1]), _keys_at(place[:-1]))}'
    if kind == "missing":
        return f'"{detail["loc"][-1]}" is missing'
    if node.value is None:
        return "there is no value here: write one, or take the line out"
    if kind == "string_pattern_mismatch":
        return f'must be {SHAPES[context["pattern"]]}, not "{node.raw}"'
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    return _wrong_kind(node, _types_at(place))


def _wrong_kind(node: Node, kinds: tuple[Any, ...]) -> str:
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    near = meant(node.raw, words) if isinstance(node.value, str) else ""
    if isinstance(node.value, bool | int | float) and str in kinds:
        near = f': put it in quotes: "{node.raw}"'
    return f"must be {_listed(kinds)}, not {_got(node)}{near}"


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
    if isinstance(node.value, Mapping | tuple):
        return "a map" if isinstance(node.value, Mapping) else "a list"
    if isinstance(node.value, SecretName):
        return f"!secret {node.value.name}"
    return f'"{node.raw}"' if isinstance(node.value, str) else node.raw


def _types_at(place: Place) -> tuple[Any, ...]:
    """The types that the schema takes at ``place``, unions taken apart."""
    found: tuple[Any, ...] = (Programme,)
    for part in place:
        found = tuple(kind for parent in found for kind in _child(parent, part))
    return found


def _child(parent: Any, part: str | int) -> tuple[Any, ...]:
    if is_section(parent):
        fields = (field for name, field in parent.model_fields.items() if part == (field.alias or name))
        return tuple(kind for field in fields for kind in item_types(tuple[field.annotation, ...]))  # type: ignore[name-defined]
    return item_types(parent)


def _keys_at(place: Place) -> list[str]:
    return [key for kind in _types_at(place) if is_section(kind) for key in written_keys(kind)]
