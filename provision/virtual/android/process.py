"""A program running on the virtual phone: what it is given and how it answers.

Every program of the phone (``getprop``, ``pm``, ``cat``, …) is a function of a :class:`Process` that returns the exit
status, 0–255. The same function serves ``shell:``, ``shell,v2:`` and ``exec:``; only the three streams differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from provision.virtual.android.phone import Phone

SHELL_UID = 2000


class Disconnected(Exception):
    """The transport has gone. Raised out of every read and write: programs let it pass after tidying up."""


class Reader(Protocol):
    """Where a program reads from. ``read`` blocks for at least one byte, gives at most ``size``; ``b""`` is the end."""

    def read(self, size: int, /) -> bytes: ...


class Writer(Protocol):
    """Where a program writes to. ``write`` takes it all, and blocks while the other side does not read."""

    def write(self, data: bytes, /) -> object: ...


class Launch(Protocol):
    """Runs a program on the phone: the one given, or the one that ``argv[0]`` names. Faults strike here."""

    def __call__(self, process: Process, program: Program | None = None, /) -> int: ...


@dataclass(frozen=True)
class Process:
    """One program running on the phone. ``argv[0]`` is the name it was called by.

    ``launch`` starts another program: ``process.launch(process.but(argv=["getprop", "ro.serialno"]))``; ``programs``
    are all that there are.
    """

    phone: Phone
    argv: list[str]
    stdin: Reader
    out: Writer
    err: Writer
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    uid: int = SHELL_UID
    programs: Mapping[str, Program] = field(default_factory=dict, repr=False)
    launch: Launch = field(default_factory=lambda: _launch, repr=False)

    def say(self, text: str) -> None:
        """Write ``text`` as it is (no newline is added) to the standard output."""
        self.out.write(encode(text))

    def complain(self, text: str) -> None:
        """Write ``text`` as it is to the standard error."""
        self.err.write(encode(text))

    def read_exactly(self, size: int) -> bytes:
        """``size`` bytes of the standard input, or fewer when it ends before."""
        parts: list[bytes] = []
        while size > 0 and (part := self.stdin.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def but(self, **changes: Any) -> Process:
        """The same process with some of its parts exchanged: another ``argv``, another ``stdin``."""
        return replace(self, **changes)


Program = Callable[[Process], int]


def _launch(process: Process, program: Program | None = None) -> int:
    """Just run it: for a process that was made without a device around it."""
    return (program or process.phone.programs[process.argv[0]])(process)


def read_line(reader: Reader) -> bytes:
    """One line with its end, or what is left; not a byte more is taken, so that the rest is for others."""
    line = getattr(reader, "line", None)
    if line is not None:
        return bytes(line())
    found = bytearray()
    while byte := reader.read(1):
        found += byte
        if byte == b"\n":
            break
    return bytes(found)


def encode(text: str) -> bytes:
    """Text as the phone writes it; bytes that are no UTF-8 went in as surrogates and come out as they were."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Bytes as text, so that :func:`encode` gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")
