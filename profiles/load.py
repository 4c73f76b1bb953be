"""YAML -> Profile, or ProfileError with every problem at its place.

file -> strict_yaml: nodes with places -> extends: one tree -> check: secrets, files, names -> schema -> Profile
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from profiles import library
from profiles.check import CHECKS, known_secrets, with_rules
from profiles.errors import Problem, ProfileError, shown
from profiles.explain import explain
from profiles.extends import resolve
from profiles.schema import Profile
from profiles.secrets import Secret, Secrets
from profiles.shape import Place, list_key
from profiles.strict_yaml import Mark, Node, SecretName

__all__ = ["Problem", "ProfileError", "load"]


def load(name_or_path: str, secrets: Secrets) -> Profile:
    """The profile of that name in the library, or in that file (a path has a "/" or ends in .yaml).

    Raises ProfileError with every problem of the file and of those that it extends.
    """
    merged, problems = resolve(name_or_path)
    root, unknown = with_rules(merged)
    held, missing = known_secrets(root, secrets)
    problems = [*problems, *unknown, *missing]
    for check in CHECKS:
        problems.extend(check(root))
    try:
        profile = Profile.model_validate(_values(root, held))
    except ValidationError as error:
        # a place that has its problem already needs no second one in other words
        told = {(problem.file, problem.line, problem.column) for problem in problems}
        found = explain(error, root)
        problems.extend(p for p in found if (p.file, p.line, p.column) not in told)
        raise ProfileError(problems) from None
    if problems:
        raise ProfileError(problems)
    profile._sources = dict(_sources(root, ()))
    return profile


def _values(node: Node, held: Mapping[str, Secret]) -> Any:
    """Plain values as the schema takes them: tuples for lists, secrets for their names."""
    if isinstance(node.value, Mapping):
        return {key: _values(child, held) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(_values(child, held) for child in node.value)
    return held[node.value.name] if isinstance(node.value, SecretName) else node.value


def _sources(node: Node, place: Place, real: Place | None = None) -> list[tuple[Place, str]]:
    """``file:line`` by place; entries of keyed lists by their key, rules also without "rules", as they are written."""
    real = place if real is None else real
    found = [(place, _source(node.place))]
    for key, child in node.entries.items():
        found += _sources(child, (*place, key), (*real, key))
        if real == ("restrictions", "rules"):
            found += _sources(child, ("restrictions", key), (*real, key))
    for index, child in enumerate(node.items):
        names = [child.entries[key].value for key in list_key(real) if key in child.entries]
        name = names[0] if names and isinstance(names[0], str) else index
        found += _sources(child, (*place, name), (*real, index))
    return found


def _source(mark: Mark) -> str:
    """Short, since it stands in reports: the path below the current directory, else (or of ours) the file's name."""
    path = shown(mark.file)
    name = mark.file.name if mark.file.parent == library.FOLDER or path == str(mark.file) else path
    return f"{name}:{mark.line}"
