"""What the applets share: options, complaints, reading their files, names of owners, the phone's clock."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from provision.virtual.android.files import Status
from provision.virtual.android.paths import join
from provision.virtual.android.process import Process, decode

_PIECE = 256 * 1024
_OWNERS = {0: "root", 1000: "system", 1015: "sdcard_rw", 1023: "media_rw", 2000: "shell"}
_KINDS = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symbolic link", stat.S_IFCHR: "character device"}


class Usage(Exception):
    """The applet was called in a way that it does not know; the text says so."""


@dataclass
class Options:
    """``flags`` counts what was given without a value, ``values`` keeps the last value of the others."""

    flags: str = ""
    values: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def __contains__(self, flag: str) -> bool:
        return flag in self.flags or flag in self.values


def options(process: Process, flags: str, valued: str = "", *, least: int = 0) -> Options:
    """Read ``argv`` as toybox does: ``-lh``, ``-n5``, ``-n 5``, options after words too, ``--`` ends them."""
    found = Options()
    rest = process.argv[1:]
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.words += rest
            break
        if len(word) < 2 or word[0] != "-":
            found.words.append(word)
            continue
        _read_flags(word[1:], rest, found, flags, valued)
    if len(found.words) < least:
        need = f"Needs {least} argument{'s' if least > 1 else ''}"
        raise Usage(f'{need} (see "{process.argv[0]} --help")')
    return found


def _read_flags(letters: str, rest: list[str], found: Options, flags: str, valued: str) -> None:
    while letters:
        flag, letters = letters[0], letters[1:]
        if flag in valued:
            if not letters and not rest:
                raise Usage(f"Missing argument to -{flag}")
            found.values[flag] = letters or rest.pop(0)
            return
        if flag not in flags:
            raise Usage(f"Unknown option '{flag}'")
        found.flags += flag


def name(process: Process) -> str:
    return process.argv[0].rpartition("/")[2]


def complain(process: Process, text: str) -> int:
    """``applet: text`` on the standard error; the status of a failure."""
    process.complain(f"{name(process)}: {text}\n")
    return 1


def guarded(applet: Callable[[Process], int]) -> Callable[[Process], int]:
    """The applet, with a complaint for what it did not expect."""

    def run(process: Process) -> int:
        try:
            return applet(process)
        except Usage as usage:
            return complain(process, str(usage))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            return complain(process, f"{place}{error.strerror}")

    return run


def at(process: Process, path: str) -> str:
    """The path as this process sees it."""
    return join(process.cwd, path)


def look(process: Process, path: str, *, follow: bool = True) -> Status | None:
    try:
        return process.phone.files.stat(at(process, path), follow=follow, uid=process.uid)
    except OSError:
        return None


def refuse(process: Process, word: str, *, quoted: bool = True) -> int:
    """Complain about a file that is not there or may not be seen, in one of toybox's two ways."""
    try:
        process.phone.files.stat(at(process, word), uid=process.uid)
    except OSError as error:
        return complain(process, f"'{word}': {error.strerror}" if quoted else f"{word}: {error.strerror}")
    return 0


def pieces(process: Process, path: str) -> Iterator[bytes]:
    """What a file holds, or with ``-`` the standard input."""
    if path == "-":
        while part := process.stdin.read(_PIECE):
            yield part
        return
    with process.phone.files.open(at(process, path), uid=process.uid) as file:
        while part := file.read(_PIECE):
            yield part


def whole(process: Process, path: str) -> bytes:
    return b"".join(pieces(process, path))


def lines(process: Process, path: str) -> list[str]:
    """The lines of a file, without their ends."""
    found = decode(whole(process, path)).split("\n")
    return found[:-1] if found[-1] == "" else found


def each_file(process: Process, words: list[str], work: Callable[[str], object]) -> int:
    """Do it for every file (the standard input when there is none); complain about those that cannot be read."""
    status = 0
    for word in words or ["-"]:
        try:
            work(word)
        except OSError as error:
            status = complain(process, f"{word}: {error.strerror}")
    return status


def owner(number: int) -> str:
    return _OWNERS.get(number, f"u0_a{number - 10000}" if number >= 10000 else str(number))


def kind(status: Status) -> str:
    """The kind of file, in ``stat``'s words."""
    if status.is_regular:
        return "regular file" if status.size else "regular empty file"
    return _KINDS.get(stat.S_IFMT(status.mode), "unknown")


def clock(process: Process, seconds: float) -> datetime:
    """A time on the phone's own clock."""
    zone = process.env.get("TZ") or process.phone.properties.get("persist.sys.timezone") or "UTC"
    try:
        return datetime.fromtimestamp(seconds, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.fromtimestamp(seconds, ZoneInfo("UTC"))
