"""One connection to a port of the phone, as a service sees it: exact reads, property lists, TLS, the cable's faults.

Every byte passes the :class:`Cable`, which takes the time that the bytes need and pulls itself where a fault says so.
"""

from __future__ import annotations

import contextlib
import plistlib
import select
import socket
import ssl
import struct
import threading
import time
from typing import Any, Protocol
from xml.parsers.expat import ExpatError

_LARGEST = 64 << 20
"""Bytes of a property list; a longer one is taken for a misunderstanding and hung up on."""
_PORTION = 256 << 10
_UNREADABLE = (
    plistlib.InvalidFileException,
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class Closed(Exception):
    """The peer or the cable has gone, or it said what cannot be understood. The service ends."""


class Cable(Protocol):
    """What lies between the phone and the computer."""

    def arriving(self, service: str, size: int) -> int:
        """Take the time of ``size`` bytes that come; how many of them get through before the cable is pulled.

        Raises Closed where nothing gets through any more.
        """
        ...

    def leaving(self, service: str, size: int) -> None:
        """Take the time of ``size`` bytes that the phone sends. Raises Closed where nothing gets through any more."""
        ...


class Stream:
    """A connection; one thread may receive while others send. ``service`` is its name, for faults and counts."""

    def __init__(self, sock: socket.socket, service: str = "", cable: Cable | None = None) -> None:
        self.service = service
        self.idle: float | None = None
        """Seconds of silence after which the phone hangs up."""
        self._sock = sock
        self._cable = cable
        self._using = threading.Lock()
        self._sending = threading.Lock()
        self._gone = False
        sock.setblocking(False)

    # Bytes ----------------------------------------------------------------------------------------------------

    def recv_some(self, limit: int) -> bytes:
        """What has come, of ``limit`` bytes at most; waits for the first. Raises Closed."""
        data = self._receive(min(limit, _PORTION))
        if not data:
            raise Closed("the peer closed")
        if self._cable is not None and self._cable.arriving(self.service, len(data)) < len(data):
            raise Closed("the cable was pulled")
        return data

    def recv_exact(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises Closed, also when the peer goes in the middle."""
        if size == 0:
            return b""
        first = self.recv_some(size)
        if len(first) == size:
            return first
        whole = bytearray(first)
        while len(whole) < size:
            whole += self.recv_some(size - len(whole))
        return bytes(whole)

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it. Raises Closed."""
        view = memoryview(data)
        with self._sending:
            for start in range(0, len(view), _PORTION):
                self._send_portion(view[start : start + _PORTION])

    def _send_portion(self, view: memoryview) -> None:
        if self._cable is not None:
            self._cable.leaving(self.service, len(view))
        sent = 0
        while sent < len(view):
            sent += self._transmit(view[sent:])

    # OpenSSL's connections may be used by one thread at a time, so the lock is held for what does not wait only.

    def _receive(self, limit: int) -> bytes:
        deadline = None if self.idle is None else time.monotonic() + self.idle
        while True:
            try:
                with self._using:
                    return self._sock.recv(limit)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._wait(select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline)
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from None

    def _transmit(self, view: memoryview) -> int:
        while True:
            try:
                with self._using:
                    return self._sock.send(view)
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._wait(select.POLLOUT, None)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, None)
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from None

    def _wait(self, event: int, deadline: float | None) -> None:
        poll = select.poll()
        try:
            poll.register(self._sock, event)
        except (OSError, ValueError) as error:
            raise Closed(str(error)) from None
        if self._gone:
            raise Closed("the cable was pulled")
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not poll.poll(left):
            raise Closed("nothing came for too long")

    # Property lists -------------------------------------------------------------------------------------------

    def recv_plist(self) -> Any:
        """The next property list (u32 big-endian length, then XML or binary; white space before it is let pass)."""
        (size,) = struct.unpack(">I", self.recv_exact(4))
        if size > _LARGEST:
            raise Closed(f"a property list of {size} bytes")
        return load_plist(self.recv_exact(size))

    def send_plist(self, value: Any, *, binary: bool = True) -> None:
        """Answer a property list: services answer binary ones (facts, iOS §4)."""
        data = plistlib.dumps(value, fmt=plistlib.FMT_BINARY if binary else plistlib.FMT_XML)
        self.send(struct.pack(">I", len(data)) + data)

    # TLS and the end ------------------------------------------------------------------------------------------

    def start_tls(self, context: ssl.SSLContext, seconds: float = 10) -> None:
        """Become the server of a TLS session. Raises Closed when the peer does not manage in time."""
        try:
            secured = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            raise Closed(str(error)) from None
        self._sock = secured
        self._shake(secured.do_handshake, seconds)

    def stop_tls(self, seconds: float = 10) -> None:
        """End the TLS session, close_notify both ways, and go on in clear. Raises Closed."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._shake(self._sock.unwrap, seconds)

    def _shake(self, step: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self._using:
                    step()
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline)
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from None
            else:
                return

    def cut(self) -> None:
        """The cable is gone: whoever waits on this connection wakes and finds it closed. From any thread."""
        self._gone = True
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which would take the session from under the thread that reads.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up at once, with a close_notify where there is a session."""
        with self._using:
            if isinstance(self._sock, ssl.SSLSocket):
                with contextlib.suppress(OSError, ValueError):
                    self._sock.unwrap()  # does not wait for the other side's: the socket does not block
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            self._sock.close()


def load_plist(data: bytes) -> Any:
    """A property list, XML or binary. Raises Closed for what is none."""
    try:
        return plistlib.loads(data.lstrip())
    except _UNREADABLE as error:
        raise Closed(f"no property list: {error}") from None
