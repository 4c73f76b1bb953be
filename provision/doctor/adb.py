"""Is there an adb, does its server answer, and do two of them fight? (facts §7.1)"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.android.adb import Server
from provision.android.connection import NobodyListens
from provision.android.server import ensure_server, find_adb
from provision.doctor.check import Check, Mark
from provision.doctor.host import Host
from provision.text import printable

_INSTALL = "Install it ('sudo apt install adb'), or set ADB to where it is."
_PROTOCOL = re.compile(r"^Android Debug Bridge version 1\.0\.(\d{1,4})$", re.MULTILINE)
_RELEASE = re.compile(r"^Version (\S{1,60})$", re.MULTILINE)
_ONE = "Use one adb for everything: set ADB to it, take the others off PATH, and run 'adb kill-server' once."
_NEWEST = 41
"""That of every adb since 2018; older ones lack what is used here."""


@dataclass(frozen=True)
class Program:
    """An adb program. Two with different ``protocol`` numbers kill each other's server."""

    path: Path
    protocol: int
    release: str


def program(name: str, host: Host) -> Iterator[Check]:
    """The adb that is used here, and others on this computer that would fight it."""
    path = find_adb()
    if path is None:
        yield Check(name, Mark.BAD, "There is no adb program on this computer.", _INSTALL)
        return
    used = _read(host, path)
    if used is None:
        yield Check(name, Mark.BAD, f"{path} does not say its version: it is not adb, or cannot run here.", _INSTALL)
        return
    if used.protocol < _NEWEST:
        yield Check(name, Mark.BAD, f"{path} is version 1.0.{used.protocol}, older than 2018.", _INSTALL)
    else:
        yield Check(name, Mark.GOOD, f"{path}, version 1.0.{used.protocol} ({used.release or 'release not known'})")
    others = [found for other in _others(host.environ, path) if (found := _read(host, other))]
    fighting = [f"{other.path} (1.0.{other.protocol})" for other in others if other.protocol != used.protocol]
    if fighting:
        what = f"Another adb of another version is here and ends the server of the first: {', '.join(fighting)}."
        yield Check(name, Mark.WARN, what, _ONE)


def server(name: str, host: Host, at: Server) -> Iterator[Check]:
    """Does the server answer, started if need be, and is it of the version of the program?"""
    where = f"{at.host}:{at.port}"
    was_running = _answers(at)
    ensure_server(at)
    version = at.version()
    path = find_adb()
    used = _read(host, path) if path else None
    if used and used.protocol != version:
        what = f"The adb server at {where} is version 1.0.{version} and {used.path} is 1.0.{used.protocol}: "
        yield Check(name, Mark.BAD, f"{what}each adb command would restart it, in the middle of all work.", _ONE)
    else:
        how = "answers" if was_running else "was not running; it could be started and answers"
        yield Check(name, Mark.GOOD, f"The adb server at {where} {how} (version 1.0.{version}).")


def servers(name: str, host: Host) -> Iterator[Check]:
    """Two servers that both look at USB take phones from each other."""
    running = _running(host)
    if len(running) > 1:
        listed = ", ".join(f"process {number} ({printable(words)})" for number, words in running)
        yield Check(name, Mark.WARN, f"{len(running)} adb servers run on this computer: {listed}.", _ONE)
    else:
        yield Check(name, Mark.GOOD, "No second adb server runs on this computer.")


def _answers(at: Server) -> bool:
    try:
        at.version()
    except NobodyListens:
        return False
    return True


def _read(host: Host, path: Path) -> Program | None:
    said = host.run([str(path), "version"]) or ""
    protocol, release = _PROTOCOL.search(said), _RELEASE.search(said)
    return Program(path, int(protocol[1]), printable(release[1]) if release else "") if protocol else None


def _others(environ: Mapping[str, str], used: Path) -> list[Path]:
    folders = [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    kits = [environ.get("ANDROID_HOME"), environ.get("ANDROID_SDK_ROOT")]
    folders += [Path(kit, "platform-tools") for kit in kits if kit]
    seen = {used.resolve()}
    found = []
    for path in (folder / "adb" for folder in folders):
        if path.is_file() and path.resolve() not in seen:
            seen.add(path.resolve())
            found.append(path)
    return found


def _running(host: Host) -> list[tuple[int, str]]:
    """The adb servers in ``/proc`` that look at USB, with their command lines."""
    found = []
    for folder in (host.root / "proc").glob("[0-9]*"):
        words = _split(folder / "cmdline")
        is_server = {"fork-server", "server"} & set(words[1:])
        if is_server and Path(words[0]).name == "adb" and "ADB_USB=0" not in _split(folder / "environ"):
            found.append((int(folder.name), " ".join(words)))
    return sorted(found)


def _split(path: Path) -> list[str]:
    """The texts of a file of ``/proc``; none where it cannot be read, as the process ended or is another user's."""
    try:
        return path.read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        return []
