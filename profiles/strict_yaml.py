"""YAML, read strictly, with the place of every value.

What it takes is less than YAML, so that what a file says is what a reader of it would think:

- only ``true`` and ``false`` are booleans: ``NO``, ``off`` and ``yes`` are texts;
- only plain decimal numbers are numbers: ``012``, ``0x1f``, ``22:30`` and ``+5`` are texts;
- a key stands once in a map, and is a text;
- no anchors, aliases, merge keys, directives or tags, but ``!secret name``;
- one document of UTF-8, at most 1 MiB and 24 levels deep, without control characters.

All that is wrong is told at once, up to 100 problems and as far as the syntax lets us read on.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from profiles.errors import Problem, ProfileError, shown

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_PROBLEMS = 100

_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE)
_SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_MAX_DIGITS = 18

_SYNTAX = (
    (r"character '\\t'", "a tab stands here: indent with spaces"),
    (r"cannot start any token", "a text cannot start with this character: put the text in quotes"),
    (r"mapping values are not allowed", "this ':' is out of place: check the indent, or put the text in quotes"),
    (r"could not find expected ':'", "a ':' is missing after the key"),
    (r"expected <block end>", "the indent does not fit the lines above"),
    (r"unexpected end of stream", "the file ends inside a text in quotes"),
    (r"expected ',' or ']'", "a ',' or ']' is missing"),
    (r"expected ',' or '}'", "a ',' or '}' is missing"),
    (
        r"unknown escape|escape sequence",
        "this is no escape that YAML knows: use single quotes, or double the backslash",
    ),
    (r"expected the node content", "a value is missing here"),
    (r"directive|%", "lines that start with '%' are not used here"),
    (r"alias|anchor", "anchors (&) and aliases (*) are not used here: put a text that starts so in quotes"),
    (r"tag", "of tags only '!secret name' is used here: put a text that starts with '!' in quotes"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column start at 1."""

    file: Path
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        return Problem(shown(self.file), self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class SecretName:
    """``!secret name``, as it stands in the file."""

    name: str


Scalar = str | int | float | bool | Path | SecretName | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place; a map holds nodes by key, a list a tuple of them. ``raw`` is a scalar as written."""

    value: Scalar | Mapping[str, Node] | tuple[Node, ...]
    at: Mark
    key_at: Mark | None = None
    raw: str = ""

    @property
    def entries(self) -> Mapping[str, Node]:
        """The entries of a map; nothing when this is no map."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items of a list; nothing when this is no list."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def place(self) -> Mark:
        """Where to point at: the key where there is one."""
        return self.key_at or self.at


def plain(node: Node) -> Any:
    """The value without places: dict, list and scalars."""
    if isinstance(node.value, Mapping):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(child) for child in node.value]
    return node.value


def read(file: Path) -> Node:
    """The one document of a file. Raises ProfileError, also when the file cannot be read."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError([Problem(shown(file), 0, 0, "there is no such file")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ProfileError([Problem(shown(file), 0, 0, f"cannot be read: {reason}")]) from None
    return parse(data, file)


def parse(data: bytes, file: Path) -> Node:
    """The one document in ``data``; ``file`` is named in marks and problems. Raises ProfileError."""
    if len(data) > MAX_BYTES:
        raise ProfileError([Problem(shown(file), 0, 0, f"is larger than {MAX_BYTES >> 20} MiB")])
    text = _decode(data, file)
    composer = _Composer(file)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            composer.take(event)
            if composer.enough:
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        composer.refuse(mark, _syntax(f"{error.problem or ''} {error.context or ''}"))
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML lets a few through as they come, such as a character number that is none ("\UFFFFFFFF")
        composer.refuse(None, "this is not YAML: check the texts in quotes near here")
    return composer.result()


def _decode(data: bytes, file: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise ProfileError([_at(file, before).problem("is not UTF-8 from here on: save the file as UTF-8")]) from None
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        what = f"a control character (U+{ord(bad.group()):04X}) stands here: take it out"
        raise ProfileError([_at(file, text[: bad.start()]).problem(what)])
    return text


def _at(file: Path, before: str) -> Mark:
    lines = re.split(r"\r\n|\r|\n", before)
    return Mark(file, len(lines), len(lines[-1]) + 1)


def _syntax(problem: str) -> str:
    for pattern, words in _SYNTAX:
        if re.search(pattern, problem):
            return words
    return "this is not YAML: check the indent, quotes and brackets near here"


@dataclass
class _Open:
    """A map or list that is being read. ``key`` is the key whose value comes next; ``skip`` drops that value."""

    at: Mark
    is_map: bool
    entries: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: str | None = None
    key_at: Mark | None = None
    skip: bool = False


class _Composer:
    """Builds nodes from PyYAML's events: no recursion, and every refusal has its place."""

    def __init__(self, file: Path) -> None:
        self.enough = False  # there is no sense in reading on
        self._file = file
        self._stack: list[_Open] = []
        self._problems: list[Problem] = []
        self._root: Node | None = None
        self._documents = 0
        self._last: Any = None

    def result(self) -> Node:
        if not self._problems and (self._root is None or self._root.value is None):
            self._problems.append(Problem(shown(self._file), 1, 1, "the file is empty"))
        if self._problems or self._root is None:
            raise ProfileError(self._problems)
        return self._root

    def refuse(self, mark: Any, message: str) -> None:
        self._add_problem(self._mark(mark or self._last).problem(message))

    def _add_problem(self, problem: Problem) -> None:
        self._problems.append(problem)
        self.enough = self.enough or len(self._problems) >= MAX_PROBLEMS

    def _mark(self, mark: Any) -> Mark:
        return Mark(self._file, mark.line + 1, mark.column + 1) if mark else Mark(self._file, 1, 1)

    def take(self, event: yaml.Event) -> None:
        self._last = event.end_mark
        if isinstance(event, yaml.DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, yaml.AliasEvent):
            self.refuse(event.start_mark, "aliases (*name) are not used here: write the value out, or use extends")
            self._add(Node(None, self._mark(event.start_mark)), is_text=False)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        if event.version or event.tags:
            self.refuse(event.start_mark, "lines that start with '%' are not used here")
        if self._documents == 2:
            self.refuse(event.start_mark, "a second document starts here: a file holds one")

    def _open(self, event: Any) -> None:
        if event.anchor is not None:
            self.refuse(event.start_mark, "anchors (&name) are not used here: write the value out, or use extends")
        if event.tag is not None:
            self.refuse(event.start_mark, f"the tag {event.tag} is not used here: only '!secret name' is")
        if len(self._stack) >= MAX_DEPTH:
            self.refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
            self.enough = True
        self._stack.append(_Open(self._mark(event.start_mark), isinstance(event, yaml.MappingStartEvent)))

    def _close(self) -> None:
        top = self._stack.pop()
        value: Mapping[str, Node] | tuple[Node, ...] = top.entries if top.is_map else tuple(top.items)
        self._add(Node(value, top.at), is_text=False)

    def _scalar(self, event: Any) -> None:
        is_plain = event.style is None and event.tag is None
        if event.anchor is not None:
            self.refuse(event.start_mark, "anchors (&name) are not used here: write the value out, or use extends")
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in event.value):
            self.refuse(event.start_mark, "this text holds a control character: take it out")
        value = self._tagged(event) if event.tag is not None else event.value
        if is_plain:
            value = self._resolve(event)
        self._add(Node(value, self._mark(event.start_mark), raw=event.value), is_text=isinstance(value, str))

    def _tagged(self, event: Any) -> Scalar:
        if event.tag != "!secret":
            self.refuse(event.start_mark, f"the tag {event.tag} is not used here: only '!secret name' is")
        elif not _SECRET_NAME.match(event.value):
            self.refuse(event.start_mark, "after !secret comes a name of letters, digits, '-' and '_'")
        return SecretName(event.value)

    def _resolve(self, event: Any) -> Scalar:
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.match(text) and len(text) <= _MAX_DIGITS:
            return int(text)
        if _DECIMAL.match(text) and not _INTEGER.match(text) and math.isfinite(number := float(text)):
            return number
        if _DECIMAL.match(text):
            self.refuse(event.start_mark, "this number is too large: if a text is meant, put it in quotes")
        elif text == "<<":
            self.refuse(event.start_mark, "merge keys (<<) are not used here: use extends")
        elif _NOT_A_NUMBER.match(text):
            self.refuse(event.start_mark, f"{text} is not a number: if a text is meant, put it in quotes")
        return text

    def _add(self, node: Node, *, is_text: bool) -> None:
        if not self._stack:
            self._root = self._root or node
            return
        top = self._stack[-1]
        if not top.is_map:
            top.items.append(node)
        elif top.key is None:
            self._take_key(top, node, is_text)
        else:
            if not top.skip:
                top.entries[top.key] = replace(node, key_at=top.key_at)
            top.key, top.skip = None, False

    def _take_key(self, top: _Open, node: Node, is_text: bool) -> None:
        top.key, top.key_at = node.raw, node.at
        problem = ""
        if not is_text:
            problem = "a key is a text: put it in quotes" if node.raw else "a key stands here that is no text"
        elif node.raw in top.entries:
            first = top.entries[node.raw].place
            problem = f'the key "{node.raw}" stands here a second time; the first is on line {first.line}'
        if problem:
            top.skip = True
            self._add_problem(node.at.problem(problem))
