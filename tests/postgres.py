"""A real PostgreSQL server for the tests: a cluster of its own in a folder of its own, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
}
_WHO_MAY = "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def programs() -> Path | None:
    """Where the newest PostgreSQL of this computer has its programs."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(found).parent if found else places[-1].parent if places else None


class Postgres:
    """A running server. Its text is ordered the Vietnamese way, so that no test leans on the order of code points.

    ``settings`` are other ones than those of tests, which want it quick.
    """

    def __init__(self, place: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._place = place
        self._settings = {**_SETTINGS, **settings}
        self._numbers = count()
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-pg-"))
        self._as = _unprivileged()
        if not os.geteuid():
            os.chown(self._folder, pwd.getpwnam("nobody").pw_uid, -1)
        self._run("initdb", "-D", self._data, "-U", "fleet", "-A", "trust", "-E", "UTF8", "--no-sync", *_VIETNAMESE)
        (self._data / "pg_hba.conf").write_text(_WHO_MAY)
        self._server: subprocess.Popen[bytes] | None = None
        for _ in range(3):  # another test may have taken the port by the time that the server wants it
            self.port = _free_port()
            if self._runs():
                return
        raise AssertionError(self._log.read_text())

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    @property
    def pid(self) -> int:
        """The process that starts all others of the server."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start the server again; it takes connections afterwards."""
        assert self._runs(), self._log.read_text()

    def _runs(self) -> bool:
        given = {
            **self._settings,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [*self._as, self._place / "postgres", "-D", self._data, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        end = time.monotonic() + 60
        while time.monotonic() < end and self._server.poll() is None:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its connections, SIGQUIT is a crash."""
        if self._server:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str, user: str = "fleet") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements by a connection of their own; the rows of the last."""
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            for statement in statements:
                cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, like: str = "template0", encoding: str = "") -> str:
        """A new database; its name."""
        name = f"test{next(self._numbers)}"
        how = f"{encoding} " if encoding else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {like} {how}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, program: str, *words: str | Path) -> None:
        done = subprocess.run(
            [*self._as, self._place / program, *words], capture_output=True, text=True, cwd="/", timeout=60
        )
        assert done.returncode == 0, done.stderr


_VIETNAMESE = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=vi")


def _unprivileged() -> Sequence[str]:
    """PostgreSQL refuses to be run by root. It ends with whoever started it, even where that is killed."""
    others = ("--reuid=nobody", "--regid=nogroup", "--clear-groups") if not os.geteuid() else ()
    return ("setpriv", *others, "--pdeathsig=INT")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
