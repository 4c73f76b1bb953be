"""``find``: walking the tree, with tests and acts in the order that they are given."""

from __future__ import annotations

import fnmatch
import stat as modes
from collections.abc import Callable
from dataclasses import dataclass, field

from provision.virtual.android.files import Status
from provision.virtual.android.process import Process
from provision.virtual.android.toybox.common import Usage, at, complain, look, refuse


@dataclass
class _Find:
    """A ``find`` command: what it prints or runs for each file that passes every test."""

    process: Process
    tests: list[Callable[[str, Status], bool]] = field(default_factory=list)
    least: int = 0
    most: int = 1 << 30
    depth_first: bool = False
    acts: bool = False
    batches: list[tuple[list[str], list[str]]] = field(default_factory=list)
    status: int = 0

    def act(self, work: Callable[[str], object]) -> None:
        """Do this with every file that comes so far, instead of printing it."""

        def test(path: str, _: Status) -> bool:
            work(path)
            return True

        self.acts = True
        self.tests.append(test)

    def visit(self, path: str, depth: int) -> None:
        status = look(self.process, path, follow=False)
        if status is None:
            self.status = refuse(self.process, path)
            return
        if not self.depth_first:
            self._consider(path, status, depth)
        if status.is_directory and depth < self.most:
            self._descend(path, depth)
        if self.depth_first:
            self._consider(path, status, depth)

    def _descend(self, path: str, depth: int) -> None:
        try:
            names = self.process.phone.files.listing(at(self.process, path), uid=self.process.uid)
        except OSError as error:
            self.status = complain(self.process, f"'{path}': {error.strerror}")
            return
        for name in names:
            self.visit(f"{path}/{name}" if path != "/" else f"/{name}", depth + 1)

    def _consider(self, path: str, status: Status, depth: int) -> None:
        if depth >= self.least and all(test(path, status) for test in self.tests) and not self.acts:
            self.process.say(f"{path}\n")

    def finish(self) -> int:
        for command, paths in self.batches:
            if paths:
                inner = self.process.but(argv=[*command, *paths])
                self.status = (inner.launch(inner) and 1) or self.status
        return self.status


def find(process: Process) -> int:
    """``-type -name -iname -path -size -newer -empty -mindepth -maxdepth !``; ``-print -print0 -delete -exec``."""
    words = process.argv[1:]
    tops = []
    while words and not words[0].startswith(("-", "!", "(")):
        tops.append(words.pop(0))
    search = _Find(process)
    while words:
        words = _clause(search, words)
    for top in tops or ["."]:
        search.visit(top.rstrip("/") or "/", 0)
    return search.finish()


def _clause(search: _Find, words: list[str]) -> list[str]:
    """Read one test or act; the words after it."""
    word, rest = words[0], words[1:]
    if word in ("!", "-not"):
        before = len(search.tests)
        rest = _clause(search, rest)
        for number in range(before, len(search.tests)):
            search.tests[number] = _negated(search.tests[number])
        return rest
    if word in ("-a", "-and"):
        return rest
    if word in _ACTS:
        _ACTS[word](search)
        return rest
    if word in ("-exec", "-execdir"):
        return _exec(search, rest)
    if word not in _TESTS:
        raise Usage(f"bad arg '{word}'")
    if not rest:
        raise Usage(f"'{word}' needs 1 arg")
    _TESTS[word](search, rest[0])
    return rest[1:]


def _negated(test: Callable[[str, Status], bool]) -> Callable[[str, Status], bool]:
    return lambda path, status: not test(path, status)


def _exec(search: _Find, words: list[str]) -> list[str]:
    end = next((at_ for at_, word in enumerate(words) if word == ";" or (word == "+" and words[at_ - 1] == "{}")), -1)
    if end < 0:
        raise Usage("-exec needs \\; or {} +")
    command = words[:end]
    search.acts = True
    if words[end] == "+":
        paths: list[str] = []
        search.batches.append((command[:-1], paths))
        search.act(paths.append)
    else:
        search.tests.append(lambda path, _: _run(search.process, [path if word == "{}" else word for word in command]))
    return words[end + 1 :]


def _run(process: Process, argv: list[str]) -> bool:
    inner = process.but(argv=argv)
    return inner.launch(inner) == 0


def _print(search: _Find, end: str) -> None:
    search.act(lambda path: search.process.say(path + end))


def _delete(search: _Find) -> None:
    search.acts = search.depth_first = True
    files = search.process.phone.files

    def delete(path: str, status: Status) -> bool:
        (files.rmdir if status.is_directory else files.unlink)(at(search.process, path))
        return True

    search.tests.append(delete)


def _empty(search: _Find) -> None:
    files = search.process.phone.files

    def empty(path: str, status: Status) -> bool:
        return not files.listing(at(search.process, path)) if status.is_directory else not status.size

    search.tests.append(empty)


def _type(search: _Find, letters: str) -> None:
    kinds = {"f": modes.S_IFREG, "d": modes.S_IFDIR, "l": modes.S_IFLNK}
    wanted = [kinds.get(letter) for letter in letters.split(",")]
    search.tests.append(lambda _, status: modes.S_IFMT(status.mode) in wanted)


def _newer(search: _Find, word: str) -> None:
    than = look(search.process, word)
    if than is None:
        raise Usage(f"'{word}': No such file or directory")
    search.tests.append(lambda _, status: status.mtime > than.mtime)


def _size_test(search: _Find, word: str) -> None:
    units = {"c": 1, "k": 1024, "M": 1 << 20, "G": 1 << 30}
    unit = units.get(word[-1], 512)
    number = int(word.strip("+-ckMG"))
    wanted = {"+": 1, "-": -1}.get(word[0], 0)

    def test(_: str, status: Status) -> bool:
        size = -(-status.size // unit)
        return (size > number) - (size < number) == wanted

    search.tests.append(test)


def _named(*, fold: bool, path: bool) -> Callable[[_Find, str], None]:
    def add(search: _Find, pattern: str) -> None:
        def test(where: str, _: Status) -> bool:
            text = where if path else where.rpartition("/")[2] or where
            return fnmatch.fnmatchcase(text.lower() if fold else text, pattern.lower() if fold else pattern)

        search.tests.append(test)

    return add


def _depth(which: str) -> Callable[[_Find, str], None]:
    return lambda search, word: setattr(search, which, int(word))


_ACTS: dict[str, Callable[[_Find], None]] = {
    "-print": lambda search: _print(search, "\n"),
    "-print0": lambda search: _print(search, "\0"),
    "-delete": _delete,
    "-depth": lambda search: setattr(search, "depth_first", True),
    "-empty": _empty,
    "-xdev": lambda _: None,
}
_TESTS: dict[str, Callable[[_Find, str], None]] = {
    "-type": _type,
    "-name": _named(fold=False, path=False),
    "-iname": _named(fold=True, path=False),
    "-path": _named(fold=False, path=True),
    "-size": _size_test,
    "-newer": _newer,
    "-mindepth": _depth("least"),
    "-maxdepth": _depth("most"),
}
