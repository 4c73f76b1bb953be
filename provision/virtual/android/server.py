"""The few words that the bench says to the adb server: attach this phone, take it away, how is it listed."""

from __future__ import annotations

import socket

_TIMEOUT = 30.0


class AdbServer:
    """The adb server on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self, address: str) -> str:
        """Attach ``host:port``; the server's answer."""
        return self._ask(f"host:connect:{address}")

    def disconnect(self, address: str) -> str:
        """Take ``host:port`` away, so that it leaves the list."""
        return self._ask(f"host:disconnect:{address}")

    def state(self, address: str) -> str:
        """How it is listed: ``device``, ``offline``, ``unauthorized``, …, or "" when it is not."""
        rows = (row.partition("\t") for row in self._ask("host:devices").splitlines())
        return next((state for serial, _, state in rows if serial == address), "")

    def _ask(self, service: str) -> str:
        """One request and its answer. OSError when the server is not there, its words when it refuses."""
        try:
            link = socket.create_connection(("127.0.0.1", self.port), timeout=_TIMEOUT)
        except ConnectionRefusedError:
            raise OSError(f"no adb server on port {self.port}: start it with adb -P {self.port} start-server") from None
        with link:
            link.sendall(b"%04x%s" % (len(service), service.encode()))
            with link.makefile("rb") as answer:
                status = answer.read(4)
                text = answer.read(int(answer.read(4) or b"0", 16)).decode("utf-8", "replace")
        if status != b"OKAY":
            raise OSError(f"adb server on port {self.port}: {text or 'no answer'}")
        return text
