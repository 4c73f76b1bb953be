"""Messages and bytes in one stream, each side bounded. Standard library only: a site starts this at every contact.

A frame is one letter, four bytes of length (big-endian), and so many bytes: ``J`` a JSON object in UTF-8, ``B`` bytes.
The site's first line is :data:`GREETING`, so that what a login shell prints before it does no harm.
"""

from __future__ import annotations

import json
import math
import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, BinaryIO, Protocol

GREETING = b"schoolbag site 1\n"
CHUNK = 2**17
"""Bytes that are read and written at once: two seconds of a slow link."""

_PIECE = 2**20
"""Most bytes of a ``B`` frame. What has come of one is handed on before the rest is there."""

LONGEST = 2**20
"""Most bytes of a ``J`` frame, where the reader expects no larger one."""

_HEAD = struct.Struct(">cI")
_NOISE = 2**16
_OTHER = re.compile(rb"^schoolbag site ([0-9]{1,9})\n", re.MULTILINE)

Message = dict[str, Any]


class Cut(Exception):
    """The stream ended, or the other side went away."""


class Malformed(Exception):
    """What came is no frame, none that was expected, or too large."""


class OtherVersion(Exception):
    """A site greets that speaks another version of this than we do."""

    def __init__(self, number: int) -> None:
        super().__init__(f"version {number}")
        self.number = number


class Pipe(Protocol):
    """Two directions of bytes. ``read`` waits for some, b"" is the end; ``write`` takes all. OSError when it breaks."""

    def read(self, most: int) -> bytes: ...

    def write(self, data: bytes | memoryview) -> None: ...


class Files:
    """A pipe of two unbuffered files."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source = source
        self._target = target

    def read(self, most: int) -> bytes:
        return self._source.read(most)

    def write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            left = left[self._target.write(left) or 0 :]


class Stream:
    """Frames over a pipe. Every method may raise Cut, every reading one Malformed.

    ``received`` counts all bytes that came; more than ``most`` of them are Malformed.
    """

    def __init__(self, pipe: Pipe, *, most: int = 2**62) -> None:
        self._pipe = pipe
        self._most = most
        self._left = b""
        self._until = math.inf
        self.received = 0

    def within(self, seconds: float) -> None:
        """From now on: what has not come in so many seconds comes too late, however little by little; that is Cut."""
        self._until = time.monotonic() + seconds

    def greet(self) -> None:
        """Say that a site speaks."""
        self._write(GREETING)

    def await_greeting(self) -> bytes:
        """Read up to the greeting; what came before it. Malformed when none comes, OtherVersion when another does."""
        noise = b""
        while GREETING not in noise:
            if other := _OTHER.search(noise):
                raise OtherVersion(int(other[1]))
            if len(noise) > _NOISE:
                raise Malformed("no greeting")
            noise += self._read(CHUNK)
        before, _, self._left = noise.partition(GREETING)
        return before

    def send(self, message: Mapping[str, Any]) -> None:
        """One JSON object."""
        self._frame(b"J", json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())

    def send_bytes(self, source: IO[bytes], count: int, sent: Callable[[int], object] | None = None) -> None:
        """The next ``count`` bytes of a file; ``sent`` is told how many went out. Cut, too, when it has not so many."""
        buffer = memoryview(bytearray(min(CHUNK, count)))
        while count:
            length = min(count, _PIECE)
            count -= length
            self._write(_HEAD.pack(b"B", length))
            while length:
                read = source.readinto(buffer[:length])  # type: ignore[attr-defined]
                if not read:
                    raise Cut("the content ended early")
                self._write(buffer[:read])
                length -= read
                if sent:
                    sent(read)

    def receive(self, longest: int = LONGEST) -> Message:
        """The next message."""
        content = self._next(b"J", longest)
        try:
            message = json.loads(content)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise Malformed("no JSON object")
        return message

    def receive_bytes(self, count: int) -> Iterator[bytes]:
        """The next ``count`` bytes, as they come."""
        while count:
            length = self._head(b"B", min(count, _PIECE))
            if not length:
                raise Malformed("an empty piece")
            count -= length
            while length:
                piece = self._some(length)
                length -= len(piece)
                yield piece

    def _frame(self, kind: bytes, content: bytes) -> None:
        self._write(_HEAD.pack(kind, len(content)) + content)

    def _next(self, kind: bytes, longest: int) -> bytes:
        return self._exactly(self._head(kind, longest))

    def _head(self, kind: bytes, longest: int) -> int:
        """The length of a frame of this kind that begins here."""
        found, length = _HEAD.unpack(self._exactly(_HEAD.size))
        if found != kind or length > longest:
            raise Malformed(f"a frame {found!r} of {length} bytes")
        return int(length)

    def _exactly(self, count: int) -> bytes:
        if len(self._left) < count:
            pieces = [self._left]
            have = len(self._left)
            while have < count:
                pieces.append(self._read(CHUNK))
                have += len(pieces[-1])
            self._left = b"".join(pieces)
        data, self._left = self._left[:count], self._left[count:]
        return data

    def _some(self, most: int) -> bytes:
        """What is there, and no more than is meant, so that nothing has to be kept."""
        if not self._left:
            return self._read(min(most, CHUNK))
        data, self._left = self._left[:most], self._left[most:]
        return data

    def _read(self, most: int) -> bytes:
        if time.monotonic() > self._until:
            raise Cut("it takes too long")
        try:
            data = self._pipe.read(most)
        except (OSError, EOFError) as error:
            raise Cut(str(error)) from error
        if not data:
            raise Cut("the other side closed the connection")
        self.received += len(data)
        if self.received > self._most:
            raise Malformed(f"more than {self._most} bytes")
        return data

    def _write(self, data: bytes | memoryview) -> None:
        try:
            self._pipe.write(data)
        except (OSError, EOFError) as error:
            raise Cut(str(error)) from error
