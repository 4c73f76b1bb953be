"""Android phones through the adb server: who is attached, and a link to each.

:class:`Server` is pure-python-adb's ``Client``, which addresses devices; its conversations are
:class:`provision.android.connection.Connection`. A :class:`Link` carries scripts, files and apps to one phone and
knows nothing of what they mean. Errors are those of :mod:`provision.errors`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ppadb import client as ppadb

from profiles.errors import SchoolbagError
from provision.android import install, shell, sync
from provision.android.connection import Connection
from provision.android.shell import ShellResult
from provision.android.states import Listed, explain_state, parse_listing, plain
from provision.android.sync import RemoteStat, Sending
from provision.errors import NoServer, Refused, Stopped, Unplugged

__all__ = [
    "Link",
    "Listed",
    "RemoteStat",
    "Sending",
    "Server",
    "ShellResult",
    "Tracker",
    "default_serial",
    "explain_state",
    "parse_listing",
]

# What is used here, of what a phone may offer (facts §7.2).
_USED = frozenset({"shell_v2", "cmd", "stat_v2"})
_TO_CONNECT = 30.0
_SILENCE = 60.0
_TO_INSTALL = 600.0


def _nothing(count: int, /) -> None:
    """Progress that nobody looks at."""


def default_serial() -> str | None:
    """The device that adb's own ``ANDROID_SERIAL`` names."""
    return os.environ.get("ANDROID_SERIAL") or None


class Tracker(Iterator[tuple[Listed, ...]]):
    """The devices each time that something changes, the first time at once. NoServer when the server goes.

    ``close`` may be called from another thread: the iteration then ends. It is a context manager.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed = False

    def __next__(self) -> tuple[Listed, ...]:
        try:
            return parse_listing(self._connection.receive())
        except (NoServer, OSError):
            if self._closed:
                raise StopIteration from None
            raise

    def close(self) -> None:
        self._closed = True
        self._connection.shut()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._connection.close()


class Server(ppadb.Client):  # type: ignore[misc]
    """An adb server. ``timeout`` is how long (s) it may take to answer a question."""

    def __init__(self, host: str = "127.0.0.1", port: int = 5037, timeout: float = 10) -> None:
        super().__init__(host, port)
        self.timeout = timeout

    def create_connection(self, timeout: float | None = None) -> Connection:
        connection = Connection(self.host, self.port, self.timeout if timeout is None else timeout)
        connection.connect()
        return connection

    def version(self) -> int:
        """The number of its protocol: 41 for every adb since 2018."""
        answer = self._ask("host:version")
        try:
            return int(answer, 16)
        except ValueError as error:
            raise NoServer(f"What answers at {self.host}:{self.port} is not an adb server.") from error

    def devices(self) -> tuple[Listed, ...]:
        """All that are attached, in every state; two with one serial differ in ``transport_id``."""
        return parse_listing(self._ask("host:devices-l"))

    def track(self) -> Tracker:
        connection = self.create_connection()
        try:
            connection.send("host:track-devices-l")
        except BaseException:
            connection.close()
            raise
        connection.timeout = None
        return Tracker(connection)

    def features(self, listed: Listed) -> frozenset[str]:
        """What this phone offers, the server passes on and we use."""
        offered = self._ask(f"{_host_prefix(listed)}:features", listed)
        passed_on = self._ask("host:host-features")
        return _USED & set(offered.split(",")) & set(passed_on.split(","))

    def link(self, listed: Listed) -> Link:
        """A link to a device that is ready; NotReady with the reason and what to do for any other."""
        if listed.state != "device":
            raise explain_state(listed)
        return Link(self, listed, self.features(listed))

    def connect_device(self, address: str) -> None:
        """Have the server connect to ``host:port``. A device that does not trust this computer is then listed so."""
        answer = self._ask(f"host:connect:{address}", timeout=_TO_CONNECT)
        if not answer.startswith(("connected to", "already connected to", "failed to authenticate to")):
            raise Refused(f"Cannot connect to {plain(address)}: {plain(answer)}.", evidence=answer)

    def disconnect_device(self, address: str) -> None:
        """Have the server forget ``host:port``; nothing happens when it does not know it."""
        with contextlib.suppress(Unplugged):
            self._ask(f"host:disconnect:{address}", Listed(address, "unknown", 0))

    def _ask(self, question: str, listed: Listed | None = None, timeout: float | None = None) -> str:
        with self.create_connection(timeout) as connection:
            connection.listed = listed
            connection.send(question)
            return connection.receive()


class Link:
    """One phone's transport. ``round_trips`` counts the services opened on it; questions to the server are free."""

    def __init__(self, server: Server, listed: Listed, features: frozenset[str]) -> None:
        self.server = server
        self.listed = listed
        self.features = features
        self.round_trips = 0
        self._open: set[Connection] = set()
        self._stopped = False

    def stop(self) -> None:
        """End what is under way, from any thread; it and all that follows raises Stopped."""
        self._stopped = True
        for connection in tuple(self._open):
            with contextlib.suppress(SchoolbagError):  # it may have ended by itself meanwhile
                connection.shut()

    def shell(self, script: str, timeout: float = 60) -> ShellResult:
        """Run a script of any length; ``timeout`` (s) is for all of it. Its commands have no standard input.

        Unplugged means that nobody knows how far it came; NoAnswer that it may still be running.
        """
        is_new = "shell_v2" in self.features
        with self._service(shell.SERVICE if is_new else shell.OLD_SERVICE, timeout) as connection:
            connection.deadline = time.monotonic() + timeout
            run = shell.run if is_new else shell.run_old
            return run(connection, self.listed.name, script)

    def push(
        self,
        source: Path | bytes,
        remote: str,
        *,
        mode: int = 0o644,
        mtime: int | None = None,
        progress: Callable[[int], None] = _nothing,
    ) -> None:
        """Send one file; ``progress`` gets the bytes sent since its last call. The phone makes missing directories."""
        self.push_many([Sending(source, remote, mode, mtime)], progress)

    def push_many(
        self, files: Iterable[tuple[Path | bytes, str, int, int | None]], progress: Callable[[int], None] = _nothing
    ) -> None:
        """Send many files (:class:`Sending`) in one round trip. Refused names the first that the phone did not take.

        The files before it have arrived, those after it have not.
        A file that is being sent when the cable is pulled may be left half written: send it under another name first.
        """
        sendings = [Sending(*file) for file in files]
        if sendings:
            with self._service(sync.SERVICE, _SILENCE) as connection:
                sync.push(connection, self.listed.name, sendings, progress)

    def pull(self, remote: str, sink: BinaryIO, progress: Callable[[int], None] = _nothing) -> None:
        with self._service(sync.SERVICE, _SILENCE) as connection:
            sync.pull(connection, self.listed.name, remote, sink, progress)

    def stat(self, remote: str) -> RemoteStat | None:
        """What ``remote`` is; None when there is nothing there, or (before Android 8) nothing that shell may see."""
        with self._service(sync.SERVICE, _SILENCE) as connection:
            return sync.read_stat(connection, self.listed.name, remote, wide="stat_v2" in self.features)

    def install(
        self,
        apks: Sequence[Path],
        options: Sequence[str] = (),
        progress: Callable[[int], None] = _nothing,
        timeout: float = _TO_INSTALL,
        label: str = "",
    ) -> str:
        """Install one app from its APKs and return the phone's words; ``timeout`` is the longest silence (s).

        Installs that overlap need different labels, and the same app always the same one.

        Refused carries the phone's own verdict in ``evidence``. After Unplugged or NoAnswer it is unknown whether
        the app is there; a session is never left open on the phone.
        """
        has_cmd = "cmd" in self.features
        if has_cmd and len(apks) == 1:
            service, tail = install.one_service(apks[0], options), b""
        else:
            service, tail = install.session_service(apks, options, label, has_cmd=has_cmd), install.COMMIT
        with self._service(service, timeout) as connection:
            return install.send(connection, self.listed.name, apks, tail, progress)

    def reverse(self, remote: str, local: str) -> None:
        """Have connections to ``remote`` on the phone arrive at ``local`` here, both as in ``tcp:8080``."""
        with self._service(f"reverse:forward:{remote};{local}", self.server.timeout) as connection:
            connection.check_status()

    def reverse_list(self) -> tuple[tuple[str, str], ...]:
        """All pairs (remote, local) that are set up on this link."""
        with self._service("reverse:list-forward", self.server.timeout) as connection:
            lines = [line.split() for line in connection.receive().splitlines()]
        return tuple((words[-2], words[-1]) for words in lines if len(words) > 1)

    def reverse_remove(self, remote: str) -> None:
        with self._service(f"reverse:killforward:{remote}", self.server.timeout) as connection:
            connection.check_status()

    @contextlib.contextmanager
    def _service(self, service: str, silence: float) -> Iterator[Connection]:
        """A conversation with ``service`` on the phone, which may be silent for ``silence`` seconds once it is open."""
        with self.server.create_connection() as connection:
            self._open.add(connection)
            try:
                self._check_stopped()
                connection.listed = self.listed
                connection.send(_transport(self.listed))
                connection.send(service)
                connection.is_open = True
                connection.timeout = silence
                self.round_trips += 1
                yield connection
            except SchoolbagError:
                self._check_stopped()
                raise
            finally:
                self._open.discard(connection)

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Stopped(f"Stopped while working on {self.listed.name}.", "Run again to finish it.")


def _transport(listed: Listed) -> str:
    if listed.transport_id:
        return f"host:transport-id:{listed.transport_id}"
    return f"host:transport:{listed.address}"


def _host_prefix(listed: Listed) -> str:
    if listed.transport_id:
        return f"host-transport-id:{listed.transport_id}"
    return f"host-serial:{listed.address}"
