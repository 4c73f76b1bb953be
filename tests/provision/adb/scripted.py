"""An adb server of the tests: it listens on a loopback port and says exactly the bytes that a case prescribes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from provision.android.adb import Server

Handler = Callable[["Talk"], None]

PHONE = b"R58M12ABCDE            device usb:1-2 product:a51 model:SM_A515F device:a51 transport_id:7\n"


class Talk:
    """One conversation, seen from the server."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.requests: list[str] = []

    def read(self, length: int) -> bytes:
        """``length`` bytes, or fewer when the other side closed."""
        data = b""
        while len(data) < length and (piece := self.socket.recv(length - len(data))):
            data += piece
        return data

    def read_to_end(self) -> bytes:
        return b"".join(iter(lambda: self.socket.recv(65536), b""))

    def request(self) -> str:
        head = self.read(4)
        self.requests.append(self.read(int(head, 16)).decode() if head else "")
        return self.requests[-1]

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes) -> None:
        """One byte at a time, each in a segment of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    def okay(self, text: bytes | None = None) -> None:
        self.say(b"OKAY" + (text_with_length(text) if text is not None else b""))

    def fail(self, reason: bytes) -> None:
        self.say(b"FAIL" + text_with_length(reason))

    def is_closed(self) -> bool:
        """Whether the other side has closed, waiting a moment for it."""
        self.socket.settimeout(5)
        try:
            return self.socket.recv(1) == b""
        except OSError:
            return False


class ScriptedServer:
    """Runs ``handler`` in a thread for each connection; an exception in it fails the test at the end."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.troubles: list[BaseException] = []
        self.talks: list[Talk] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def server(self, timeout: float = 5) -> Server:
        return Server("127.0.0.1", self._listener.getsockname()[1], timeout)

    def requests(self) -> list[str]:
        return [request for talk in self.talks for request in talk.requests]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
        if error is None and self.troubles:
            raise self.troubles[0]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        talk = Talk(connection)
        self.talks.append(talk)
        try:
            with connection:
                self._handler(talk)
        except (ConnectionError, OSError):
            pass
        except BaseException as trouble:  # noqa: BLE001 - told to the test by __exit__
            self.troubles.append(trouble)


def text_with_length(text: bytes) -> bytes:
    return b"%04x" % len(text) + text


def phone(service: Handler, *, features: bytes = b"shell_v2,cmd,stat_v2", listing: bytes = PHONE) -> Handler:
    """A server with phones; ``service`` is called after the transport is chosen, before its request is read."""
    known: Mapping[str, bytes] = {
        "host:devices-l": listing,
        "host:version": b"0029",
        "host:host-features": b"shell_v2,cmd,stat_v2,ls_v2",
    }

    def handle(talk: Talk) -> None:
        request = talk.request()
        if request in known:
            talk.okay(known[request])
        elif request.endswith(":features"):
            talk.okay(features)
        elif request.startswith("host:transport"):
            talk.okay()
            service(talk)
        else:
            talk.fail(b"unknown host service")

    return handle


def packet(kind: int, data: bytes = b"") -> bytes:
    """One packet of the shell v2 protocol."""
    return struct.pack("<BI", kind, len(data)) + data


def real_shell(path: Path) -> Handler:
    """A phone whose ``exec:`` and ``shell,v2,raw:`` run this computer's sh, with only ``path`` to find programs in."""

    def serve(talk: Talk) -> None:
        service, _, command = talk.request().partition(":")
        talk.okay()
        if service == "exec":
            _run_raw(talk, command, path)
        else:
            _run_v2(talk, command, path)

    return serve


def programs(directory: Path, **scripts: str) -> Path:
    """A directory with the programs that scripts may need, and ``scripts`` as programs of their own."""
    directory.mkdir()
    for name in ("sh", "cat", "sleep", "rm", "head", "sha256sum", "dd"):
        found = shutil.which(name)
        assert found
        (directory / name).symlink_to(found)
    for name, text in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}")
        (directory / name).chmod(0o755)
    return directory


def _run_raw(talk: Talk, command: str, path: Path) -> None:
    """As adbd does it: one socket is all three streams."""
    link = talk.socket.fileno()
    with subprocess.Popen(["/bin/sh", "-c", command], stdin=link, stdout=link, stderr=link, env=_env(path)) as process:
        process.wait(60)


def _run_v2(talk: Talk, command: str, path: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_env(path),
    ) as process:
        assert process.stdin
        while True:
            kind, length = struct.unpack("<BI", talk.read(5))
            if kind == 3 or not length:
                break
            process.stdin.write(talk.read(length))
        process.stdin.flush()
        out, err = process.communicate(timeout=60)
        talk.say(packet(2, err) + packet(1, out) + packet(3, bytes([process.returncode])))


def _env(path: Path) -> dict[str, str]:
    return {"PATH": str(path), "HOME": os.devnull}
