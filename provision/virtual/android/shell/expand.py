"""From words to arguments: variables, command substitution, arithmetic, splitting at IFS, file names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from provision.virtual.android.files import Files
from provision.virtual.android.shell import arithmetic, patterns
from provision.virtual.android.shell.patterns import Piece
from provision.virtual.android.shell.tree import Arithmetic, Literal, Parameter, Sequence, Substitution, Word


class ExpansionProblem(Exception):
    """The word cannot be expanded, and why; a script stops there."""


class Scope(Protocol):
    """The shell whose variables are meant."""

    positional: list[str]
    cwd: str
    options: set[str]

    @property
    def files(self) -> Files: ...

    def lookup(self, name: str) -> str | None: ...

    def assign(self, name: str, value: str) -> None: ...

    def capture(self, body: Sequence) -> str: ...


def fields(words: tuple[Word, ...], scope: Scope) -> list[str]:
    """The arguments that the words stand for."""
    found: list[str] = []
    for word in words:
        for pieces in _Splitter(scope).split(word):
            matched: list[str] = []
            if patterns.is_pattern(pieces) and "f" not in scope.options:
                matched = patterns.paths(pieces, scope.files, scope.cwd)
            found += matched or ["".join(text for text, _ in pieces)]
    return found


def text(word: Word, scope: Scope) -> str:
    """The word as one text, neither split nor matched with files: what is assigned, redirected to or compared."""
    return "".join(piece for piece, _ in pattern(word, scope))


def pattern(word: Word, scope: Scope) -> list[Piece]:
    """The word as a pattern, in which what was quoted stands for itself."""
    found: list[Piece] = []
    for number, part in enumerate(word.parts):
        if isinstance(part, Literal):
            found.append((_tilde(part, scope) if number == 0 else part.text, part.quoted))
        else:
            found.append((" ".join(_values(part, scope)), part.quoted))
    return found


def _tilde(part: Literal, scope: Scope) -> str:
    if part.quoted or part.text != "~":
        return part.text
    return scope.lookup("HOME") or "~"


class _Splitter:
    """Turns one word into fields."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._fields: list[list[Piece]] = []
        self._open = False

    def split(self, word: Word) -> list[list[Piece]]:
        for number, part in enumerate(word.parts):
            if isinstance(part, Literal):
                self._add(_tilde(part, self._scope) if number == 0 else part.text, part.quoted)
                continue
            if isinstance(part, Parameter) and part.argument and self._falls_back(part):
                self._splice(part.argument)
                continue
            values = _values(part, self._scope)
            if part.quoted:
                self._add_quoted(values, several=isinstance(part, Parameter) and part.name == "@")
            else:
                self._add_split(values)
        return self._fields

    def _falls_back(self, part: Parameter) -> bool:
        if part.quoted or part.operator not in (":-", "-"):
            return False
        value = _raw(part.name, self._scope)
        return value is None or (part.operator == ":-" and value == "")

    def _splice(self, word: Word) -> None:
        """``${x:-a "b c"}``: the argument is split as if it stood here."""
        for part in word.parts:
            if isinstance(part, Literal) and part.quoted:
                self._add(part.text, quoted=True)
            elif isinstance(part, Literal):
                self._add_split([part.text])
            elif part.quoted:
                self._add_quoted(_values(part, self._scope), several=False)
            else:
                self._add_split(_values(part, self._scope))

    def _add(self, piece: str, quoted: bool) -> None:
        if not piece and not quoted:
            return
        if not self._open:
            self._fields.append([])
            self._open = True
        self._fields[-1].append((piece, quoted))

    def _add_quoted(self, values: list[str], *, several: bool) -> None:
        if several and not values:
            return
        for number, value in enumerate(values):
            if number:
                self._open = False
            self._add(value, quoted=True)

    def _add_split(self, values: list[str]) -> None:
        separators = self._scope.lookup("IFS")
        separators = " \t\n" if separators is None else separators
        for number, value in enumerate(values):
            if number:
                self._open = False
            self._add_fields(value, separators)

    def _add_fields(self, value: str, separators: str) -> None:
        blanks = "".join(sign for sign in separators if sign in " \t\n")
        others = "".join(sign for sign in separators if sign not in " \t\n")
        if not separators:
            self._add(value, quoted=False)
            return
        rest = value.lstrip(blanks) if blanks else value
        if rest != value:
            self._open = False
        blank = f"[{re.escape(blanks)}]" if blanks else "(?!)"
        other = f"[{re.escape(others)}]" if others else "(?!)"
        separator = re.compile(f"(?:{blank}*{other}{blank}*|{blank}+)")
        while rest:
            found = separator.search(rest)
            piece = rest[: found.start()] if found else rest
            if piece:
                self._add(piece, quoted=False)
            elif found and others:
                self._add("", quoted=True)
            if found is None:
                return
            self._open = False
            rest = rest[found.end() :]


def _values(part: Parameter | Substitution | Arithmetic, scope: Scope) -> list[str]:
    """What a ``$…`` stands for: one text, or any number for ``$@`` and ``$*``."""
    if isinstance(part, Substitution):
        return [scope.capture(part.body).rstrip("\n")]
    if isinstance(part, Arithmetic):
        return [str(_reckon(text(part.expression, scope), scope))]
    if part.name in "@*" and not part.operator:
        if part.name == "*" and part.quoted:
            separators = scope.lookup("IFS")
            return [(" " if separators is None else separators[:1]).join(scope.positional)]
        return list(scope.positional)
    return [_parameter(part, scope)]


def _reckon(expression: str, scope: Scope) -> int:
    try:
        return arithmetic.evaluate(expression, lambda name: scope.lookup(name) or "", scope.assign)
    except arithmetic.ArithmeticProblem as problem:
        raise ExpansionProblem(str(problem)) from None


def _raw(name: str, scope: Scope) -> str | None:
    if name in "@*":
        return " ".join(scope.positional) if scope.positional else None
    return scope.lookup(name)


def _parameter(part: Parameter, scope: Scope) -> str:
    value = _raw(part.name, scope)
    if part.operator.lstrip(":") in ("-", "=", "+", "?") and part.operator:
        return _conditional(part, value, scope)
    if value is None and "u" in scope.options and part.name not in "@*":
        raise ExpansionProblem(f"{part.name}: parameter not set")
    value = value or ""
    if part.operator == "len":
        return str(len(scope.positional) if part.name in "@*" else len(value))
    if part.operator:
        return _EDITS[part.operator](part, value, scope)
    return value


def _conditional(part: Parameter, value: str | None, scope: Scope) -> str:
    operator = part.operator
    missing = value is None or (operator[0] == ":" and value == "")
    if operator[-1] == "+":
        return "" if missing else text(part.argument or Word(), scope)
    if not missing:
        return value or ""
    found = text(part.argument or Word(), scope)
    if operator[-1] == "?":
        raise ExpansionProblem(f"{part.name}: {found or 'parameter null or not set'}")
    if operator[-1] == "=":
        scope.assign(part.name, found)
    return found


def _without_start(part: Parameter, value: str, scope: Scope) -> str:
    regex = patterns.to_regex(pattern(part.argument or Word(), scope), greedy=part.operator == "##")
    found = re.match(regex, value, re.DOTALL)
    return value[found.end() :] if found else value


def _without_end(part: Parameter, value: str, scope: Scope) -> str:
    regex = re.compile(patterns.to_regex(pattern(part.argument or Word(), scope)), re.DOTALL)
    starts = range(len(value) + 1)
    for start in starts if part.operator == "%%" else reversed(starts):
        if regex.fullmatch(value, start):
            return value[:start]
    return value


def _replaced(part: Parameter, value: str, scope: Scope) -> str:
    regex = patterns.to_regex(pattern(part.argument or Word(), scope))
    new = text(part.second or Word(), scope)
    return (
        re.sub(regex, lambda _: new, value, count=0 if part.operator == "//" else 1, flags=re.DOTALL)
        if regex
        else value
    )


def _cut(part: Parameter, value: str, scope: Scope) -> str:
    start = _reckon(text(part.argument or Word(), scope), scope)
    start = max(0, len(value) + start) if start < 0 else start
    if part.second is None:
        return value[start:]
    length = _reckon(text(part.second, scope), scope)
    return value[start : start + length] if length >= 0 else value[start:length]


_EDITS: dict[str, Callable[[Parameter, str, Scope], str]] = {
    "#": _without_start,
    "##": _without_start,
    "%": _without_end,
    "%%": _without_end,
    "/": _replaced,
    "//": _replaced,
    ":": _cut,
}
