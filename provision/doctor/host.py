"""The computer that is examined, as the checks see it: everything that they touch comes from here."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_PATIENCE = 10.0


@dataclass(frozen=True)
class Host:
    """``root`` is where its files begin. ``run`` gives what a program prints, None where it cannot be run or fails.

    ``groups`` are the user's, by name; ``is_root`` may open everything. ``free`` gives bytes; ``now`` is UTC;
    ``encoding`` is that of the terminal.
    """

    root: Path
    environ: Mapping[str, str]
    user: str
    groups: frozenset[str]
    is_root: bool
    encoding: str
    may_open: Callable[[Path], bool]
    run: Callable[[Sequence[str]], str | None]
    free: Callable[[Path], int]
    now: Callable[[], datetime]


def this_host() -> Host:
    """The computer that this runs on."""
    return Host(
        root=Path("/"),
        environ=os.environ,
        user=_user(),
        groups=_groups(),
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        encoding=sys.stdout.encoding or "",
        may_open=lambda path: os.access(path, os.R_OK | os.W_OK),
        run=_run,
        free=lambda path: shutil.disk_usage(path).free,
        now=lambda: datetime.now(UTC),
    )


def _run(argv: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _groups() -> frozenset[str]:
    """Those of this process, which are what counts until the next login."""
    if sys.platform == "win32":
        return frozenset()
    import grp

    names = set()
    for number in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)
