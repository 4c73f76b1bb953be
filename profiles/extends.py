"""Files into one tree: what a file extends comes first, later files win, every value keeps its place.

The files are put in one row, parents before children and each file once, and merged from the first to the last:

- maps are merged key by key, and lists whose entries have a key (``id``, ``ssid``, a package) entry by entry;
- any other value of the later file takes the place of the earlier one;
- ``{id: x, drop: true}`` takes the entry x of a list away, ``key: {drop: true}`` the key of a map.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from profiles import library
from profiles.errors import Problem, ProfileError, meant, shown
from profiles.shape import Place, list_key, types_at
from profiles.strict_yaml import Mark, Node, read

MAX_LEVELS = 32

Key = tuple[str, str]


def resolve(name_or_path: str) -> tuple[Node, list[Problem]]:
    """The merged tree of a profile and all that it extends, and what is wrong with the merging.

    Raises ProfileError when a file cannot be read or ``extends`` leads in a circle.
    """
    file, unknown = _locate(name_or_path, Path())
    if unknown:
        raise ProfileError([Problem(name_or_path, 0, 0, unknown)])
    row = _Row()
    row.add(file, ())
    if row.problems:
        raise ProfileError(row.problems)
    tree, problems = None, []
    for node in row.nodes.values():
        tree, found = merge(tree or replace(node, value={}), node)
        problems += found
    assert tree is not None, "a row that has no problems has a file"
    return tree, problems


def merge(old: Node, new: Node) -> tuple[Node, list[Problem]]:
    """A whole tree over another, and what is wrong with the drops and keys of ``new``."""
    merger = _Merger()
    return merger.merge(old, new, ()), merger.problems


def _locate(name: str, folder: Path) -> tuple[Path, str]:
    """The file that a name of the library or a path stands for, and what is wrong with the name."""
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return _absolute(folder, name), ""
    file = library.path(name)
    if name in library.names():
        return file, ""
    return file, f'there is no profile "{name}" in the library{meant(name, library.names())}; a path ends in .yaml'


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on links that lead in a circle


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that the system refuses
        return False


class _Row:
    """The files of a profile, parents before children, each once."""

    def __init__(self) -> None:
        self.nodes: dict[Path, Node] = {}
        self.problems: list[Problem] = []

    def add(self, file: Path, chain: tuple[Path, ...]) -> None:
        real = _real(file)
        if real in self.nodes:
            return
        try:
            node = read(file)
        except ProfileError as error:
            self.problems.extend(error.problems)
            return
        if not isinstance(node.value, Mapping):
            self.problems.append(node.at.problem("a profile is a map: it starts with a line such as profile: my-name"))
            return
        for parent in self._parents(node):
            self._add_parent(parent, file, (*chain, real))
        self.nodes[real] = _prepared(node, file.parent)

    def _parents(self, node: Node) -> tuple[Node, ...]:
        extends = node.entries.get("extends")
        if extends is None:
            return ()
        good = [item for item in extends.items if isinstance(item.value, str)]
        if len(good) != len(extends.items) or not isinstance(extends.value, tuple):
            self.problems.append(extends.at.problem("must be a list of names or paths, such as [base]"))
        return tuple(good)

    def _add_parent(self, parent: Node, file: Path, chain: tuple[Path, ...]) -> None:
        target, unknown = _locate(parent.raw, file.parent)
        if unknown:
            self.problems.append(parent.at.problem(unknown))
        elif _real(target) in chain:
            circle = [*chain[chain.index(_real(target)) :], _real(target)]
            names = " -> ".join(step.name for step in circle)
            self.problems.append(parent.at.problem(f"extends leads in a circle: {names}"))
        elif not _is_file(target):
            self.problems.append(parent.at.problem(f"there is no such file: {shown(target)}"))
        elif len(chain) == MAX_LEVELS:
            self.problems.append(parent.at.problem(f"extends goes deeper than {MAX_LEVELS} files"))
        else:
            self.add(target, chain)


def _prepared(node: Node, folder: Path) -> Node:
    """Without ``extends``, with paths that start at the folder of the file."""
    entries = {key: child for key, child in node.entries.items() if key != "extends"}
    return _with_paths(replace(node, value=entries), folder, ())


def _with_paths(node: Node, folder: Path, place: Place) -> Node:
    if isinstance(node.value, str):
        kinds = types_at(place)
        takes_path = Path in kinds or tuple[Path, ...] in kinds
        return replace(node, value=_absolute(folder, node.value)) if takes_path and node.value else node
    if isinstance(node.value, tuple):
        items = (_with_paths(child, folder, (*place, index)) for index, child in enumerate(node.value))
        return replace(node, value=tuple(items))
    entries = {key: _with_paths(child, folder, (*place, key)) for key, child in node.entries.items()}
    return replace(node, value=entries) if isinstance(node.value, Mapping) else node


def _absolute(folder: Path, path: str) -> Path:
    """Absolute and without "..", by the names alone: links stay what they are."""
    return Path(os.path.normpath(folder.absolute() / path))


class _Merger:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def merge(self, old: Node, new: Node, place: Place) -> Node:
        """``new`` over ``old``. Where ``new`` is a map or keyed list, its drops are carried out."""
        if isinstance(new.value, Mapping):
            return replace(new, value=self._map(old.entries, new.entries, place))
        if isinstance(new.value, tuple) and (key := list_key(place)):
            return replace(new, value=self._list(old.items, new.items, place, key))
        return new

    def _map(self, old: Mapping[str, Node], new: Mapping[str, Node], place: Place) -> dict[str, Node]:
        merged = dict(old)
        for key, node in new.items():
            if self._is_drop(node, ()):
                if merged.pop(key, None) is None:
                    self._nothing(node.place, key)
                continue
            empty = replace(node, value=None)
            merged[key] = self.merge(merged.get(key, empty), node, (*place, key))
        return merged

    def _list(
        self, old: tuple[Node, ...], new: tuple[Node, ...], place: Place, key: tuple[str, ...]
    ) -> tuple[Node, ...]:
        merged: dict[Key | int, Node] = {_name(node, key) or index: node for index, node in enumerate(old)}
        seen: dict[Key, Mark] = {}
        for index, node in enumerate(new, 1):
            name = _name(node, key)
            if name is None:
                merged[-index] = node  # the schema says what is wrong with it
                continue
            if name in seen:
                line = seen[name].line
                self.problems.append(
                    node.at.problem(f'"{name[1]}" stands here a second time; the first is on line {line}')
                )
                continue
            seen[name] = node.at
            if self._is_drop(node, key):
                if merged.pop(name, None) is None:
                    self._nothing(node.at, name[1])
                continue
            empty = replace(node, value=None)
            merged[name] = self.merge(merged.get(name, empty), node, (*place, 0))
        return tuple(merged.values())

    def _is_drop(self, node: Node, key: tuple[str, ...]) -> bool:
        drop = node.entries.get("drop")
        if drop is None:
            return False
        others = [name for name in node.entries if name != "drop" and name not in key]
        if drop.value is not True or others:
            self.problems.append(drop.place.problem("drop is written as drop: true, with nothing beside it"))
        return True

    def _nothing(self, mark: Mark, name: str) -> None:
        self.problems.append(mark.problem(f'there is no "{name}" to drop'))


def _name(node: Node, key: tuple[str, ...]) -> Key | None:
    """The key of an entry of a keyed list: field and value; None for what has none."""
    for field in key:
        child = node.entries.get(field)
        if child is not None and isinstance(child.value, str):
            return field, child.value
    return None
