"""Reading characters and words of a shell script: quoting, ``$…``, backquotes, here-documents."""

from __future__ import annotations

import re
from collections.abc import Callable

from provision.virtual.android.shell.tree import (
    Arithmetic,
    Literal,
    Parameter,
    Redirection,
    Sequence,
    Substitution,
    Word,
)

_Part = Literal | Parameter | Substitution | Arithmetic
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":[-=+?]|##|%%|//|[-=+?#%/:]")
_PLAIN = re.compile(r"[A-Za-z0-9_.,@%+=-]+")
_ENDS_WORD = " \t\n;&|<>()"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CODE = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})")


class SyntaxProblem(Exception):
    """The script cannot be understood: ``unexpected …``."""


class Incomplete(SyntaxProblem):
    """The script ends too early; more lines may complete it."""


_MAYBE_BLANK = ("", " ", "\t", "\r", "\\", "#")
_BLANKS = re.compile(r"(?:[ \t\r]|\\\n|#[^\n]*)*")


class Words:
    """A cursor over the text of a script. ``more`` gives its next line, or "" at the end."""

    def __init__(self, text: str, more: Callable[[], str] | None = None) -> None:
        self.text = text
        self.at = 0
        self._more = more
        self._documents: list[tuple[Redirection, str, bool, bool]] = []

    # Characters -----------------------------------------------------------------------------------------------

    def peek(self, ahead: str = "") -> str:
        """The next character ("" at the end), or ``ahead`` if that comes next, else ""."""
        if self._more is not None and self.at >= len(self.text):
            self._extend()
        if ahead:
            return ahead if self.text.startswith(ahead, self.at) else ""
        return self.text[self.at : self.at + 1]

    def _extend(self) -> bool:
        """Get the next line of a script that comes line by line; False at its end."""
        line = self._more() if self._more else ""
        self._more = self._more if line else None
        self.text += line
        return bool(line)

    def accept(self, what: str) -> bool:
        if not self.text.startswith(what, self.at):
            return False
        self.at += len(what)
        return True

    def skip_blanks(self) -> None:
        if self.text[self.at : self.at + 1] not in _MAYBE_BLANK:
            return
        while True:
            self.peek()
            start, self.at = self.at, _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or self.at == start:
                return

    def accept_newline(self) -> bool:
        """Take a line end and the here-documents that follow it."""
        self.skip_blanks()
        if not self.accept("\n"):
            return False
        documents, self._documents = self._documents, []
        for redirection, delimiter, strip, quoted in documents:
            redirection.target = self._document(delimiter, strip, quoted)
        return True

    def _until(self, end: str) -> str:
        """The text up to ``end``, which is taken too."""
        start = self.at
        while (found := self.text.find(end, start)) < 0:
            start = len(self.text)
            if not self._extend():
                raise Incomplete("no closing quote")
        text = self.text[self.at : found]
        self.at = found + len(end)
        return text

    # Here-documents -------------------------------------------------------------------------------------------

    def expect_document(self, redirection: Redirection, *, strip: bool) -> None:
        """The text of this ``<<WORD`` comes after the end of this line."""
        word = self.word()
        if word is None:
            raise SyntaxProblem("here document delimiter")
        delimiter = "".join(part.text for part in word.parts if isinstance(part, Literal))
        self._documents.append((redirection, delimiter, strip, word.plain is None))

    @property
    def awaits_document(self) -> bool:
        return bool(self._documents)

    def _document(self, delimiter: str, strip: bool, quoted: bool) -> Word:
        lines: list[str] = []
        while True:
            if not self.peek():
                raise Incomplete("here document")
            end = self.text.find("\n", self.at)
            line = self.text[self.at :] if end < 0 else self.text[self.at : end]
            self.at = len(self.text) if end < 0 else end + 1
            line = line.lstrip("\t") if strip else line
            if line == delimiter:
                break
            lines.append(line + "\n")
        text = "".join(lines)
        if quoted:
            return Word((Literal(text, quoted=True),))
        inner = type(self)(text)
        return Word(tuple(inner._double_quoted("")))

    # Words ----------------------------------------------------------------------------------------------------

    def word(self, ends: str = _ENDS_WORD) -> Word | None:
        """The next word, or None when what comes is not one."""
        self.skip_blanks()
        start = self.at
        found = self.word_here(ends)
        return found if self.at > start else None

    def word_here(self, ends: str = _ENDS_WORD) -> Word:
        """The word that starts right here, empty when there is none."""
        parts: list[_Part] = []
        while (char := self.peek()) and char not in ends:
            parts += self._unquoted(char)
        return Word(tuple(parts))

    def _unquoted(self, char: str) -> list[_Part]:
        if char == "'":
            self.at += 1
            return [Literal(self._until("'"), quoted=True)]
        if char == '"':
            self.at += 1
            return self._double_quoted('"') or [Literal("", quoted=True)]
        if char == "\\":
            self.at += 2
            escaped = self.text[self.at - 1 : self.at]
            if not escaped:
                raise Incomplete("backslash at the end")
            return [] if escaped == "\n" else [Literal(escaped, quoted=True)]
        if char == "$" and self.accept("$'"):
            return [Literal(unescape(self._quoted_with_escapes()), quoted=True)]
        if char in "$`":
            return [self._dollar(quoted=False)]
        run = _PLAIN.match(self.text, self.at)
        self.at += len(run.group()) if run else 1
        return [Literal(run.group() if run else char)]

    def _quoted_with_escapes(self) -> str:
        start = self.at
        while self.peek():
            if self.peek() == "'":
                self.at += 1
                return self.text[start : self.at - 1]
            self.at += 2 if self.peek() == "\\" else 1
        raise Incomplete("no closing quote")

    def _double_quoted(self, end: str) -> list[_Part]:
        """The parts up to ``end`` ("": of all that is left), which is taken too."""
        parts: list[_Part] = []
        while True:
            char = self.peek()
            if not char:
                if end:
                    raise Incomplete("no closing quote")
                return parts
            if char == end:
                self.at += 1
                return parts
            if char in "$`":
                parts.append(self._dollar(quoted=True))
                continue
            self.at += 1
            if char == "\\" and self.peek() and self.peek() in '$`\\\n"' and not (self.peek() == '"' and not end):
                char = self.peek().replace("\n", "")
                self.at += 1
            parts.append(Literal(char, quoted=True))

    def _dollar(self, *, quoted: bool) -> _Part:
        if self.accept("`"):
            return Substitution(self.parse(self._backquoted()), quoted)
        if self.peek("$((") and (found := self._arithmetic(quoted)) is not None:
            return found
        if self.accept("$("):
            return Substitution(self.nested(), quoted)
        if self.accept("${"):
            return self._braced(quoted)
        self.at += 1
        name = _NAME.match(self.text, self.at)
        if name:
            self.at = name.end()
            return Parameter(name.group(), quoted=quoted)
        if self.peek() and self.peek() in "0123456789?$#@*!-":
            self.at += 1
            return Parameter(self.text[self.at - 1], quoted=quoted)
        return Literal("$", quoted)

    def parse(self, text: str) -> Sequence:
        """A script inside this one. The parser of commands provides it."""
        raise NotImplementedError

    def nested(self) -> Sequence:
        """The commands up to the ``)`` that closes this ``$(``. The parser of commands provides it."""
        raise NotImplementedError

    def _backquoted(self) -> str:
        found: list[str] = []
        while (char := self.peek()) != "`":
            if not char:
                raise Incomplete("no closing backquote")
            self.at += 1
            if char == "\\" and self.peek() and self.peek() in "`\\$":
                char = self.peek()
                self.at += 1
            found.append(char)
        self.at += 1
        return "".join(found)

    def _arithmetic(self, quoted: bool) -> Arithmetic | None:
        """``$((…))``, or None when the brackets turn out to be ``$( (…) )``."""
        depth, at = 0, self.at + 3
        while at < len(self.text) or self._extend():
            char = self.text[at]
            if char == ")" and depth == 0:
                break
            depth += {"(": 1, ")": -1}.get(char, 0)
            at += 1
        if at >= len(self.text):
            raise Incomplete("no closing ))")
        if self.text[at : at + 2] != "))":
            return None
        inner = type(self)(self.text[self.at + 3 : at])
        self.at = at + 2
        return Arithmetic(Word(tuple(inner._double_quoted(""))), quoted)

    def _braced(self, quoted: bool) -> Parameter:
        counts = self.peek() == "#" and self.text[self.at + 1 : self.at + 2] not in ("}", "")
        self.at += counts
        name = _NAME.match(self.text, self.at) or re.compile(r"[0-9]+|[?$#@*!-]").match(self.text, self.at)
        if not name:
            raise SyntaxProblem("bad substitution") if self.peek() else Incomplete("no closing }")
        self.at = name.end()
        if self.accept("}"):
            return Parameter(name.group(), "len" if counts else "", quoted=quoted)
        operator = _OPERATOR.match(self.text, self.at)
        if not operator or counts:
            raise SyntaxProblem("bad substitution") if self.peek() else Incomplete("no closing }")
        self.at = operator.end()
        if operator.group() in (":", "/", "//"):
            return self._two_arguments(name.group(), operator.group(), quoted)
        return Parameter(name.group(), operator.group(), self._argument("}", quoted), quoted=quoted)

    def _two_arguments(self, name: str, operator: str, quoted: bool) -> Parameter:
        separator = ":" if operator == ":" else "/"
        first = self._argument(separator + "}", quoted)
        second = self._argument("}", quoted) if self.text[self.at - 1] == separator else None
        return Parameter(name, operator, first, second, quoted)

    def _argument(self, ends: str, quoted: bool) -> Word:
        """A word inside ``${…}``, where blanks are part of it; one of ``ends`` is taken too."""
        parts: list[_Part] = []
        while (char := self.peek()) not in ends:
            if char == "" or (quoted and char == "'"):
                self.at += 1
                parts.append(Literal(char))
            else:
                parts += self._unquoted(char)
        if not self.peek():
            raise Incomplete("no closing }")
        self.at += 1
        return Word(tuple(parts))


def unescape(text: str, *, octal_needs_zero: bool = False) -> str:
    """Backslash escapes as ``$'…'``, ``echo`` and ``printf`` know them."""
    return "".join(_unescaped(text, octal_needs_zero))


def _unescaped(text: str, octal_needs_zero: bool) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char != "\\" or at >= len(text):
            found.append(char)
            continue
        code = _CODE.match(text, at + (octal_needs_zero and text[at] == "0"))
        if text[at] in _ESCAPES:
            found.append(_ESCAPES[text[at]])
            at += 1
        elif code and not (octal_needs_zero and code.group(3) and text[at] != "0"):
            byte, point, octal = code.groups()
            number = int(byte or point or octal, 8 if octal else 16)
            found.append(chr(number) if point else bytes([number & 255]).decode("utf-8", "surrogateescape"))
            at = code.end()
        else:
            found.append(text[at] if text[at] in "\\'\"" else "\\" + text[at])
            at += 1
    return found
