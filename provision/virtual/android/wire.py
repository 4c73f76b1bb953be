"""The device side of the adb transport: packets, one connection to the adb server, and the streams on it.

A packet is six little-endian words (command, two arguments, length, checksum, magic) and ``length`` bytes. Phones
before Android 9 speak version 0x01000000 with checksums and 256 KiB payloads, later ones 0x01000001 with 1 MiB.
One WRTE is in flight per stream and direction; we answer OKAY as soon as the data has a place to wait in.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from provision.virtual.android.process import Disconnected

_HEADER = struct.Struct("<6I")
_SYNC, _CNXN, _AUTH, _OPEN, _OKAY, _CLSE, _WRTE = (
    int.from_bytes(name, "little") for name in (b"SYNC", b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
_AUTH_TOKEN = 1
_CHECKSUM_VERSION, _MODERN_VERSION = 0x01000000, 0x01000001
_OLD_MAXDATA, _MODERN_MAXDATA = 256 * 1024, 1024 * 1024
_API_MODERN = 28
_WAITING = 4 * 1024 * 1024
_PENDING = 1024 * 1024


class Host(Protocol):
    """What a connection asks of the device that it belongs to."""

    api: int

    def banner(self) -> str:
        """``device::ro.product.name=…;…;features=…``"""
        ...

    def accepts_key(self) -> bool:
        """Whether the computer is trusted: if not, it stays ``unauthorized``."""
        ...

    def pace(self, size: int, /) -> None:
        """Take the time that ``size`` bytes need on this link."""
        ...

    def arriving(self, stream: Stream, size: int, /) -> int | None:
        """None to go on; a number when the cable is pulled after so many of the ``size`` bytes for ``stream``."""
        ...

    def torn(self, stream: Stream, /) -> None:
        """The cable was pulled where :meth:`arriving` said."""
        ...

    def opened(self, stream: Stream, /) -> Callable[[Stream], None] | None:
        """What serves a stream that the computer opens, or None to refuse it. Runs in a thread of its own."""
        ...


@dataclass(frozen=True)
class _Packet:
    command: int
    first: int
    second: int
    data: memoryview


class Stream:
    """One service on the connection: a two-way pipe. ``kind`` is the first word of its name (shell, exec, sync, …)."""

    def __init__(self, connection: Connection, local: int, remote: int, name: str) -> None:
        self.name = name
        self.kind = name.partition(":")[0].partition(",")[0]
        self.local = local
        self.remote = remote
        self._connection = connection
        self._changed = threading.Condition()
        self._outgoing = threading.Lock()
        self._arrived: deque[memoryview] = deque()
        self._waiting = 0
        self._owes_okay = False
        self._pending = bytearray()
        self._may_send = remote != 0
        self._ended = False
        self._closed = False
        self._gone = False

    # For the service ------------------------------------------------------------------------------------------

    def take(self, size: int) -> memoryview:
        """Up to ``size`` bytes as they arrived, without a copy; empty when the computer has closed the stream."""
        with self._changed:
            while not self._arrived:
                if self._gone:
                    raise Disconnected
                if self._ended:
                    return memoryview(b"")
                self._changed.wait()
            part = self._arrived.popleft()
            if len(part) > size:
                self._arrived.appendleft(part[size:])
                part = part[:size]
            self._waiting -= len(part)
            okay = self._owes_okay and self._waiting < _WAITING
            self._owes_okay = self._owes_okay and not okay
        if okay:
            self._connection.send(_OKAY, self.local, self.remote)
        return part

    def read(self, size: int) -> bytes:
        return bytes(self.take(size))

    def exactly(self, size: int) -> bytes:
        """``size`` bytes; raises Disconnected when the stream ends before."""
        found = b""
        while len(found) < size:
            part = self.take(size - len(found))
            if not part:
                raise Disconnected
            found += part
        return found

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Send it all, packed together with what waits already. Raises Disconnected when nobody listens any more."""
        view = memoryview(data)
        at = 0
        while at < len(view):
            with self._changed:
                while len(self._pending) >= _PENDING and not self._deaf:
                    self._changed.wait()
                if self._deaf:
                    raise Disconnected
                end = at + self._connection.maxdata
                self._pending += view[at:end]
                at = end
            self._flush()
        return len(view)

    @property
    def _deaf(self) -> bool:
        return self._gone or self._ended or self._closed

    def _flush(self) -> None:
        """Send what waits, if the computer is ready for it. One thread at a time, so that nothing is overtaken."""
        with self._outgoing:
            with self._changed:
                if not self._may_send or not self._pending:
                    return
                part = bytes(self._pending[: self._connection.maxdata])
                del self._pending[: self._connection.maxdata]
                self._may_send = False
            self._connection.send(_WRTE, self.local, self.remote, part)

    def close(self) -> None:
        """Send what is left and close. The computer may still read all of it."""
        with self._changed:
            while self._pending and not self._deaf:
                self._changed.wait()
            if self._closed:
                return
            self._closed = True
            heard = not self._gone
        self._connection.forget(self)
        if heard:
            with contextlib.suppress(Disconnected), self._outgoing:
                self._connection.send(_CLSE, self.local, self.remote)

    # For the connection ---------------------------------------------------------------------------------------

    def arrive(self, data: memoryview) -> bool:
        """Take in data; True when the next may come at once."""
        with self._changed:
            self._arrived.append(data)
            self._waiting += len(data)
            self._owes_okay = self._waiting >= _WAITING
            self._changed.notify_all()
            return not self._owes_okay

    def acknowledged(self, remote: int) -> None:
        """The computer is ready for more."""
        with self._changed:
            self.remote = self.remote or remote
            self._may_send = True
        self._flush()
        with self._changed:
            self._changed.notify_all()

    def end(self, *, gone: bool) -> None:
        with self._changed:
            self._ended = True
            self._gone = self._gone or gone
            self._changed.notify_all()

    def wait_open(self) -> bool:
        """After :meth:`Connection.open`: whether the computer took the call."""
        with self._changed:
            while not self._may_send and not self._deaf:
                self._changed.wait()
            return not self._deaf


class Connection:
    """One adb server's connection to the device. ``run`` returns when it has ended."""

    def __init__(self, host: Host, link: socket.socket) -> None:
        self._host = host
        self._link = link
        self._sending = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._next_id = itertools.count(1)
        self._silent = False
        self.ended = threading.Event()
        modern = host.api >= _API_MODERN
        self._version = _MODERN_VERSION if modern else _CHECKSUM_VERSION
        self.maxdata = _MODERN_MAXDATA if modern else _OLD_MAXDATA
        self._handlers: dict[int, Callable[[_Packet], None]] = {
            _CNXN: self._on_connect,
            _AUTH: self._on_auth,
            _OPEN: self._on_open,
            _OKAY: self._on_okay,
            _CLSE: self._on_close,
            _WRTE: self._on_write,
        }
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        """Read packets until the connection ends, then end its streams."""
        try:
            while (packet := self._receive()) is not None and not self._silent:
                handler = self._handlers.get(packet.command)
                if handler is not None:
                    handler(packet)
        except (OSError, Disconnected):
            pass
        finally:
            self.cut()
            self._link.close()

    def freeze(self) -> None:
        """From now on nothing goes out or comes in, though the socket stays: the cable is out."""
        self._silent = True
        self.ended.set()
        for stream in list(self._streams.values()):
            stream.end(gone=True)

    def cut(self) -> None:
        """End the connection and every stream on it."""
        self.freeze()
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        """Send one packet. Raises Disconnected when the link is gone."""
        if self._silent:
            raise Disconnected
        if command == _WRTE:
            self._host.pace(len(data))
        checksum = sum(data) & 0xFFFFFFFF if self._version == _CHECKSUM_VERSION else 0
        header = _HEADER.pack(command, first, second, len(data), checksum, command ^ 0xFFFFFFFF)
        try:
            with self._sending:
                sent = self._link.sendmsg([header, data])
                if sent < len(header) + len(data):
                    self._link.sendall(memoryview(header + data)[sent:])
        except OSError:
            raise Disconnected from None

    def open(self, name: str) -> Stream | None:
        """Ask the computer for a stream (``tcp:PORT``); None when it refuses."""
        stream = Stream(self, next(self._next_id), 0, name)
        self._streams[stream.local] = stream
        self.send(_OPEN, stream.local, 0, name.encode() + b"\0")
        return stream if stream.wait_open() else None

    def forget(self, stream: Stream) -> None:
        self._streams.pop(stream.local, None)

    def _receive(self) -> _Packet | None:
        header = bytearray(_HEADER.size)
        if not self._fill(memoryview(header)):
            return None
        command, first, second, length, _, magic = _HEADER.unpack(header)
        if magic != command ^ 0xFFFFFFFF or length > _MODERN_MAXDATA:
            return None
        data = memoryview(bytearray(length))
        return _Packet(command, first, second, data) if self._fill(data) else None

    def _fill(self, view: memoryview) -> bool:
        at = 0
        while at < len(view):
            got = self._link.recv_into(view[at:])
            if not got:
                return False
            at += got
        return True

    def _on_connect(self, packet: _Packet) -> None:
        self.maxdata = min(self.maxdata, packet.second)
        self._send_token()

    def _send_token(self) -> None:
        self.send(_AUTH, _AUTH_TOKEN, 0, os.urandom(20))

    def _on_auth(self, packet: _Packet) -> None:
        """A signature or a public key: whoever holds the phone has either allowed this computer or not."""
        if self._host.accepts_key():
            self.send(_CNXN, self._version, self.maxdata, self._host.banner().encode())
        elif packet.first != _AUTH_TOKEN + 2:
            self._send_token()

    def _on_open(self, packet: _Packet) -> None:
        name = bytes(packet.data).rstrip(b"\0").decode("utf-8", "surrogateescape")
        stream = Stream(self, next(self._next_id), packet.first, name)
        serve = self._host.opened(stream)
        if serve is None:
            self.send(_CLSE, 0, packet.first)
            return
        self._streams[stream.local] = stream
        self.send(_OKAY, stream.local, stream.remote)
        threading.Thread(target=_serve, args=(serve, stream), name=name[:40], daemon=True).start()

    def _on_okay(self, packet: _Packet) -> None:
        stream = self._streams.get(packet.second)
        if stream is not None:
            stream.acknowledged(packet.first)

    def _on_close(self, packet: _Packet) -> None:
        stream = self._streams.get(packet.second)
        if stream is not None:
            stream.end(gone=False)
            self.forget(stream)

    def _on_write(self, packet: _Packet) -> None:
        stream = self._streams.get(packet.second)
        if stream is None:
            self.send(_CLSE, 0, packet.first)
            return
        self._host.pace(len(packet.data))
        left = self._host.arriving(stream, len(packet.data))
        if left is not None:
            stream.arrive(packet.data[:left])
            self._host.torn(stream)
        elif stream.arrive(packet.data):
            self.send(_OKAY, stream.local, stream.remote)


def _serve(serve: Callable[[Stream], None], stream: Stream) -> None:
    try:
        serve(stream)
    except Disconnected:
        pass
    finally:
        stream.close()
