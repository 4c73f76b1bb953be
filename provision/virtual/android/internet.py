"""How apps on a phone reach servers: over the air, or through what ``adb reverse`` brought to a port of the phone."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Disconnected
from provision.virtual.android.wire import Stream

_ITSELF = {"localhost", "127.0.0.1", "::1"}
_NETWORKS = ("wifi", "mobile")


class Internet:
    """What one phone reaches. ``online`` is whether it has any, ``network`` by what: ``wifi`` or ``mobile``. ``hosts``
    are names with their ``address[:port]``, in front of those that this computer knows; ``ca`` is a file of
    certificates that somebody installed on it. ValueError for no such network.

    ``local`` opens a stream to what was brought to a port of the phone, None when nothing was.
    """

    def __init__(self, phone: Phone, local: Callable[[str], Stream | None]) -> None:
        given = phone.tree["internet"]
        self._phone = phone
        self._local = local
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.online = bool(given["online"])
        self.network = _network(given["network"])
        self.hosts: dict[str, str] = {str(name): str(where) for name, where in given["hosts"].items()}
        self.ca: Path | None = Path(given["ca"]) if given["ca"] else None

    def change(self, *, online: bool, network: str, hosts: Mapping[str, str], ca: str | None) -> None:
        """From now on it is so; connections over the air that are open break when it goes offline, or to another
        network. ValueError for no such network."""
        moved = _network(network) != self.network
        self.online, self.network = online, network
        self.hosts |= hosts
        self.ca = Path(ca) if ca else self.ca
        if moved or not online:
            with self._lock:
                links = list(self._open)
            for link in links:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)

    @property
    def costs_nothing(self) -> bool:
        """Whether what it gets on by is there, and not a mobile network."""
        return self.online and self.network != "mobile"

    def connection(self, host: str, port: int, *, tls: bool, timeout: float) -> http.client.HTTPConnection:
        """An HTTP connection that is opened at its first request."""
        return _Connection(self, host, port, tls=tls, timeout=timeout)

    def dial(self, host: str, port: int, *, tls: bool, timeout: float) -> socket.socket:
        """A socket that leads there. OSError when there is no way."""
        link = self._reversed(port) if host in _ITSELF else self._over_the_air(host, port, timeout)
        try:
            link.settimeout(timeout)
            return self._secured(link, host) if tls else link
        except BaseException:
            link.close()
            raise

    def _reversed(self, port: int) -> socket.socket:
        try:
            stream = self._local(f"tcp:{port}")
        except Disconnected:
            stream = None
        if stream is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"failed to connect to localhost:{port}")
        return _bridge(stream)

    def _over_the_air(self, host: str, port: int, timeout: float) -> socket.socket:
        if not self.online:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        address, _, other = self.hosts.get(host, host).partition(":")
        link = socket.create_connection((address, int(other or port)), timeout=timeout)
        with self._lock:
            self._open = {one for one in self._open if one.fileno() >= 0} | {link}
        return link

    def _secured(self, link: socket.socket, host: str) -> socket.socket:
        context = ssl.create_default_context(cafile=self.ca)
        secured = context.wrap_socket(link, server_hostname=host)
        certificate = secured.getpeercert() or {}
        first, last = (ssl.cert_time_to_seconds(str(certificate[key])) for key in ("notBefore", "notAfter"))
        if not first <= self._phone.now().timestamp() <= last:
            secured.close()
            raise ssl.SSLCertVerificationError("the certificate is not valid at the time that the phone's clock shows")
        with self._lock:
            self._open.add(secured)
        return secured


class _Connection(http.client.HTTPConnection):
    def __init__(self, internet: Internet, host: str, port: int, *, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.default_port = 443 if tls else 80  # in the header Host the usual port is not named
        self._internet = internet
        self._tls = tls
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = self._internet.dial(self.host, self.port, tls=self._tls, timeout=self._seconds)


def _network(name: object) -> str:
    if name not in _NETWORKS:
        raise ValueError(f"network is one of {', '.join(_NETWORKS)}, not {name!r}")
    return str(name)


def _bridge(stream: Stream) -> socket.socket:
    """A stream of adb as a socket, which has timeouts and can be read as a file."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_outward, args=(ours, stream), name="out through adb", daemon=True).start()
    threading.Thread(target=_inward, args=(stream, ours), name="in through adb", daemon=True).start()
    return theirs


def _outward(link: socket.socket, stream: Stream) -> None:
    with contextlib.suppress(Disconnected, OSError):
        while part := link.recv(65536):
            stream.write(part)
    with contextlib.suppress(Disconnected, OSError):
        stream.close()
    stream.end(gone=True)


def _inward(stream: Stream, link: socket.socket) -> None:
    with contextlib.suppress(Disconnected, OSError):
        while part := stream.read(65536):
            link.sendall(part)
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
