"""YAML -> the programme as the ledger keeps it, or ProfileError with every problem at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fleet.account.programme.schema import Programme, grades_of
from fleet.account.programme.words import explain
from fleet.values import Json
from profiles import strict_yaml
from profiles.errors import Problem, ProfileError, meant
from profiles.nodes import at, items, text, texts
from profiles.strict_yaml import Node, SecretName


def load(file: Path) -> dict[str, Json]:
    """The programme of a file as an object of JSON: ranges of grades written out, nothing that is not said.

    Raises ProfileError with all that is wrong.
    """
    root = strict_yaml.read(file)
    problems: list[Problem] = []
    try:
        programme = Programme.model_validate(_values(root))
    except ValidationError as error:
        problems = explain(error, root)
    told = {(problem.line, problem.column) for problem in problems}
    problems += [problem for problem in _checks(root) if (problem.line, problem.column) not in told]
    if problems:
        raise ProfileError(problems)
    body: dict[str, Json] = programme.model_dump(mode="json", by_alias=True, exclude_none=True)
    return body


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a programme file, for editors."""
    found = _tidy(Programme.model_json_schema(by_alias=True))
    assert isinstance(found, dict)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Programme", **found}


def _tidy(schema: Any) -> Any:
    """Without titles and defaults, which say nothing new, and without null, which no file may say."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        key: {name: _tidy(part) for name, part in value.items()} if key in ("properties", "$defs") else _tidy(value)
        for key, value in schema.items()
        if key not in ("title", "default")
    }
    choices = tidy.get("anyOf", [])
    return {**choices[0], **{k: v for k, v in tidy.items() if k != "anyOf"}} if len(choices) == 1 else tidy


def _values(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {key: _values(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(_values(child) for child in node.value)
    return object() if isinstance(node.value, SecretName) else node.value


def _checks(root: Node) -> Iterator[Problem]:
    """What the shape cannot say: names that have to be there, names and grades that come twice, dates in order."""
    for section, key in (("areas", "area"), ("categories", "category"), ("stages", "stage"), ("phases", "phase")):
        yield from _once(root, section, key)
    for section in ("stages", "lessons", "kinds", "lesson_apps"):
        yield from _grades_once(root, section)
    for section in ("calendar", "quiet", "phases"):
        yield from _in_order(root, section)
    yield from _named(root)
    if (sharing := at(root, "sharing")) and text(root, "one_per") == "student":
        yield sharing.place.problem("each student has one of their own: take this out, or write one_per: household")
    if (hour := at(root, "sharing", "same_hour")) and hour.value == "another" and not items(root, "lessons"):
        yield hour.place.problem('it has to be known who is in lessons when: add "lessons"')


def _once(root: Node, section: str, key: str) -> Iterator[Problem]:
    seen: dict[object, int] = {}
    for item in items(root, section):
        if (name := item.entries.get(key)) is None:
            continue
        if name.value in seen:
            yield name.at.problem(f'"{name.raw}" stands here a second time; the first is on line {seen[name.value]}')
        else:
            seen[name.value] = name.at.line


def _grades_once(root: Node, section: str) -> Iterator[Problem]:
    """A grade with two rules would have none that anybody could foresee."""
    seen: dict[str, int] = {}
    for item in items(root, section):
        if (named := item.entries.get("grades")) is None:
            continue
        try:
            found = grades_of(_values(named))
        except ValueError:
            continue
        for grade in found:
            if grade in seen:
                yield named.at.problem(f"grade {grade} stands on line {seen[grade]}, too: give each grade one rule")
                break
        seen.update(dict.fromkeys(found, named.at.line))


def _in_order(root: Node, section: str) -> Iterator[Problem]:
    for item in items(root, section):
        begin, end = text(item, "from"), text(item, "to")
        if begin and end and begin > end:
            yield item.entries["to"].at.problem(f"ends on {end}, before it begins on {begin}")


def _named(root: Node) -> Iterator[Problem]:
    """Areas and categories that are spoken of have their place in the order."""
    areas, categories = texts(at(root, "areas"), "area"), texts(at(root, "categories"), "category")
    for phase in items(root, "phases"):
        yield from _known(items(phase, "areas"), areas, "area")
        yield from _known(items(phase, "categories"), categories, "category")
        for target in items(phase, "targets"):
            yield from _known((at(target, "area"),), areas, "area")
            yield from _known((at(target, "category"),), categories, "category")
    for offer in items(root, "data_plans"):
        yield from _known(items(offer, "categories"), categories, "category")


def _known(named: tuple[Node | None, ...], known: list[str], what: str) -> Iterator[Problem]:
    section = {"area": "areas", "category": "categories"}[what]
    for node in named:
        if node is not None and isinstance(node.value, str) and node.value not in known:
            yield node.at.problem(f'there is no {what} "{node.value}" under {section}{meant(node.value, known)}')
