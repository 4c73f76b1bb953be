"""One conversation with the adb server: every byte or an error, never a wait without end.

:class:`Connection` is pure-python-adb's, with what it lacks (facts §7.7): exact reads, whole sends, timeouts, the
reason of a ``FAIL`` by its length, a plain close, and sending while listening, so that a refusal in the middle of a
transfer is read instead of tripped over.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import selectors
import socket as sockets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ppadb import connection as ppadb

from provision.android.states import Listed, explain_fail, plain
from provision.errors import DeviceError, NoAnswer, NoServer, Refused, Unplugged

_MOST_OF_A_REQUEST = 0xFFFF  # its length is sent as four hex digits
_PIECE = 1 << 18
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_SAY_WHERE = "Check ANDROID_ADB_SERVER_PORT and ADB_SERVER_SOCKET."

Chunk = bytes | memoryview
T = TypeVar("T")


class NobodyListens(NoServer):
    """Nothing accepts connections where the adb server should be."""


class Connection(ppadb.Connection):  # type: ignore[misc]
    """A socket to the adb server at ``host:port``.

    ``timeout`` is the longest silence (s) that is waited out (None: any), ``deadline`` (``time.monotonic()``) the end
    of all waiting. Once ``listed`` is set the conversation is with that device, and errors are about it: Unplugged,
    NoAnswer, Refused. Before that they are about the server: NoServer. ``is_open`` says that a service of the device
    answers, so that a ``FAIL`` is its own and not about the transport.
    """

    socket: sockets.socket | None
    timeout: float | None

    def __init__(self, host: str, port: int, timeout: float) -> None:
        super().__init__(host, port, timeout)
        self.deadline: float | None = None
        self.listed: Listed | None = None
        self.is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self) -> sockets.socket:
        try:
            self.socket = sockets.create_connection((self.host, self.port), self.timeout)
        except OSError as error:
            raise NobodyListens(f"No adb server answers at {self.where} ({plain(str(error))}).", _SAY_WHERE) from error
        self.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        return self.socket

    def send(self, msg: str) -> bool:
        """Ask for a service and read the server's ``OKAY``."""
        data = msg.encode("utf-8", "surrogateescape")
        if len(data) > _MOST_OF_A_REQUEST:
            raise Refused(f"A request of {len(data)} bytes is more than the adb server takes.")
        self._send(b"%04x" % len(data) + data)
        return self._check_status()

    def receive(self) -> str:
        """A text with its length before it."""
        return self._recv_into(self._length()).decode("utf-8", "replace")

    def read(self, length: int = 0) -> bytes:
        """Exactly ``length`` bytes."""
        return self._recv(length)

    def read_into(self, view: memoryview) -> None:
        """Fill ``view`` to its end."""
        got = 0
        while got < len(view):
            try:
                count = self._patiently(partial(_fill, view[got:]))
            except ConnectionError:
                count = 0
            if not count:
                raise self._ended()
            got += count

    def read_some(self) -> bytes:
        """Whatever is there next; ``b""`` when the other end closed."""
        try:
            return self._patiently(lambda sock: sock.recv(_PIECE))
        except ConnectionError:
            return b""

    def exchange(self, outgoing: Iterator[Sequence[Chunk]], hear: Callable[[bytes], bool]) -> None:
        """Send all that ``outgoing`` gives, each sequence of chunks in as few sends as it takes, while listening.

        Ends when ``hear`` (called with every piece that comes) returns True, or when the other end closes.
        """
        rest: list[memoryview] | None = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while True:
                while rest is not None and not rest:
                    rest = _next(outgoing)
                    if rest is None:
                        selector.modify(self._socket, selectors.EVENT_READ)
                ready = selector.select(self._patience())
                if not ready:
                    raise self._silent()
                if ready[0][1] & selectors.EVENT_READ:
                    piece = self.read_some()
                    if not piece or hear(piece):
                        return
                elif rest is not None:
                    rest = self._offer(rest, selector)

    def _offer(self, rest: list[memoryview], selector: selectors.BaseSelector) -> list[memoryview] | None:
        """What is left of ``rest`` after one send; None when the other end takes no more and can only be heard."""
        try:
            return _after(rest, self._patiently(lambda sock: sock.sendmsg(rest)))
        except ConnectionError:
            selector.modify(self._socket, selectors.EVENT_READ)
            return None
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
            raise DeviceError("A file became shorter while it was being sent.", "Run again.") from error

    def shut(self) -> None:
        """End it from another thread: whoever waits in it meets the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(sockets.SHUT_RDWR)

    @property
    def _socket(self) -> sockets.socket:
        if self.socket is None:
            raise self._ended()
        return self.socket

    def _recv(self, length: int) -> bytes:
        return bytes(self._recv_into(length))

    def _recv_into(self, length: int) -> bytearray:
        data = bytearray(length)
        self.read_into(memoryview(data))
        return data

    def _send(self, data: Chunk) -> None:
        try:
            self._patiently(lambda sock: sock.sendall(data))
        except ConnectionError as error:
            raise self._ended() from error

    def _check_status(self) -> bool:
        word = self._recv(4)
        if word == b"OKAY":
            return True
        if word != b"FAIL":
            raise self._garbled(word)
        reason = self.receive()
        if self.listed is not None:
            raise explain_fail(reason, self.listed, of_service=self.is_open)
        raise Refused(f"The adb server at {self.where} refused: {plain(reason)}.", evidence=reason)

    def _length(self) -> int:
        word = self._recv(4)
        if not _HEX.fullmatch(word):
            raise self._garbled(word)
        return int(word, 16)

    def _patience(self) -> float | None:
        if self.deadline is None:
            return self.timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self._silent()
        return left if self.timeout is None else min(self.timeout, left)

    def _patiently(self, work: Callable[[sockets.socket], T]) -> T:
        self._socket.settimeout(self._patience())
        try:
            return work(self._socket)
        except TimeoutError as error:
            raise self._silent() from error

    def _silent(self) -> NoAnswer | NoServer:
        if self.listed is not None:
            return NoAnswer(
                f"{self.listed.name} did not answer in time.", "Unlock its screen, check the cable and run again."
            )
        return NoServer(f"What listens at {self.where} does not answer as an adb server does.", _SAY_WHERE)

    def _ended(self) -> Unplugged | NoServer:
        if self.listed is not None:
            return Unplugged(f"The link to {self.listed.name} ended before it answered.", "Plug it in and run again.")
        return NoServer(f"The adb server at {self.where} closed the connection.", "Start it again and run again.")

    def _garbled(self, word: bytes) -> Refused | NoServer:
        if self.listed is not None:
            return Refused(
                f"{self.listed.name} gave an answer that adb does not have.",
                "Unplug the cable, plug it in and run again.",
                evidence=repr(word),
            )
        return NoServer(f"What answers at {self.where} is not an adb server.", _SAY_WHERE)


def mapped(path: Path) -> memoryview:
    """The content of a file, to be sent without copying it first."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b"")
    except OSError as error:
        raise DeviceError(
            f"{plain(str(path))} cannot be read: {error.strerror}.", "Put the file back and run again."
        ) from error


def _next(outgoing: Iterator[Sequence[Chunk]]) -> list[memoryview] | None:
    chunks = next(outgoing, None)
    return None if chunks is None else [memoryview(chunk) for chunk in chunks if len(chunk)]


def _after(chunks: list[memoryview], sent: int) -> list[memoryview]:
    """What is left of ``chunks`` behind the first ``sent`` bytes."""
    for at, chunk in enumerate(chunks):
        if sent < len(chunk):
            return [chunk[sent:], *chunks[at + 1 :]]
        sent -= len(chunk)
    return []


def _fill(view: memoryview, socket: sockets.socket) -> int:
    return socket.recv_into(view)
