"""Running a script on the phone: shell v2 with separate errors and an exit code, and what Android 6 has instead.

The script goes in on standard input, quoted as one word. So it may be of any length (a request to the adb server ends
at 65535 bytes, one to a phone with Android 6 at 4096), its commands find nothing on their own standard input, and of a
script that was cut off by a pulled cable nothing is run at all: a shell that meets the end inside quotes has a syntax
error.
"""

from __future__ import annotations

import re
import secrets
import shlex
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from provision.android.connection import Connection
from provision.errors import Refused, Unplugged

SERVICE = "shell,v2,raw:sh"
OLD_SERVICE = "exec:sh"
MOST = 32 << 20

_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_HEAD = struct.Struct("<BI")
_STDIN_PIECE = 16 << 10
_WHOLE_CODE = re.compile(rb"[0-9]{1,3}\r?\n")


@dataclass(frozen=True)
class ShellResult:
    """What a script printed, byte for byte, and its exit status. ``stderr`` is in ``stdout`` on Android 6 and older."""

    stdout: bytes
    stderr: bytes
    code: int


@dataclass
class Packets:
    """Cuts a shell v2 stream, arriving in pieces of any size, into packets (id, data)."""

    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        self._rest += piece
        start = 0
        while len(self._rest) - start >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._rest, start)
            if length > MOST:
                raise ValueError(f"a packet of {length} bytes")
            end = start + _HEAD.size + length
            if len(self._rest) < end:
                break
            yield kind, bytes(self._rest[start + _HEAD.size : end])
            start = end
        del self._rest[:start]


@dataclass
class _Answer:
    """What has been heard so far. ``code`` is None until the phone has told it."""

    name: str
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    code: int | None = None
    _packets: Packets = field(default_factory=Packets)

    def hear(self, piece: bytes) -> bool:
        try:
            for kind, data in self._packets.feed(piece):
                if kind == _STDOUT:
                    self.stdout += data
                elif kind == _STDERR:
                    self.stderr += data
                elif kind == _EXIT and data:
                    self.code = data[0]
        except ValueError as error:
            raise Refused(f"{self.name} broke the shell protocol.", "Restart the phone and run again.") from error
        self._check_size(len(self.stdout) + len(self.stderr))
        return self.code is not None

    def hear_raw(self, piece: bytes) -> bool:
        self.stdout += piece
        self._check_size(len(self.stdout))
        return False

    def _check_size(self, size: int) -> None:
        if size > MOST:
            raise Refused(f"{self.name} answers without end.", "Restart the phone and run again.")


def run(connection: Connection, name: str, script: str) -> ShellResult:
    """Run ``script`` over an open :data:`SERVICE`. The end without an exit code is Unplugged: outcome unknown."""
    answer = _Answer(name)
    text = _quoted(script)
    pieces = (text[at : at + _STDIN_PIECE] for at in range(0, len(text), _STDIN_PIECE))
    packets = [(_HEAD.pack(_STDIN, len(piece)), piece) for piece in pieces]
    connection.exchange(iter([*packets, (_HEAD.pack(_CLOSE_STDIN, 0),)]), answer.hear)
    if answer.code is None:
        raise _cut_off(name)
    return ShellResult(bytes(answer.stdout), bytes(answer.stderr), answer.code)


def run_old(connection: Connection, name: str, script: str) -> ShellResult:
    """The same over :data:`OLD_SERVICE`, with the exit code behind a random word at the end of the output.

    ``exec:`` and not ``shell:``, because the latter has a terminal before Android 7 that turns every line end into
    ``\\r\\n`` and echoes the script. It has no way to close the shell's input, hence the ``exit``.
    """
    answer = _Answer(name)
    word = secrets.token_hex(16)
    text = _quoted(script) + f"echo {word}$?; exit\n".encode()
    connection.exchange(iter([[text]]), answer.hear_raw)
    output, found, code = bytes(answer.stdout).rpartition(word.encode())
    if not found or not _WHOLE_CODE.fullmatch(code):
        raise _cut_off(name)
    return ShellResult(output, b"", int(code))


def _quoted(script: str) -> bytes:
    return f"( eval {shlex.quote(script)} ) </dev/null\n".encode("utf-8", "surrogateescape")


def _cut_off(name: str) -> Unplugged:
    return Unplugged(
        f"The link to {name} ended in the middle of a command; how far it came is unknown.", "Plug it in and run again."
    )
