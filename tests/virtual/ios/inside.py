"""A virtual iPhone's services without cable, pairing or TLS: each talks over a socket of its own. And AFC, written down
once more for tests: from its description, not from the virtual one's code."""

from __future__ import annotations

import plistlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Closed, Stream
from tests.virtual.ios.wire import exactly

STATUS, DATA, OPENED, TOLD = 1, 2, 0x0E, 0x13
NUMBERS = {
    "list": 0x03,
    "truncate": 0x07,
    "remove": 0x08,
    "mkdir": 0x09,
    "info": 0x0A,
    "device": 0x0B,
    "open": 0x0D,
    "read": 0x0F,
    "write": 0x10,
    "seek": 0x11,
    "tell": 0x12,
    "close": 0x14,
    "resize": 0x15,
    "options": 0x17,
    "rename": 0x18,
    "fs_block": 0x19,
    "socket_block": 0x1A,
    "lock": 0x1B,
    "link": 0x1C,
    "time": 0x1E,
    "remove_tree": 0x22,
}
"""What an operation is called in case files, to its number."""


@contextmanager
def served(service: Callable[[Stream, Phone], None], phone: Phone) -> Iterator[socket.socket]:
    """The computer's end of a connection to the service, which has ended when the block is left."""
    ours, theirs = socket.socketpair()
    stream = Stream(theirs)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with suppress(Closed):
                service(stream, phone)
        except BaseException as error:  # noqa: BLE001  (shown below, in the thread of the test)
            failed.append(error)
        stream.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ours.settimeout(10)
    try:
        yield ours
    finally:
        ours.close()
        thread.join(60)
        assert not thread.is_alive()
        if failed:
            raise failed[0]


class Talk:
    """Property lists to and from a service."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, value: Any) -> None:
        data = plistlib.dumps(value)
        self._sock.sendall(struct.pack(">I", len(data)) + data)

    def read(self) -> Any:
        (size,) = struct.unpack(">I", exactly(self._sock, 4))
        return plistlib.loads(exactly(self._sock, size))

    def all_of(self, value: Any) -> list[dict[str, Any]]:
        """All answers to a command, the last of which says Complete or names an Error."""
        self.send(value)
        found = [self.read()]
        while found[-1].get("Status") != "Complete" and "Error" not in found[-1]:
            found.append(self.read())
        return found


class Afc:
    """AFC's packets; a question is answered by operation and data."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._number = 6

    def ask(self, operation: int, parameters: bytes = b"", payload: bytes = b"") -> tuple[int, bytes]:
        self._number += 1
        this, size = 40 + len(parameters), len(parameters) + len(payload)
        self.sock.sendall(struct.pack("<8sQQQQ", b"CFA6LPAA", 40 + size, this, self._number, operation))
        self.sock.sendall(parameters + payload)
        return self.answer()

    def answer(self) -> tuple[int, bytes]:
        magic, whole, this, number, operation = struct.unpack("<8sQQQQ", exactly(self.sock, 40))
        assert magic == b"CFA6LPAA"
        assert number == self._number
        assert 40 <= this <= whole
        return operation, exactly(self.sock, whole - 40)

    def do(self, name: str, *given: str | int | bytes) -> tuple[int, bytes]:
        """An operation with its parameters: texts get their zero byte; what is to be written is the payload."""
        payload = b"".join(part for part in given if isinstance(part, bytes))
        return self.ask(NUMBERS[name], parameters(*(part for part in given if not isinstance(part, bytes))), payload)

    def status(self, name: str, *given: str | int | bytes) -> int:
        """The status that it ends with, 0 where it answers with something else."""
        operation, data = self.do(name, *given)
        return int(struct.unpack("<Q", data)[0]) if operation == STATUS else 0

    def open(self, path: str, mode: int) -> int:
        operation, data = self.do("open", mode, path)
        assert operation == OPENED, data
        return int(struct.unpack("<Q", data)[0])


def parameters(*given: str | int) -> bytes:
    return b"".join(
        struct.pack("<q" if part < 0 else "<Q", part) if isinstance(part, int) else part.encode() + b"\0"
        for part in given
    )
