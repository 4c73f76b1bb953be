"""Files to and from the phone: adb's sync protocol, version 1 (facts §7.4).

Many files go over one ``sync:`` service without waiting for each answer, in sends of about 1 MiB. The phone's answers
are read while sending, so that its reason for a refusal arrives and not a broken pipe.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from provision.android.connection import Connection
from provision.android.states import plain
from provision.errors import DeviceError, Refused, Unplugged

SERVICE = "sync:"
BLOCK = 64 << 10

_HEAD = struct.Struct("<4sI")
_STAT = struct.Struct("<4sIII")
_STAT_2 = struct.Struct("<4sIQQIIIIQqqq")
_MOST_OF_A_PATH = 1024  # adbd's own limit, with mode
_BIGGEST = _HEAD.size + _MOST_OF_A_PATH + _HEAD.size + BLOCK
_ROOM = 16 * (_HEAD.size + BLOCK) + _BIGGEST
_MOST_OF_A_REASON = 64 << 10

Progress = Callable[[int], None]


class Sending(NamedTuple):
    """A file on its way to the phone. ``mtime`` in seconds since 1970; None is that of the source, or now."""

    source: Path | bytes
    remote: str
    mode: int = 0o644
    mtime: int | None = None


@dataclass(frozen=True)
class RemoteStat:
    """``size`` in bytes, ``mode`` with the file type, ``mtime`` in seconds since 1970."""

    size: int
    mode: int
    mtime: int

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.mode)


def push(connection: Connection, name: str, files: Sequence[Sending], progress: Progress) -> None:
    """Send all files (at least one) in order, over an open :data:`SERVICE`; the phone makes missing directories."""
    answers = _Answers(name, deque(file.remote for file in files))
    connection.exchange(_packets(files, progress), answers.hear)
    if answers.awaited:
        raise Unplugged(
            f"The link to {name} ended while {plain(answers.awaited[0])} was being sent.", "Plug it in and run again."
        )


def pull(connection: Connection, name: str, remote: str, sink: BinaryIO, progress: Progress) -> None:
    """Write the content of ``remote`` to ``sink``."""
    connection.write(_request(b"RECV", remote))
    room = memoryview(bytearray(BLOCK))
    while True:
        word, length = _HEAD.unpack(connection.read(_HEAD.size))
        if word == b"DONE":
            return
        if word == b"FAIL":
            raise _refused(name, f"did not give {plain(remote)}", connection.read(min(length, _MOST_OF_A_REASON)))
        if word != b"DATA" or length > BLOCK:
            raise _unreadable(name, word)
        connection.read_into(room[:length])
        sink.write(room[:length])
        progress(length)


def read_stat(connection: Connection, name: str, remote: str, *, wide: bool) -> RemoteStat | None:
    """What ``remote`` is; None when there is nothing. Sizes from 4 GiB up need ``wide`` (feature stat_v2)."""
    connection.write(_request(b"STA2" if wide else b"STAT", remote))
    if not wide:
        word, mode, size, mtime = _STAT.unpack(connection.read(_STAT.size))
        if word != b"STAT":
            raise _unreadable(name, word)
        return RemoteStat(size, mode, mtime) if mode else None
    word, error, _, _, mode, _, _, _, size, _, mtime, _ = _STAT_2.unpack(connection.read(_STAT_2.size))
    if word != b"STA2":
        raise _unreadable(name, word)
    if error in (errno.ENOENT, errno.ENOTDIR):
        return None
    if error:
        raise _refused(name, f"did not show {plain(remote)}", os.strerror(error).encode())
    return RemoteStat(size, mode, mtime)


@dataclass
class _Answers:
    """Counts the phone's answers, one per file and in order."""

    name: str
    awaited: deque[str]
    _rest: bytearray = field(default_factory=bytearray)

    def hear(self, piece: bytes) -> bool:
        self._rest += piece
        while len(self._rest) >= _HEAD.size:
            word, length = _HEAD.unpack_from(self._rest)
            if word == b"FAIL":
                return self._hear_reason(min(length, _MOST_OF_A_REASON))
            if word != b"OKAY" or not self.awaited:
                raise _unreadable(self.name, word)
            del self._rest[: _HEAD.size]
            self.awaited.popleft()
        return not self.awaited

    def _hear_reason(self, length: int) -> bool:
        reason = self._rest[_HEAD.size : _HEAD.size + length]
        if len(reason) < length:
            return False
        remote = plain(self.awaited[0]) if self.awaited else "a file"
        raise _refused(self.name, f"did not take {remote}", bytes(reason))


class _Packer:
    """Writes the packets of one file, as many as fit, into a buffer."""

    def __init__(self, file: Sending) -> None:
        self._stream, mtime = _open(file)
        self._before = _request(b"SEND", f"{file.remote},{stat.S_IFREG | file.mode}")
        self._after = _HEAD.pack(b"DONE", mtime & 0xFFFFFFFF)
        self.is_done = False

    def fill(self, room: memoryview) -> tuple[int, int]:
        """The bytes used of ``room`` (at least as big as the biggest packet), and the file's bytes among them."""
        used, carried = len(self._before), 0
        room[:used] = self._before
        self._before = b""
        while len(room) - used >= _BIGGEST:
            count = self._stream.readinto(room[used + _HEAD.size : used + _HEAD.size + BLOCK])
            if not count:
                room[used : used + _HEAD.size] = self._after
                self.is_done = True
                return used + _HEAD.size, carried
            _HEAD.pack_into(room, used, b"DATA", count)
            used += _HEAD.size + count
            carried += count
        return used, carried

    def close(self) -> None:
        self._stream.close()


def _packets(files: Sequence[Sending], progress: Progress) -> Iterator[memoryview]:
    """All requests and data, packed into one buffer that is sent and filled again."""
    room = memoryview(bytearray(_ROOM))
    used = carried = 0
    for file in files:
        with contextlib.closing(_Packer(file)) as packer:
            while not packer.is_done:
                if len(room) - used < _BIGGEST:
                    yield room[:used]
                    progress(carried)
                    used = carried = 0
                more, data = packer.fill(room[used:])
                used += more
                carried += data
    yield room[:used]
    progress(carried)


def _open(file: Sending) -> tuple[io.FileIO | io.BytesIO, int]:
    """The content as a stream, and its time: what the caller said, else the file's own, else now."""
    if isinstance(file.source, bytes):
        return io.BytesIO(file.source), int(time.time()) if file.mtime is None else file.mtime
    try:
        stream = io.FileIO(file.source)
    except OSError as error:
        raise DeviceError(
            f"{plain(str(file.source))} cannot be read: {error.strerror}.", "Put the file back and run again."
        ) from error
    return stream, int(os.fstat(stream.fileno()).st_mtime) if file.mtime is None else file.mtime


def _request(word: bytes, text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data or len(data) > _MOST_OF_A_PATH:
        raise Refused(
            f"No phone takes a file name like this one: {plain(text[:80])}…", "Give it a shorter, plain name."
        )
    return _HEAD.pack(word, len(data)) + data


def _refused(name: str, what: str, reason: bytes) -> Refused:
    text = reason.decode("utf-8", "replace")
    full = "no space" in text.lower()
    next_action = "Free some space on the phone and run again." if full else ""
    return Refused(f"{name} {what}: {plain(text)}.", next_action, evidence=text)


def _unreadable(name: str, word: bytes) -> Refused:
    return Refused(
        f"{name} broke the file transfer protocol.", "Unplug the cable, plug it in and run again.", evidence=repr(word)
    )
