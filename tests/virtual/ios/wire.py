"""usbmuxd's protocol, written down once more for tests: from its description, not from the virtual one's code."""

from __future__ import annotations

import plistlib
import socket
import struct
from types import TracebackType
from typing import Any


class Mux:
    """A connection to usbmuxd at ``127.0.0.1:PORT``; ``version`` 1 is that of property lists."""

    def __init__(self, address: str, version: int = 1) -> None:
        host, _, port = address.partition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=10)
        self._version = version
        self._tag = 41

    def __enter__(self) -> Mux:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, message: str, **more: Any) -> None:
        self._tag += 1
        said = {
            "MessageType": message,
            "ClientVersionString": "test",
            "ProgName": "test",
            "kLibUSBMuxVersion": 3,
            **more,
        }
        data = plistlib.dumps(said)
        self.sock.sendall(struct.pack("<IIII", 16 + len(data), self._version, 8, self._tag) + data)

    def read(self) -> tuple[int, bytes]:
        """Tag and payload."""
        size, _, message, tag = struct.unpack("<IIII", exactly(self.sock, 16))
        assert message == 8
        return tag, exactly(self.sock, size - 16)

    def ask(self, message: str, **more: Any) -> dict[str, Any]:
        """The answer, which must carry the tag of the question and be XML."""
        self.send(message, **more)
        tag, data = self.read()
        assert tag == self._tag
        assert data.startswith(b"<?xml")
        found: dict[str, Any] = plistlib.loads(data)
        return found

    def event(self) -> dict[str, Any]:
        tag, data = self.read()
        assert tag == 0
        found: dict[str, Any] = plistlib.loads(data)
        return found

    def devices(self) -> dict[str, int]:
        """UDID to DeviceID."""
        listed = self.ask("ListDevices")["DeviceList"]
        return {row["Properties"]["SerialNumber"]: row["DeviceID"] for row in listed}


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        assert part, "closed"
        data += part
    return data


def request(sock: socket.socket, asked: str, **more: Any) -> dict[str, Any]:
    """One question to lockdownd, in clear."""
    data = plistlib.dumps({"Request": asked, "Label": "test", **more})
    sock.sendall(struct.pack(">I", len(data)) + data)
    (size,) = struct.unpack(">I", exactly(sock, 4))
    found: dict[str, Any] = plistlib.loads(exactly(sock, size))
    assert found["Request"] == asked
    return found
