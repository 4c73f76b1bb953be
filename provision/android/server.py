"""Where the adb server is, and starting one: the user's, or a private one that sees no real phone."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from provision.android.adb import Server
from provision.android.connection import NobodyListens
from provision.errors import NoServer

_HERE = ("127.0.0.1", "localhost", "::1")
_TO_START = 60.0
_TO_STOP = 5.0
_GET_ADB = "Install it ('sudo apt install adb'), or set ADB to where it is."

# Both Debian's adb (29) and the one of the adbutils wheel (36) honour these: no USB, no mDNS, no emulators.
_ALONE = {"ADB_USB": "0", "ADB_MDNS": "0", "ADB_EMU": "0", "ADB_LOCAL_TRANSPORT_MAX_PORT": "5550"}
_NOT_ALONE = (
    "ADB_SERVER_SOCKET",
    "ANDROID_ADB_SERVER_PORT",
    "ANDROID_ADB_SERVER_ADDRESS",
    "ADB_VENDOR_KEYS",
    "ADB_TRACE",
)


def find_adb() -> Path | None:
    """The adb program: ``$ADB``, else on PATH, else the one that the adbutils wheel carries."""
    named = os.environ.get("ADB")
    if named:
        return _program(named)
    return _program("adb") or _carried()


def server_from_environment(environ: Mapping[str, str] = os.environ) -> Server:
    """The server that adb itself would talk to, by ``ADB_SERVER_SOCKET`` or ``ANDROID_ADB_SERVER_PORT``."""
    spec = environ.get("ADB_SERVER_SOCKET")
    if not spec:
        host = environ.get("ANDROID_ADB_SERVER_ADDRESS") or _HERE[0]
        return Server(host, _port(environ.get("ANDROID_ADB_SERVER_PORT") or "5037", "ANDROID_ADB_SERVER_PORT"))
    kind, _, place = spec.partition(":")
    if kind != "tcp":
        raise NoServer(f"ADB_SERVER_SOCKET is {spec!r}.", "Only tcp:PORT and tcp:HOST:PORT can be used here.")
    host, _, port = place.rpartition(":")
    return Server(host.strip("[]") or _HERE[0], _port(port, "ADB_SERVER_SOCKET"))


def is_here(server: Server) -> bool:
    """Whether it runs on this computer, so that its phones hang on this computer's USB."""
    return server.host in _HERE


def ensure_server(server: Server) -> None:
    """Start the adb server when nobody listens where it should be; NoServer when that cannot be done."""
    try:
        server.version()
    except NobodyListens as error:
        if not is_here(server):
            raise
        _start(server, error)


@contextlib.contextmanager
def start_private(adb: Path | None = None) -> Iterator[Server]:
    """An adb server of its own on a port that the system gives, without USB, mDNS, emulators or the user's keys.

    It takes over a socket that already listens, so there is no moment at which another program can take the port.
    """
    program = adb or _needed()
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="schoolbag-adb-"))
        listener = stack.enter_context(socket.create_server((_HERE[0], 0), backlog=128))
        server = Server(_HERE[0], listener.getsockname()[1])
        stack.enter_context(_running(program, listener, home))
        listener.close()
        server.version()
        yield server


@contextlib.contextmanager
def _running(program: Path, listener: socket.socket, home: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_ALONE}
    try:
        process = subprocess.Popen(
            [program, "-L", f"acceptfd:{listener.fileno()}", "nodaemon", "server"],
            env={**environment, **_ALONE, "HOME": home},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise NoServer(f"{program} cannot be run: {error.strerror}.", _GET_ADB) from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(server: Server, error: NoServer) -> None:
    program = _needed()
    try:
        subprocess.run(
            [program, "-P", str(server.port), "start-server"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TO_START,
            check=True,
            env={key: value for key, value in os.environ.items() if key != "ADB_SERVER_SOCKET"},
        )
    except (OSError, subprocess.SubprocessError) as trouble:
        raise NoServer(
            f"The adb server cannot be started with {program}.", f"Run '{program} start-server' to see why."
        ) from trouble
    try:
        server.version()
    except NoServer:
        raise error from None


def _needed() -> Path:
    program = find_adb()
    if program is None:
        raise NoServer("There is no adb program on this computer.", _GET_ADB)
    return program


def _program(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _carried() -> Path | None:
    """Found without importing adbutils, which would take a while and is not needed."""
    package = importlib.util.find_spec("adbutils")
    for place in (package.submodule_search_locations or []) if package else []:
        found = _program(str(Path(place) / "binaries" / ("adb.exe" if sys.platform == "win32" else "adb")))
        if found:
            return found
    return None


def _port(text: str, variable: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16:
        return int(text)
    raise NoServer(f"{variable} names the port {text!r}.", "Set it to a number between 1 and 65535.")
