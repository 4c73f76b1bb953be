"""What the readers of our own data files share: known keys, needed keys, texts by language, each mistake at its place.

A data file is one that a technician or coordinator edits (makers.yaml, intake rules). All its mistakes are told at
once, as ``file:line:column: message (did you mean …)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiles.errors import Problem, ProfileError, meant
from profiles.strict_yaml import Node

LANGUAGES = ("en", "zh", "vi")


class Sheet:
    """Collects the mistakes of one file. Every method says what it found wrong and goes on with a harmless value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, node: Node, message: str, *, at_value: bool = True) -> None:
        self.problems.append((node.at if at_value else node.place).problem(message))

    def done(self) -> None:
        """Raises ProfileError if there was any mistake."""
        if self.problems:
            raise ProfileError(self.problems)

    def entries(self, node: Node, known: Iterable[str], needed: Iterable[str] = ()) -> Mapping[str, Node]:
        """The entries of a map that may hold the keys ``known`` and must hold ``needed``."""
        if not isinstance(node.value, Mapping):
            self.wrong(node, "must be a map of keys and values")
            return {}
        names = tuple(known)
        for key, child in node.entries.items():
            if key not in names:
                self.wrong(child, f'unknown key "{key}"{meant(key, names)}', at_value=False)
        for key in needed:
            if key not in node.entries:
                self.wrong(node, f'"{key}" is missing', at_value=False)
        return {key: child for key, child in node.entries.items() if key in names}

    def items(self, node: Node | None) -> tuple[Node, ...]:
        if node is None:
            return ()
        if not isinstance(node.value, tuple):
            self.wrong(node, "must be a list")
        return node.items

    def text(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value.strip():
            self.wrong(node, "must be a text: put it in quotes")
            return ""
        return node.value

    def texts(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.text(item) for item in self.items(node))

    def word(self, node: Node, known: Iterable[str]) -> str:
        """One of some words."""
        words = tuple(known)
        said = self.text(node)
        if said and said not in words:
            self.wrong(node, f'must be one of {", ".join(words)}, not "{said}"{meant(said, words)}')
        return said

    def number(self, node: Node | None, least: int, most: int, default: int) -> int:
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not least <= node.value <= most:
            self.wrong(node, f"must be a whole number from {least} to {most}")
            return default
        return node.value

    def languages(self, node: Node | None) -> dict[str, str]:
        """A text in every language."""
        if node is None:
            return {}
        return {key: self.text(child) for key, child in self.entries(node, LANGUAGES, LANGUAGES).items()}
