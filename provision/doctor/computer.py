"""Disk, clock, Python and terminal of the bench computer."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provision.doctor.check import Check, Mark
from provision.doctor.host import Host

_LITTLE = 2_000_000_000
"""Content and apps of one profile are a few hundred MB to a few GB."""

_NOTHING = 100_000_000
_OLD = timedelta(days=365 * 20)
_SET_CLOCK = "Set it: 'sudo timedatectl set-ntp true', or by hand 'sudo timedatectl set-time \"YYYY-MM-DD HH:MM\"'."


def disk(name: str, host: Host, folder: Path) -> Iterator[Check]:
    """The space where ``folder`` is, or will be."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = host.free(there)
    mark = Mark.BAD if free < _NOTHING else Mark.WARN if free < _LITTLE else Mark.GOOD
    mend = "" if mark is Mark.GOOD else "Free some space there, or name another folder with --home or FLEET_HOME."
    yield Check(name, mark, f"{free / 1e9:.1f} GB are free at {folder}.", mend)


def clock(name: str, host: Host) -> Iterator[Check]:
    """Records carry the time: it cannot be before this program was installed, nor long after."""
    now, installed = host.now(), _installed()
    if not installed - timedelta(days=1) <= now <= installed + _OLD:
        yield Check(name, Mark.BAD, f"The clock says {now:%Y-%m-%d %H:%M} UTC, which cannot be.", _SET_CLOCK)
        return
    synchronised = (host.run(["timedatectl", "show", "-p", "NTPSynchronized", "--value"]) or "").strip()
    said = f"The clock says {now:%Y-%m-%d %H:%M} UTC"
    if synchronised == "yes":
        yield Check(name, Mark.GOOD, f"{said}, and is set from the network.")
    elif synchronised == "no":
        yield Check(
            name, Mark.WARN, f"{said}, and is not set from the network: compare it with another one.", _SET_CLOCK
        )
    else:
        yield Check(name, Mark.GOOD, f"{said}; whether it is set from the network is not known.")


def _installed() -> datetime:
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


def python(name: str) -> Iterator[Check]:
    """The Python that runs this, and where it is."""
    yield Check(name, Mark.GOOD, f"{sys.version.split()[0]} at {sys.executable}")


def terminal(name: str, host: Host) -> Iterator[Check]:
    """Names and texts are in Vietnamese and Chinese too."""
    try:
        is_utf8 = codecs.lookup(host.encoding).name == "utf-8"
    except LookupError:
        is_utf8 = False
    if is_utf8:
        yield Check(name, Mark.GOOD, "The terminal takes UTF-8.")
    else:
        what = (
            f"The terminal takes {host.encoding or 'nothing that is known'}, not UTF-8: some letters cannot be shown."
        )
        yield Check(name, Mark.WARN, what, "Run 'export LC_ALL=C.UTF-8' first, and set the terminal to UTF-8.")
