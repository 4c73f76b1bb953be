"""Applets that change the directory tree: mkdir, rm, rmdir, mv, cp, ln, touch, chmod, mktemp, sync."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime

from provision.virtual.android.process import Process
from provision.virtual.android.toybox.common import Options, Usage, at, clock, complain, look, options, pieces


def mkdir(process: Process) -> int:
    given = options(process, "pv", "m", least=1)
    status = 0
    for word in given.words:
        try:
            process.phone.files.mkdir(at(process, word), parents="p" in given, uid=process.uid)
        except OSError as error:
            status = complain(process, f"'{word}': {error.strerror}")
    return status


def rmdir(process: Process) -> int:
    given = options(process, "p", least=1)
    status = 0
    for word in given.words:
        try:
            process.phone.files.rmdir(at(process, word), uid=process.uid)
        except OSError as error:
            status = complain(process, f"{word}: {error.strerror}")
    return status


def rm(process: Process) -> int:
    given = options(process, "rRfiv")
    if not given.words and "f" not in given:
        raise Usage('Needs 1 argument (see "rm --help")')
    status = 0
    for word in given.words:
        try:
            _remove(process, at(process, word), recursive="r" in given or "R" in given)
        except FileNotFoundError as error:
            status = status if "f" in given else complain(process, f"{word}: {error.strerror}")
        except OSError as error:
            status = complain(process, f"{word}: {error.strerror}")
    return status


def _remove(process: Process, path: str, *, recursive: bool) -> None:
    files = process.phone.files
    if not files.stat(path, follow=False, uid=process.uid).is_directory:
        files.unlink(path, uid=process.uid)
        return
    if not recursive:
        raise IsADirectoryError(21, "Is a directory", path)
    for name in files.listing(path, uid=process.uid):
        _remove(process, f"{path}/{name}", recursive=True)
    files.rmdir(path, uid=process.uid)


def _targets(process: Process, given: Options) -> list[tuple[str, str]]:
    """Where each source goes: into the last word if that is a directory, else to it."""
    if "t" in given.values:
        sources, target = given.words, given.values["t"]
    else:
        *sources, target = given.words
    found = look(process, target)
    if found and found.is_directory and "T" not in given:
        return [(word, f"{target.rstrip('/')}/{word.rstrip('/').rpartition('/')[2]}") for word in sources]
    if len(sources) != 1:
        raise Usage(f"'{target}' not directory")
    return [(sources[0], target)]


def mv(process: Process) -> int:
    given = options(process, "fnivT", "t", least=2)
    status = 0
    for source, target in _targets(process, given):
        if look(process, source, follow=False) is None:
            status = complain(process, f"bad '{source}': {_reason(process, source)}")
        elif not ("n" in given and look(process, target)):
            try:
                process.phone.files.rename(at(process, source), at(process, target), uid=process.uid)
            except OSError as error:
                status = complain(process, f"{target}: {error.strerror}")
    return status


def _reason(process: Process, path: str) -> str:
    try:
        process.phone.files.stat(at(process, path), follow=False, uid=process.uid)
    except OSError as error:
        return error.strerror or ""
    return ""


def cp(process: Process) -> int:
    given = options(process, "rRafpPdnivT", "t", least=2)
    status = 0
    for source, target in _targets(process, given):
        try:
            status = _copy(process, given, source, target) or status
        except OSError as error:
            status = complain(process, f"{target}: {error.strerror}")
    return status


def _copy(process: Process, given: Options, source: str, target: str) -> int:
    files = process.phone.files
    found = look(process, source)
    if found is None:
        return complain(process, f"bad '{source}': {_reason(process, source)}")
    if found.is_directory:
        if not any(flag in given for flag in "rRa"):
            return complain(process, f"Skipped dir '{source}'")
        files.mkdir(at(process, target), parents=True, uid=process.uid)
        status = 0
        for name in files.listing(at(process, source), uid=process.uid):
            status = _copy(process, given, f"{source}/{name}", f"{target}/{name}") or status
        return status
    if "n" in given and look(process, target):
        return 0
    with files.create(at(process, target), mode=found.mode & 0o777, uid=process.uid) as out:
        for part in pieces(process, source):
            out.write(part)
    if "p" in given or "a" in given:
        files.utime(at(process, target), found.mtime, uid=process.uid)
    return 0


def ln(process: Process) -> int:
    given = options(process, "sfnv", least=2)
    if "s" not in given:
        return complain(process, f"cannot create hard link from '{given.words[0]}': Permission denied")
    target, link = given.words[:2]
    try:
        if "f" in given and look(process, link, follow=False):
            process.phone.files.unlink(at(process, link), uid=process.uid)
        process.phone.files.symlink(target, at(process, link), uid=process.uid)
    except OSError as error:
        return complain(process, f"cannot create symbolic link from '{target}' to '{link}': {error.strerror}")
    return 0


def touch(process: Process) -> int:
    """``-d @SECONDS`` or ``YYYY-MM-DDThh:mm[:ss]``, ``-t [[CC]YY]MMDDhhmm[.ss]``, ``-r FILE``, ``-c -m -a``."""
    given = options(process, "acmh", "dtr", least=1)
    when = _when(process, given)
    status = 0
    for word in given.words:
        try:
            if look(process, word) is None:
                if "c" in given:
                    continue
                process.phone.files.create(at(process, word), uid=process.uid).close()
            process.phone.files.utime(at(process, word), when, uid=process.uid)
        except OSError as error:
            status = complain(process, f"'{word}': {error.strerror}")
    return status


def _when(process: Process, given: Options) -> float:
    if "r" in given.values:
        found = look(process, given.values["r"])
        if found is None:
            raise Usage(f"'{given.values['r']}': No such file or directory")
        return found.mtime
    text = given.values.get("d") or given.values.get("t")
    if text is None:
        return time.time()
    if text.startswith("@"):
        return float(text[1:])
    formats = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
    zone = UTC if text.endswith("Z") else clock(process, 0).tzinfo
    for style in formats if "d" in given.values else ("%Y%m%d%H%M.%S", "%Y%m%d%H%M", "%y%m%d%H%M"):
        try:
            return datetime.strptime(text.rstrip("Z"), style).replace(tzinfo=zone).timestamp()
        except ValueError:
            continue
    raise Usage(f"bad date '{text}'")


_CHANGE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")


def chmod(process: Process) -> int:
    words = [word for word in process.argv[1:] if word not in ("-R", "-f", "-v")]
    if len(words) < 2:
        raise Usage('Needs 2 arguments (see "chmod --help")')
    status = 0
    for word in words[1:]:
        paths = [word]
        if "-R" in process.argv:
            paths += [path for path, _ in process.phone.files.walk(at(process, word), uid=process.uid)]
        for path in paths:
            status = _chmod(process, words[0], path) or status
    return status


def _chmod(process: Process, wanted: str, path: str) -> int:
    found = look(process, path)
    if found is None:
        return complain(process, f"{path}: {_reason(process, path)}")
    mode = _mode(wanted, found.mode & 0o7777)
    try:
        process.phone.files.chmod(at(process, path), mode, uid=process.uid)
    except OSError as error:
        return complain(process, f"chmod '{path}' to {found.mode & 0o170000 | mode:06o}: {error.strerror}")
    return 0


def _mode(wanted: str, mode: int) -> int:
    if wanted.isdigit():
        return int(wanted, 8)
    for part in wanted.split(","):
        change = _CHANGE.fullmatch(part)
        if not change:
            raise Usage(f"bad mode '{wanted}'")
        who, sign, letters = change.groups()
        bits = sum({"r": 4, "w": 2, "x": 1, "X": 1}.get(letter, 0) for letter in set(letters))
        whole = sum(bits << {"u": 6, "g": 3, "o": 0}[one] for one in (set(who) - {"a"} or set("ugo")))
        field = sum(7 << {"u": 6, "g": 3, "o": 0}[one] for one in (set(who) - {"a"} or set("ugo")))
        mode = {"+": mode | whole, "-": mode & ~whole, "=": mode & ~field | whole}[sign]
    return mode


def mktemp(process: Process) -> int:
    given = options(process, "dqut", "p")
    base = given.values.get("p") or process.env.get("TMPDIR", "/data/local/tmp")
    template = given.words[0] if given.words else "tmp.XXXXXXXXXX"
    path = template if "/" in template else f"{base}/{template}"
    marks = len(path) - len(path.rstrip("X"))
    path = path.rstrip("X") + secrets.token_hex(8)[:marks]
    try:
        if "d" in given:
            process.phone.files.mkdir(at(process, path), mode=0o700, uid=process.uid)
        elif "u" not in given:
            process.phone.files.create(at(process, path), mode=0o600, uid=process.uid).close()
    except OSError as error:
        return complain(process, f"Failed to create {'directory' if 'd' in given else 'file'} {path}: {error.strerror}")
    process.say(path + "\n")
    return 0
