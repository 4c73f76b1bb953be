"""What the schema cannot see: secrets, files, names of restrictions, references between sections."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from profiles import carriers, check_ios, check_owner
from profiles.digest import files_below
from profiles.errors import Problem, ProfileError, meant, shown
from profiles.nodes import at, denied, items, texts, walk
from profiles.restrictions import table
from profiles.secrets import NoSecret, Secret, Secrets
from profiles.shape import Place, keys_at, types_at
from profiles.strict_yaml import Node, SecretName


def with_rules(root: Node) -> tuple[Node, list[Problem]]:
    """The tree as the schema wants it: rules, which stand beside ``remove`` and ``block`` in the file, in a map."""
    section = root.entries.get("restrictions")
    if section is None or not isinstance(section.value, Mapping):
        return root, []
    lists = keys_at(("restrictions",))
    rules = {name: node for name, node in section.entries.items() if name not in lists}
    known = table() if rules else {}
    problems = [
        node.place.problem(f'unknown restriction "{name}"{meant(name, [*known, *lists])}')
        for name, node in rules.items()
        if name not in known
    ]
    entries = {name: node for name, node in section.entries.items() if name in lists}
    entries["rules"] = replace(section, value={name: node for name, node in rules.items() if name in known})
    return replace(root, value={**root.entries, "restrictions": replace(section, value=entries)}), problems


def without_gaps(root: Node) -> list[Problem]:
    """A key without a value is a slip of the pen: nothing is guessed from it."""
    return [
        node.place.problem("there is no value here: write one, or take the line out (an inherited one: {drop: true})")
        for _, node in walk(root, ())
        if node.value is None
    ]


def known_secrets(root: Node, secrets: Secrets) -> tuple[dict[str, Secret], list[Problem]]:
    """Every secret that the tree names, by name, and what is wrong with them. A missing one is there, but empty."""
    found: dict[str, Secret] = {}
    problems: list[Problem] = []
    for place, node in walk(root, ()):
        if not isinstance(node.value, SecretName):
            continue
        name = node.value.name
        kinds = types_at(place)
        found.setdefault(name, Secret(name, ""))
        if Secret not in kinds:
            continue
        try:
            found[name] = secrets.get(name)
        except NoSecret as error:
            problems.append(node.at.problem(str(error)))
        except ProfileError as error:
            problems.extend(error.problems)
        else:
            problems.extend(_unfit(found[name], place, node))
    return found, problems


def _unfit(secret: Secret, place: Place, node: Node) -> Iterator[Problem]:
    value = secret.reveal()
    if place[-1] == "pin" and not (value.isascii() and value.isdigit() and 4 <= len(value) <= 16):
        yield node.at.problem(f'the secret "{secret.name}" is no PIN: 4 to 16 digits')
    if place[:2] == ("network", "wifi") and not (8 <= len(value.encode()) <= 63):
        yield node.at.problem(f'the secret "{secret.name}" is no Wi-Fi password: 8 to 63 characters')


def files_there(root: Node) -> Iterator[Problem]:
    """Every file that is named is there and can be read, and so is every file of a folder."""
    for place, node in walk(root, ()):
        if isinstance(node.value, Path):
            yield from _unreadable(node.value, node, may_be_folder=place[0] == "content")


def _unreadable(path: Path, node: Node, *, may_be_folder: bool) -> Iterator[Problem]:
    try:
        if not path.exists():
            yield node.at.problem(f"there is no such file: {shown(path)}")
        elif path.is_dir() and not may_be_folder:
            yield node.at.problem(f"is a folder, not a file: {shown(path)}")
        else:
            for file in files_below(path):
                if not file.is_file() or not os.access(file, os.R_OK):
                    yield node.at.problem(f"is no file that can be read: {shown(file)}")
    except OSError as error:
        yield node.at.problem(f"cannot be read: {error.strerror}: {shown(path)}")


def references(root: Node) -> Iterator[Problem]:
    """Apps by id, operators by name, and what two sections say of one thing."""
    sim = root.entries.get("sim", root)
    apps = texts(root.entries.get("apps"), "id")
    background = sim.entries.get("background_data")
    allowed = background.entries.get("allow") if background else None
    for item in allowed.items if allowed else ():
        if isinstance(item.value, str) and item.value not in apps:
            yield item.at.problem(f'there is no app "{item.value}" under apps{meant(item.value, apps)}')
    yield from _operator(sim)
    yield from _same_place(root.entries.get("content"))
    yield from _contradictions(root)


def _operator(sim: Node) -> Iterator[Problem]:
    name, numeric = sim.entries.get("carrier"), sim.entries.get("mccmnc")
    if name is None or not isinstance(name.value, str):
        return
    carrier = carriers.find(name.value)
    if carrier is None:
        yield name.at.problem(f'unknown operator "{name.value}"{carriers.suggestion(name.value)}')
    elif numeric is not None and isinstance(numeric.value, str) and numeric.value not in carrier.numerics:
        numbers = ", ".join(carrier.numerics)
        yield numeric.at.problem(f"is not {carrier.name}, which is {numbers}: give one of carrier and mccmnc")


def _same_place(content: Node | None) -> Iterator[Problem]:
    """No two entries have one folder or one file for a target, by names as a phone compares them."""
    first: dict[str, Node] = {}
    files: dict[str, Node] = {}
    folders: dict[str, Node] = {}
    for item in content.items if content else ():
        to = item.entries.get("to")
        if to is None or not isinstance(to.value, str):
            continue
        name = item.entries.get("id", item)
        place = PurePosixPath(to.value.strip("/")).as_posix()
        if other := first.get(_folded(place)):
            yield to.at.problem(f'"{other.raw}" goes to the same folder: give each its own')
            continue
        first[_folded(place)] = name
        below = _names(item.entries.get("from"))
        yield from _differ_by_case(item.entries["from"], below) if below else ()
        mine = {_folded(path): path for path in (f"{place}/{file}" for file in below)}
        around = {_folded(parent): parent for path in mine.values() for parent in _parents(path)}
        clashes = [
            *(path for path in mine if path in files or path in folders),
            *(path for path in around if path in files),
        ]
        if clashes:
            other = files.get(clashes[0]) or folders[clashes[0]]
            both = mine.get(clashes[0]) or around[clashes[0]]
            yield to.at.problem(f'"{both}" is a target of "{other.raw}", too: give each a folder of its own')
        files |= dict.fromkeys(mine, name)
        folders |= dict.fromkeys(around, name)


def _differ_by_case(source: Node, names: Iterable[str]) -> Iterator[Problem]:
    """The shared storage of a phone takes names that differ in capitals only for one."""
    seen: dict[str, str] = {}
    for name in names:
        for part in (name, *_parents(name)):
            other = seen.setdefault(_folded(part), part)
            if other != part:
                yield source.at.problem(f'"{other}" and "{part}" are one name to a phone: rename one of them')
                return


def _names(source: Node | None) -> list[str]:
    """The files of a content entry, below its target; none where it cannot be read, which is told elsewhere."""
    if source is None or not isinstance(source.value, Path):
        return []
    path = source.value
    try:
        return [path.name] if path.is_file() else [file.relative_to(path).as_posix() for file in files_below(path)]
    except (OSError, ValueError):
        return []


def _parents(name: str) -> list[str]:
    return [parent.as_posix() for parent in PurePosixPath(name).parents][:-1]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _contradictions(root: Node) -> Iterator[Problem]:
    """What one section wants and another forbids would be set back and forth for ever."""
    restrictions = root.entries.get("restrictions", root)
    roaming = at(root, "sim", "roaming")
    rule = at(restrictions, "rules", "data_roaming")
    if roaming and rule and roaming.value in (True, "on", "allow") and denied(rule):
        yield roaming.at.problem(f"restrictions deny data_roaming (line {rule.place.line}): have it one way")
    apps = {package.value: app for app in items(root, "apps") if (package := at(app, "android", "package"))}
    for section in ("remove", "block"):
        for entry in items(restrictions, section):
            name = entry.entries.get("android")
            if name and name.value in apps:
                line = apps[name.value].place.line
                yield name.at.problem(f'"{name.raw}" is an app of this profile (line {line}): have it one way')


CHECKS: tuple[Callable[[Node], Iterator[Problem] | list[Problem]], ...] = (
    without_gaps,
    files_there,
    references,
    check_ios.contradictions,
    check_owner.contradictions,
)
