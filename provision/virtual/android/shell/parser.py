"""From the text of a script to its tree: lists, pipelines, compound commands, redirections."""

from __future__ import annotations

import re
from collections.abc import Callable

from provision.virtual.android.shell.tree import (
    AndOr,
    Case,
    Command,
    Compound,
    For,
    Function,
    If,
    Pipeline,
    Redirection,
    Sequence,
    Simple,
    While,
    Word,
)
from provision.virtual.android.shell.words import Incomplete, SyntaxProblem, Words

_RESERVED = frozenset(
    ("case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then", "until", "while")
) | frozenset("{}!")
_OPENED_BY = {"then": "if", "fi": "if", "do": "do", "done": "do", "in": "case", "esac": "case", "}": "{", ")": "("}
_REDIRECTION = re.compile(r"([0-9]?)(<<-|<<<|<<|<&|<>|<|>>|>&|>\||>)|(&>>|&>)")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def parse(text: str) -> Sequence:
    """The whole script. Raises SyntaxProblem, or Incomplete when more lines might complete it."""
    parser = Parser(text)
    found = parser.sequence(frozenset())
    if parser.peek():
        raise SyntaxProblem(f"unexpected '{parser.peek()}'")
    if parser.awaits_document:
        raise Incomplete("here document")
    return found


class Parser(Words):
    """Reads commands from a text, or with ``more`` from lines as they come."""

    def command_line(self) -> Sequence | None:
        """The commands up to the end of the line where the last of them ends; None at the end of the script."""
        self.text, self.at = self.text[self.at :], 0
        items: list[AndOr] = []
        while True:
            self.skip_blanks()
            if not self.peek():
                return Sequence(tuple(items)) if items else None
            if not self.accept_newline():
                items.append(self._and_or())
            elif items:
                return Sequence(tuple(items))

    def parse(self, text: str) -> Sequence:
        return parse(text)

    def nested(self) -> Sequence:
        body = self.sequence(frozenset())
        self._expect(")")
        return body

    # Lists ----------------------------------------------------------------------------------------------------

    def sequence(self, stops: frozenset[str]) -> Sequence:
        """Commands up to one of the reserved words ``stops``, a closing bracket, ``;;`` or the end."""
        items: list[AndOr] = []
        while True:
            self._skip_lines()
            if not self.peek() or self.peek() == ")" or self.peek(";;") or self._reserved() in stops:
                return Sequence(tuple(items))
            items.append(self._and_or())

    def _and_or(self) -> AndOr:
        first = self._pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while True:
            self.skip_blanks()
            operator = self.peek("&&") or self.peek("||")
            if not operator:
                break
            self.at += 2
            self._skip_lines()
            rest.append((operator, self._pipeline()))
        background = bool(self.peek("&")) and not self.peek("&>")
        if background or (self.peek(";") and not self.peek(";;")):
            self.at += 1
        elif self.peek() and self.peek() not in "\n);":
            raise SyntaxProblem(f"unexpected '{self.peek()}'")
        return AndOr(first, tuple(rest), background)

    def _pipeline(self) -> Pipeline:
        negated = False
        while self._reserved() == "!":
            self._word_of("!")
            negated = not negated
        commands = [self._command()]
        while self._accept_pipe():
            self._skip_lines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _accept_pipe(self) -> bool:
        self.skip_blanks()
        return not self.peek("||") and self.accept("|")

    # Commands -------------------------------------------------------------------------------------------------

    def _command(self) -> Command:
        self.skip_blanks()
        if self.accept("("):
            body = self.sequence(frozenset())
            self._expect(")")
            return Compound(body, self._redirections(), subshell=True)
        word = self._reserved()
        readers: dict[str, Callable[[], Sequence | If | For | While | Case]] = {
            "{": self._group,
            "if": self._if,
            "for": self._for,
            "while": self._while,
            "until": self._while,
            "case": self._case,
        }
        if word in readers:
            return Compound(readers[word](), self._redirections())
        if word == "function":
            self._word_of("function")
            return self._function(self._name())
        if word in _RESERVED:
            raise SyntaxProblem(f"unexpected '{word}'")
        return self._simple()

    def _simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            self.skip_blanks()
            if (redirection := self._redirection()) is not None:
                redirections.append(redirection)
                continue
            if not words and (assignment := _ASSIGNMENT.match(self.text, self.at)):
                self.at = assignment.end()
                assignments.append((assignment.group(1), self.word_here()))
                continue
            word = self.word()
            if word is None:
                break
            words.append(word)
            if len(words) == 1 and self._is_function(word):
                return self._function(word.plain or "")
        if not (assignments or words or redirections):
            if not self.peek():
                raise Incomplete("command expected")
            raise SyntaxProblem(f"unexpected '{self.peek()}'")
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _is_function(self, word: Word) -> bool:
        brackets = re.compile(r"[ \t]*\([ \t]*\)").match(self.text, self.at)
        if not brackets or not _NAME.match(word.plain or ""):
            return False
        self.at = brackets.end()
        return True

    def _function(self, name: str) -> Function:
        self.accept("()")
        self._skip_lines()
        return Function(name, self._command())

    def _group(self) -> Sequence:
        self._word_of("{")
        body = self.sequence(frozenset({"}"}))
        self._word_of("}")
        return body

    def _if(self) -> If:
        self._word_of("if")
        branches: list[tuple[Sequence, Sequence]] = []
        otherwise: Sequence | None = None
        while True:
            condition = self.sequence(frozenset({"then"}))
            self._word_of("then")
            branches.append((condition, self.sequence(frozenset({"elif", "else", "fi"}))))
            if self._reserved() != "elif":
                break
            self._word_of("elif")
        if self._reserved() == "else":
            self._word_of("else")
            otherwise = self.sequence(frozenset({"fi"}))
        self._word_of("fi")
        return If(tuple(branches), otherwise)

    def _for(self) -> For:
        self._word_of("for")
        name = self._name()
        self._skip_lines()
        words: tuple[Word, ...] | None = None
        if self._reserved() == "in":
            self._word_of("in")
            found: list[Word] = []
            while (word := self.word()) is not None:
                found.append(word)
            words = tuple(found)
        self.skip_blanks()
        self.accept(";")
        return For(name, words, self._do_body())

    def _while(self) -> While:
        until = self._reserved() == "until"
        self._word_of("until" if until else "while")
        condition = self.sequence(frozenset({"do"}))
        return While(condition, self._do_body(), until)

    def _do_body(self) -> Sequence:
        self._skip_lines()
        self._word_of("do")
        body = self.sequence(frozenset({"done"}))
        self._word_of("done")
        return body

    def _case(self) -> Case:
        self._word_of("case")
        word = self.word()
        if word is None:
            raise SyntaxProblem("unexpected end of case")
        self._skip_lines()
        self._word_of("in")
        branches: list[tuple[tuple[Word, ...], Sequence]] = []
        self._skip_lines()
        while self._reserved() != "esac":
            branches.append((self._patterns(), self.sequence(frozenset({"esac"}))))
            self.accept(";;")
            self._skip_lines()
        self._word_of("esac")
        return Case(word, tuple(branches))

    def _patterns(self) -> tuple[Word, ...]:
        self.accept("(")
        found: list[Word] = []
        while True:
            word = self.word()
            if word is None:
                raise SyntaxProblem(f"unexpected '{self.peek()}'") if self.peek() else Incomplete("no esac")
            found.append(word)
            self.skip_blanks()
            if not self.accept("|"):
                self._expect(")")
                return tuple(found)

    # Redirections ---------------------------------------------------------------------------------------------

    def _redirections(self) -> tuple[Redirection, ...]:
        found: list[Redirection] = []
        self.skip_blanks()
        while (redirection := self._redirection()) is not None:
            found.append(redirection)
            self.skip_blanks()
        return tuple(found)

    def _redirection(self) -> Redirection | None:
        sign = _REDIRECTION.match(self.text, self.at)
        if not sign:
            return None
        self.at = sign.end()
        kind = (sign.group(2) or sign.group(3)).replace(">|", ">")
        default = 0 if kind.startswith("<") else 1
        redirection = Redirection(int(sign.group(1) or default), kind, Word())
        if kind in ("<<", "<<-"):
            redirection.kind = "<<"
            self.expect_document(redirection, strip=kind == "<<-")
            return redirection
        target = self.word()
        if target is None:
            raise SyntaxProblem("unexpected end of redirection") if self.peek() else Incomplete("redirection")
        redirection.target = target
        return redirection

    # Small steps ----------------------------------------------------------------------------------------------

    def _skip_lines(self) -> None:
        while self.accept_newline():
            pass

    def _reserved(self) -> str:
        """The reserved word that comes next, or ""."""
        self.skip_blanks()
        found = re.compile(r"[a-z]+|[{}!]").match(self.text, self.at)
        if not found or found.group() not in _RESERVED:
            return ""
        after = self.text[found.end() : found.end() + 1]
        return found.group() if not after or after in " \t\r\n;&|<>()" else ""

    def _word_of(self, reserved: str) -> None:
        if self._reserved() != reserved:
            if not self.peek():
                raise Incomplete(f"unmatched '{_OPENED_BY.get(reserved, reserved)}'")
            raise SyntaxProblem(f"unexpected '{self._reserved() or self.peek()}'")
        self.at += len(reserved)

    def _name(self) -> str:
        word = self.word()
        name = word.plain if word else None
        if name is None or not _NAME.match(name):
            raise SyntaxProblem(f"'{name or ''}': not an identifier")
        return name

    def _expect(self, sign: str) -> None:
        self._skip_lines()
        if not self.accept(sign):
            if not self.peek():
                raise Incomplete(f"unmatched '{_OPENED_BY.get(sign, sign)}'")
            raise SyntaxProblem(f"unexpected '{self.peek()}'")
