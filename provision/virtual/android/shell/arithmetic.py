"""``$(( … ))`` as mksh reckons: 32-bit signed integers that wrap around."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"\s*(0[xX][0-9A-Fa-f]+|\d+|[A-Za-z_]\w*|<<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%<>!~&|^=?:(),])"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_ASSIGN = ("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=")


class ArithmeticProblem(Exception):
    """The expression makes no sense; the text says why."""


def evaluate(text: str, lookup: Callable[[str], str], assign: Callable[[str, str], None]) -> int:
    """The value of the expression, in which names stand for variables."""
    return _Expression(text, lookup, assign).value()


def _wrap(number: int) -> int:
    return (number + 0x80000000) % 0x100000000 - 0x80000000


def _divided(left: int, right: int) -> int:
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << (b & 31),
    ">>": lambda a, b: a >> (b & 31),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": lambda a, b: a - b * _divided(a, b),
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
}


class _Expression:
    def __init__(self, text: str, lookup: Callable[[str], str], assign: Callable[[str, str], None]) -> None:
        self._text = text
        self._lookup = lookup
        self._assign = assign
        self._tokens: list[str] = []
        at = 0
        while text[at:].strip():
            token = _TOKEN.match(text, at)
            if not token:
                raise ArithmeticProblem(f"{text}: unexpected '{text[at:].strip()[0]}'")
            self._tokens.append(token.group(1))
            at = token.end()

    def value(self) -> int:
        if not self._tokens:
            return 0
        try:
            found = self._assignment()
        except ZeroDivisionError:
            raise ArithmeticProblem(f"{self._text}: zero divisor") from None
        if self._tokens:
            raise ArithmeticProblem(f"{self._text}: unexpected '{self._tokens[0]}'")
        return found

    def _next(self, *wanted: str) -> str:
        if self._tokens and self._tokens[0] in wanted:
            return self._tokens.pop(0)
        return ""

    def _assignment(self) -> int:
        if len(self._tokens) > 1 and _is_name(self._tokens[0]) and self._tokens[1] in _ASSIGN:
            name, operator = self._tokens.pop(0), self._tokens.pop(0)
            value = self._assignment()
            if operator != "=":
                value = _OPERATIONS[operator[:-1]](self._variable(name), value)
            return self._set(name, value)
        return self._choice()

    def _choice(self) -> int:
        condition = self._binary(0)
        if not self._next("?"):
            return condition
        yes = self._assignment()
        if not self._next(":"):
            raise ArithmeticProblem(f"{self._text}: missing ':'")
        no = self._assignment()
        return yes if condition else no

    def _binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while operator := self._next(*_LEVELS[level]):
            left = _wrap(_OPERATIONS[operator](left, self._binary(level + 1)))
        return left

    def _unary(self) -> int:
        operator = self._next("+", "-", "!", "~", "++", "--")
        if operator in ("++", "--"):
            name = self._tokens.pop(0) if self._tokens else ""
            return self._set(name, self._variable(name) + (1 if operator == "++" else -1))
        if operator:
            value = self._unary()
            return _wrap({"+": value, "-": -value, "!": int(not value), "~": ~value}[operator])
        return self._primary()

    def _primary(self) -> int:
        if self._next("("):
            value = self._assignment()
            if not self._next(")"):
                raise ArithmeticProblem(f"{self._text}: missing )")
            return value
        if not self._tokens:
            raise ArithmeticProblem(f"{self._text}: unexpected end of expression")
        token = self._tokens.pop(0)
        if token[0].isdigit():
            return _number(token)
        if not _is_name(token):
            raise ArithmeticProblem(f"{self._text}: unexpected '{token}'")
        value = self._variable(token)
        if step := self._next("++", "--"):
            self._set(token, value + (1 if step == "++" else -1))
        return value

    def _variable(self, name: str) -> int:
        text = self._lookup(name).strip()
        try:
            return _number(text or "0")
        except ValueError:
            raise ArithmeticProblem(f"{text}: unexpected '{text}'") from None

    def _set(self, name: str, value: int) -> int:
        self._assign(name, str(_wrap(value)))
        return _wrap(value)


def _is_name(token: str) -> bool:
    return token[0].isalpha() or token[0] == "_"


def _number(text: str) -> int:
    return _wrap(int(text, 16) if text[:2] in ("0x", "0X") else int(text))
