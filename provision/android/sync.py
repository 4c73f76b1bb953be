"""Files to and from the phone: adb's sync protocol, version 1 (facts §7.4).

Many files go over one ``sync:`` service without waiting for each answer, in sends of about 512 KiB. The phone's answers
are read while sending, so that its reason for a refusal arrives and not a broken pipe.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from provision.android.connection import Chunk, Connection, mapped
from provision.android.states import plain
from provision.errors import Refused, Unplugged

SERVICE = "sync:"
BLOCK = 64 << 10

_HEAD = struct.Struct("<4sI")
_STAT = struct.Struct("<4sIII")
_STAT_2 = struct.Struct("<4sIQQIIIIQqqq")
_MOST_OF_A_PATH = 1024  # adbd's own limit, with mode
_PACK = 8 * BLOCK
_MOST_CHUNKS = 512  # of 1024 that the kernel takes
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


def push(connection: Connection, name: str, files: Sequence[Sending], progress: Progress) -> None:
    """Send all files (at least one) in order, over an open :data:`SERVICE`; the phone makes missing directories."""
    answers = _Answers(name, deque(file.remote for file in files))
    connection.exchange(_packs(files, progress), answers.hear)
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


def _packs(files: Sequence[Sending], progress: Progress) -> Iterator[list[Chunk]]:
    """The packets of all files, as many together as make one good send."""
    pack: list[Chunk] = []
    size = carried = 0
    for file in files:
        for head, data in _packets(file):
            pack += (head, data)
            size += len(head) + len(data)
            carried += len(data)
            if size >= _PACK or len(pack) >= _MOST_CHUNKS:
                yield pack
                progress(carried)
                pack, size, carried = [], 0, 0
    yield pack
    progress(carried)


def _packets(file: Sending) -> Iterator[tuple[bytes, Chunk]]:
    """Each packet of one file, as head and data. Its time is what the caller said, else the file's own, else now."""
    request = _request(b"SEND", f"{file.remote},{stat.S_IFREG | file.mode}")
    content = memoryview(file.source) if isinstance(file.source, bytes) else mapped(file.source)
    mtime = file.mtime
    if mtime is None:
        mtime = int(time.time() if isinstance(file.source, bytes) else file.source.stat().st_mtime)
    yield request, b""
    for at in range(0, len(content), BLOCK):
        block = content[at : at + BLOCK]
        yield _HEAD.pack(b"DATA", len(block)), block
    yield _HEAD.pack(b"DONE", mtime & 0xFFFFFFFF), b""


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
