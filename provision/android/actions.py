"""What is done to an Android device, as values: each has a printable form without secrets and a size in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from provision.agents import headwind
from provision.android.command import Command, script
from provision.owned import Agent, BenchServer

VERIFIER = "verifier_verify_adb_installs"
"""Settings.Global: whether apps that come over USB are checked; on unless it is 0 (facts §2.2)."""

CHECKS_OFF = "the check of apps from USB (off)"
"""What a technician is told while it is 0."""


@dataclass(frozen=True)
class Run:
    """Run a command on the phone.

    ``refused`` are texts in its output that mean "no" even with exit status 0 (facts §0.4), ``expect`` is a text
    that has to be there for a yes; both only give a reason early, since what counts is what is read back.
    ``cuts_link``: the link may end by itself while it runs. ``may_fail``: an aid, the work goes on without it.
    ``leaves``: what is switched so by it, to be told as long as nobody has read that it was switched back.
    """

    command: Command
    refused: tuple[str, ...] = ()
    expect: str = ""
    cuts_link: bool = False
    may_fail: bool = False
    leaves: str = ""

    @property
    def masked(self) -> str:
        return self.command.masked

    @property
    def size(self) -> int:
        return 0


@dataclass(frozen=True)
class Install:
    """Install one app: a single APK, or the base and its splits. ``total`` is the bytes of all of them."""

    package: str
    apks: tuple[Path, ...]
    total: int
    options: tuple[str, ...] = ()
    leaves: ClassVar[str] = ""

    @property
    def masked(self) -> str:
        return f"install {self.package} ({len(self.apks)} APK, {self.total} bytes)"

    @property
    def size(self) -> int:
        return self.total


@dataclass(frozen=True)
class Sent:
    """One file to send: where it comes from (a file here, or its very bytes), its path on the phone, its size."""

    source: Path | bytes
    remote: str
    size: int


@dataclass(frozen=True)
class Send:
    """Send files in one go, each to a name of its own that nothing else reads until it is renamed."""

    files: tuple[Sent, ...]
    leaves: ClassVar[str] = ""

    @property
    def masked(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"send {self.files[0].remote!r}{more} ({self.size} bytes)"

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Enrol:
    """Have the agent that owns the phone ask the bench's server, under a number that is made for it.

    ``known``: it may have a number of ours already, which is tried first; ``kept``: it has come with that one before,
    so that it never takes another.
    """

    agent: Agent
    server: BenchServer
    known: bool
    kept: bool
    size: ClassVar[int] = 0
    leaves: ClassVar[str] = ""

    @property
    def masked(self) -> str:
        return f"give {headwind.PACKAGE} a number of its own, and answer it at {headwind.BENCH} on the phone"


ELSEWHERE = "/data/local/tmp/.schoolbag-enrolment"
"""Where the file with a number goes first on phones that refuse it in the agent's folder."""

CLEAR = Run(script('rm -f "$1" "$2"', headwind.ENROLMENT, ELSEWHERE))
"""Take the file with the number away, wherever it lies."""
