"""Applets that look at the directory tree: ls, stat, df, du."""

from __future__ import annotations

import stat as modes
from collections.abc import Callable

from provision.virtual.android.files import BLOCK, Status
from provision.virtual.android.process import Process
from provision.virtual.android.toybox.common import Options, at, clock, complain, kind, look, options, owner, refuse

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
            status = refuse(process, word, quoted=False)
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
            failed = refuse(process, word)
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
            return refuse(process, failed[0], quoted=False)
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
            failed = refuse(process, word, quoted=False)
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
