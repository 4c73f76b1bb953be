"""``test`` and ``[``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from provision.virtual.android.files import Status
from provision.virtual.android.paths import join
from provision.virtual.android.process import Process
from provision.virtual.android.shell.arithmetic import ArithmeticProblem, evaluate

if TYPE_CHECKING:
    from provision.virtual.android.shell.runner import Shell

_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}
_STATUSES: dict[str, Callable[[Status], bool]] = {
    "-e": lambda _: True,
    "-a": lambda _: True,
    "-f": lambda status: status.is_regular,
    "-d": lambda status: status.is_directory,
    "-s": lambda status: status.size > 0,
    "-L": lambda status: status.is_link,
    "-h": lambda status: status.is_link,
    "-x": lambda status: bool(status.mode & 0o111),
    "-c": lambda status: status.mode & 0o170000 == 0o020000,
    "-b": lambda _: False,
    "-p": lambda _: False,
}
_RIGHTS = {"-r": "r", "-w": "w"}
_FILES = ("-nt", "-ot", "-ef")


class _Problem(Exception):
    """The condition makes no sense."""


def test(shell: Shell, process: Process) -> int:
    """0 when it holds, 1 when not, 2 when it makes no sense."""
    words = process.argv[1:]
    if process.argv[0] == "[":
        if words[-1:] != ["]"]:
            shell.complain("[: missing ]")
            return 2
        words = words[:-1]
    try:
        return int(not _Condition(shell, process, words).holds())
    except _Problem as problem:
        shell.complain(f"{process.argv[0]}: {problem}")
        return 2


class _Condition:
    def __init__(self, shell: Shell, process: Process, words: list[str]) -> None:
        self._shell = shell
        self._process = process
        self._words = words

    def holds(self) -> bool:
        if len(self._words) <= 3:
            return self._few(self._words)
        found = self._either()
        if self._words:
            raise _Problem(f"{self._words[0]}: unexpected operator/operand")
        return found

    def _few(self, words: list[str]) -> bool:
        """Up to three words mean what their number says, whatever they look like."""
        if len(words) == 3 and words[1] in {*_TEXTS, *_NUMBERS, *_FILES}:
            return self._binary(*words)
        if len(words) == 3 and words[1] in ("-a", "-o"):
            return (bool(words[0]) and bool(words[2])) if words[1] == "-a" else bool(words[0] or words[2])
        if len(words) >= 2 and words[0] == "!":
            return not self._few(words[1:])
        if len(words) == 3 and words[0] == "(" and words[2] == ")":
            return bool(words[1])
        if len(words) == 2:
            return self._unary(*words)
        if len(words) == 3:
            raise _Problem(f"{words[1]}: unexpected operator/operand")
        return bool(words and words[0])

    def _either(self) -> bool:
        found = self._both()
        while self._words[:1] == ["-o"]:
            self._words = self._words[1:]
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._words[:1] == ["-a"]:
            self._words = self._words[1:]
            found = self._one() and found
        return found

    def _one(self) -> bool:
        words = self._words
        if not words:
            raise _Problem("expression expected")
        if words[0] == "!":
            self._words = words[1:]
            return not self._one()
        if words[0] == "(":
            self._words = words[1:]
            found = self._either()
            if self._words[:1] != [")"]:
                raise _Problem("missing )")
            self._words = self._words[1:]
            return found
        taken = 3 if len(words) > 2 and words[1] in {*_TEXTS, *_NUMBERS, *_FILES} else 2
        taken = taken if taken == 3 or (len(words) > 1 and self._is_unary(words[0])) else 1
        self._words = words[taken:]
        return self._few(words[:taken])

    def _is_unary(self, word: str) -> bool:
        return word in _STATUSES or word in _RIGHTS or word in ("-n", "-z", "-t")

    def _binary(self, left: str, operator: str, right: str) -> bool:
        if operator in _TEXTS:
            return _TEXTS[operator](left, right)
        if operator in _NUMBERS:
            return _NUMBERS[operator](self._number(left), self._number(right))
        one, other = self._status(left), self._status(right)
        if operator == "-ef":
            return one is not None and other is not None and one.inode == other.inode
        newer, older = (one, other) if operator == "-nt" else (other, one)
        return newer is not None and (older is None or newer.mtime > older.mtime)

    def _number(self, word: str) -> int:
        """mksh reckons here: a name that is no variable is 0."""
        try:
            return evaluate(word, lambda name: self._shell.lookup(name) or "", self._shell.assign)
        except ArithmeticProblem as problem:
            raise _Problem(str(problem)) from None

    def _unary(self, operator: str, word: str) -> bool:
        if operator in ("-n", "-z"):
            return bool(word) == (operator == "-n")
        if operator == "-t":
            return False
        if operator in _RIGHTS:
            return self._may(_RIGHTS[operator], word)
        if operator not in _STATUSES:
            raise _Problem(f"{operator}: unexpected operator/operand")
        status = self._status(word, follow=operator not in ("-L", "-h"))
        return status is not None and _STATUSES[operator](status)

    def _status(self, word: str, *, follow: bool = True) -> Status | None:
        try:
            return self._shell.files.stat(join(self._shell.cwd, word), follow=follow, uid=self._process.uid)
        except OSError:
            return None

    def _may(self, right: str, word: str) -> bool:
        files = self._shell.files
        if self._status(word) is None:
            return False
        return right in files.may(files.resolve(join(self._shell.cwd, word)), self._process.uid)
