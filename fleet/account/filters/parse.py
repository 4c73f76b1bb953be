"""The language of ``--where``, from text to a tree. Pure.

    state=with_student and model~"SM-" and battery_worn>20 and not place in (HN-01, HN-02)

Comparisons are joined by ``and``, ``or``, ``not`` and brackets; ``and`` binds closer than ``or``. What the fields are
called, and what may be said of each, is in :mod:`fleet.account.filters.fields`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleet.errors import AccountError
from provision.text import printable

MAX_LENGTH = 2000
_MAX_DEPTH = 40
_HELP = "docs/status.md has the language; fleet status --fields lists what can be asked."

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<op>!=|!~|<=|>=|==|=|<|>|~)
      | (?P<mark>[(),])
      | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<word>[\w+.:/@%-]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset({"and", "or", "not", "in"})
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class FilterError(AccountError):
    """A filter that is not understood. ``at`` is the position (from 1) in ``text``."""

    exit_code = 2

    def __init__(self, text: str, at: int, message: str) -> None:
        self.text, self.at = text, at
        near = printable(text[max(0, at - 1) :][:30])
        where = f'at character {at}, "{near}"' if near else "at its end"
        super().__init__(f"The filter is not understood {where}: {message}.", _HELP)


@dataclass(frozen=True)
class Value:
    """A word as it was written. ``quoted``: it is a text, whatever it looks like."""

    text: str
    at: int
    quoted: bool = False


@dataclass(frozen=True)
class Compare:
    """``field op value``; ``op`` ``in`` has several values, all others one."""

    field: str
    op: str
    values: tuple[Value, ...]
    at: int


@dataclass(frozen=True)
class Flag:
    """A field that is said by itself, such as ``outdated``."""

    field: str
    at: int


@dataclass(frozen=True)
class Not:
    inner: Tree


@dataclass(frozen=True)
class AllOf:
    """``and``."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class AnyOf:
    """``or``."""

    parts: tuple[Tree, ...]


Tree = Compare | Flag | Not | AllOf | AnyOf


def parse(text: str) -> Tree:
    """The tree of a filter. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(text, MAX_LENGTH + 1, f"it is longer than {MAX_LENGTH} characters")
    reader = _Reader(text, tuple(_tokens(text)))
    tree = reader.any_of(0)
    if left := reader.peek():
        raise FilterError(text, left.at, "here should be and, or, or the end")
    return tree


def leaves(tree: Tree) -> Iterator[Compare | Flag]:
    """Every comparison and flag, from left to right."""
    if isinstance(tree, Not):
        yield from leaves(tree.inner)
    elif isinstance(tree, AllOf | AnyOf):
        for part in tree.parts:
            yield from leaves(part)
    else:
        yield tree


def shown(tree: Tree) -> str:
    """The filter as text: :func:`parse` makes the same tree of it."""
    match tree:
        case Flag(field):
            return field
        case Compare(field, "in", values):
            return f"{field} in ({', '.join(map(_quoted, values))})"
        case Compare(field, op, (value,)):
            return f"{field} {op} {_quoted(value)}"
        case Not(inner):
            return f"not {_bracketed(inner)}"
        case AllOf(parts):
            return " and ".join(map(_bracketed, parts))
        case AnyOf(parts):
            return " or ".join(map(_bracketed, parts))
    raise TypeError(tree)


def _bracketed(tree: Tree) -> str:
    return f"({shown(tree)})" if isinstance(tree, AllOf | AnyOf) else shown(tree)


def _quoted(value: Value) -> str:
    if not value.quoted:
        return value.text
    escaped = value.text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            unclosed = text[place] in "\"'"
            raise FilterError(
                text, place + 1, "this quote has no end" if unclosed else "put texts with signs in quotes"
            )
        kind, said = str(found.lastgroup), found[0]
        if kind == "word" and said.lower() in _KEYWORDS:
            yield _Token(said.lower(), said, place + 1)
        elif kind != "space":
            yield _Token(kind, said, place + 1)
        place = found.end()


class _Reader:
    """Recursive descent; ``depth`` keeps brackets from exhausting the stack."""

    def __init__(self, text: str, tokens: Sequence[_Token]) -> None:
        self._text, self._tokens, self._next = text, tokens, 0

    def peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def any_of(self, depth: int) -> Tree:
        parts = [self._all_of(depth)]
        while self._take("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self, depth: int) -> Tree:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise self._wrong("brackets and nots lie too deep in one another")
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("mark", "("):
            inner = self.any_of(depth + 1)
            self._need(")", "a bracket is not closed")
            return inner
        field = self._take("word")
        if field is None:
            raise self._wrong("here should be a field, such as state")
        return self._said_of(field)

    def _said_of(self, field: _Token) -> Tree:
        name = field.text.lower()
        if self._take("in"):
            return Compare(name, "in", self._list(), field.at)
        if [token.kind for token in self._tokens[self._next : self._next + 2]] == ["not", "in"]:
            self._next += 2
            return Not(Compare(name, "in", self._list(), field.at))
        if op := self._take("op"):
            sign = "=" if op.text == "==" else op.text
            return Compare(name, sign, (self._value(),), field.at)
        return Flag(name, field.at)

    def _list(self) -> tuple[Value, ...]:
        self._need("(", "after in comes a list in brackets: in (a, b)")
        values = [self._value()]
        while self._take("mark", ","):
            values.append(self._value())
        self._need(")", "here should be a comma or a bracket")
        return tuple(values)

    def _value(self) -> Value:
        if word := self._take("word"):
            return Value(word.text, word.at)
        if quoted := self._take("quoted"):
            return Value(_ESCAPE.sub(r"\1", quoted.text[1:-1]), quoted.at, quoted=True)
        raise self._wrong("here should be a value; one that is and, or, not or in stands in quotes")

    def _take(self, kind: str, text: str | None = None) -> _Token | None:
        token = self.peek()
        if token is None or token.kind != kind or (text is not None and token.text != text):
            return None
        self._next += 1
        return token

    def _need(self, mark: str, message: str) -> None:
        if not self._take("mark", mark):
            raise self._wrong(message)

    def _wrong(self, message: str) -> FilterError:
        token = self.peek()
        return FilterError(self._text, token.at if token else len(self._text) + 1, message)
