"""Applets that look at the directory tree: ls, stat, find, df, du."""

from __future__ import annotations

import fnmatch
import stat as modes
from collections.abc import Callable
from dataclasses import dataclass, field

from provision.virtual.android.files import BLOCK, Status
from provision.virtual.android.process import Process
from provision.virtual.android.toybox.common import Options, Usage, at, clock, complain, kind, look, options, owner

_PARTITIONS = (
    ("tmpfs", "/dev", 1_900_000_000, 1_048_576),
    ("/dev/block/dm-0", "/system", 3_200_000_000, 3_100_000_000),
    ("/dev/block/dm-1", "/vendor", 900_000_000, 850_000_000),
)
_DATA, _SHARED_MOUNT = "/data", "/storage/emulated"


def ls(process: Process) -> int:
    """``-l -a -A -1 -d -i -R``; one name per line, as without a terminal."""
    given = options(process, "laA1diRhsn")
    status, single, directories = 0, [], []
    for word in given.words or ["."]:
        found = look(process, word, follow="l" not in given or word.endswith("/"))
        found = found or look(process, word, follow=False)
        if found is None:
            status = _refuse(process, word, quoted=False)
        elif found.is_directory and "d" not in given:
            directories.append(word)
        else:
            single.append((word, look(process, word, follow="l" not in given) or found))
    _print_rows(process, given, single)
    titled = len(given.words) > 1 or "R" in given
    for number, word in enumerate(directories):
        title = f"{word}:\n" if titled else ""
        process.say(("\n" if titled and (single or number) else "") + title)
        status = _list(process, given, word) or status
    return status


def _refuse(process: Process, word: str, *, quoted: bool = True) -> int:
    try:
        process.phone.files.stat(at(process, word), uid=process.uid)
    except OSError as error:
        return complain(process, f"'{word}': {error.strerror}" if quoted else f"{word}: {error.strerror}")
    return 0


def _list(process: Process, given: Options, word: str) -> int:
    try:
        names = process.phone.files.listing(at(process, word), uid=process.uid)
    except OSError as error:
        return complain(process, f"{word}: {error.strerror}")
    if "a" not in given and "A" not in given:
        names = [name for name in names if not name.startswith(".")]
    rows = [(name, look(process, f"{word}/{name}", follow=False)) for name in names]
    if "a" in given:
        rows = [(name, look(process, f"{word}/{name}")) for name in (".", "..")] + rows
    found = [(name, status) for name, status in rows if status]
    if "l" in given:
        process.say(f"total {sum(-(-status.size // BLOCK) * 4 for _, status in found)}\n")
    _print_rows(process, given, found, word)
    status = 0
    if "R" in given:
        for name in [name for name, inner in found if inner.is_directory and name not in (".", "..")]:
            process.say(f"\n{word.rstrip('/')}/{name}:\n")
            status = _list(process, given, f"{word.rstrip('/')}/{name}") or status
    return status


def _print_rows(process: Process, given: Options, rows: list[tuple[str, Status]], directory: str = "") -> None:
    if "l" not in given:
        process.say("".join(f"{f'{status.inode} ' if 'i' in given else ''}{name}\n" for name, status in rows))
        return
    columns = [(str(status.links), owner(status.uid), owner(status.gid), str(status.size)) for _, status in rows]
    widths = [max((len(row[number]) for row in columns), default=0) for number in range(4)]
    for (name, status), (links, user, group, size) in zip(rows, columns, strict=True):
        when = clock(process, status.mtime).strftime("%Y-%m-%d %H:%M")
        target = ""
        if status.is_link:
            target = " -> " + process.phone.files.readlink(at(process, f"{directory}/{name}" if directory else name))
        process.say(
            f"{modes.filemode(status.mode)} {links:>{widths[0]}} {user:<{widths[1]}} {group:<{widths[2]}} "
            f"{size:>{widths[3]}} {when} {name}{target}\n"
        )


def stat(process: Process) -> int:
    """``-c FORMAT`` and ``-L``; without a format the few lines that people read."""
    given = options(process, "Lft", "c", least=1)
    failed = 0
    for word in given.words:
        status = look(process, word, follow="L" in given)
        if status is None:
            failed = _refuse(process, word)
            continue
        if "c" in given:
            process.say(_formatted(process, given.values["c"], word, status) + "\n")
        else:
            process.say(
                f"  File: {word}\n  Size: {status.size}\t Blocks: {-(-status.size // 512)}\t IO Blocks: {BLOCK}"
                f"\t{kind(status)}\nModify: {clock(process, status.mtime):%Y-%m-%d %H:%M:%S.000000000 %z}\n"
            )
    return failed


def _formatted(process: Process, template: str, word: str, status: Status) -> str:
    values: dict[str, Callable[[], object]] = {
        "n": lambda: word,
        "N": lambda: f"'{word}'",
        "s": lambda: status.size,
        "Y": lambda: status.mtime,
        "y": lambda: clock(process, status.mtime).strftime("%Y-%m-%d %H:%M:%S.000000000 %z"),
        "X": lambda: status.mtime,
        "Z": lambda: status.mtime,
        "F": lambda: kind(status),
        "a": lambda: f"{modes.S_IMODE(status.mode):o}",
        "A": lambda: modes.filemode(status.mode),
        "f": lambda: f"{status.mode:x}",
        "u": lambda: status.uid,
        "g": lambda: status.gid,
        "U": lambda: owner(status.uid),
        "G": lambda: owner(status.gid),
        "i": lambda: status.inode,
        "h": lambda: status.links,
        "b": lambda: -(-status.size // 512),
        "B": lambda: 512,
        "o": lambda: BLOCK,
        "%": lambda: "%",
    }
    found, rest = "", template
    while rest:
        before, sign, rest = rest.partition("%")
        found += before
        if sign:
            found += str(values[rest[0]]()) if rest[:1] in values else "%" + rest[:1]
            rest = rest[1:]
    return found


def df(process: Process) -> int:
    """``df [-k|-h] [PATH…]`` as toybox prints it (facts §5.2)."""
    given = options(process, "kPhHai")
    files = process.phone.files
    rows = [(device, total // 1024, used // 1024, mount) for device, mount, total, used in _PARTITIONS]
    data = (files.capacity // 1024, files.used // 1024)
    rows.append(("/dev/block/dm-8", *data, _DATA))
    rows.append(("/dev/fuse" if files.api >= 30 else _DATA + "/media", *data, _SHARED_MOUNT))
    if given.words:
        failed = [word for word in given.words if look(process, word) is None]
        if failed:
            return _refuse(process, failed[0], quoted=False)
        wanted = [_mount(files.resolve(at(process, word))) for word in given.words]
        rows = [row for mount in wanted for row in rows if row[3] == mount]
    human = "h" in given or "H" in given
    heads = ("Filesystem", "Size" if human else "1K-blocks", "Used", "Avail" if human else "Available", "Use%")
    table = [heads] + [
        (device, _size(total, human), _size(used, human), _size(total - used, human), f"{_percent(used, total)}%")
        for device, total, used, _ in rows
    ]
    widths = [max(len(row[number]) for row in table) for number in range(5)]
    for row, mount in zip(table, ["Mounted on", *(row[3] for row in rows)], strict=True):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        process.say(" ".join([*cells, mount]) + "\n")
    return 0


def _mount(real: str) -> str:
    for mount in (_SHARED_MOUNT, _DATA, "/vendor", "/dev"):
        if real == mount or real.startswith(mount + "/"):
            return mount
    return "/system"


def _percent(used: int, total: int) -> int:
    return -(-used * 100 // total) if total else 0


def _size(kilobytes: int, human: bool) -> str:
    if not human:
        return str(kilobytes)
    size, units = float(kilobytes), "KMGT"
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.1f}{units[0]}" if size < 10 else f"{size:.0f}{units[0]}"


def du(process: Process) -> int:
    """``-s -k -h -a``: kilobytes taken."""
    given = options(process, "skhacd", "")
    failed = 0
    for word in given.words or ["."]:
        status = look(process, word, follow=False)
        if status is None:
            failed = _refuse(process, word, quoted=False)
            continue
        walked = list(process.phone.files.walk(at(process, word), uid=process.uid)) if status.is_directory else []
        top = at(process, word).rstrip("/")
        totals = {word: sum(-(-inner.size // BLOCK) * 4 for _, inner in [(top, status), *walked])}
        if "s" not in given:
            below = [(path, inner) for path, inner in walked if inner.is_directory or "a" in given]
            for path, _ in reversed(below):
                size = sum(-(-inner.size // BLOCK) * 4 for at_, inner in walked if (at_ + "/").startswith(path + "/"))
                process.say(f"{_size(size, 'h' in given)}\t{word.rstrip('/')}{path[len(top) :]}\n")
        process.say(f"{_size(totals[word], 'h' in given)}\t{word}\n")
    return failed


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

    def visit(self, path: str, depth: int) -> None:
        status = look(self.process, path, follow=False)
        if status is None:
            self.status = _refuse(self.process, path)
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
        search.tests.append(lambda path, _: paths.append(path) is None)
    else:
        search.tests.append(lambda path, _: _run(search.process, [word.replace("{}", path) for word in command]))
    return words[end + 1 :]


def _run(process: Process, argv: list[str]) -> bool:
    inner = process.but(argv=argv)
    return inner.launch(inner) == 0


def _print(search: _Find, end: str) -> None:
    search.acts = True
    search.tests.append(lambda path, _: search.process.say(path + end) is None)


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
    compare = {"+": lambda size: size > number, "-": lambda size: size < number}.get(
        word[0], lambda size: size == number
    )
    search.tests.append(lambda _, status: compare(-(-status.size // unit)))


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
