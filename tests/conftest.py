"""Parts that many tests need: a real adb server of their own, and virtual benches behind it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import settings

from provision.virtual.ios.muxer import Muxer
from tests.benches import Bench
from tests.fleets import Fleet
from tests.postgres import Postgres, programs

for _name in (
    "ANDROID_SERIAL",
    "ANDROID_ADB_SERVER_PORT",
    "ANDROID_ADB_SERVER_ADDRESS",
    "ADB_SERVER_SOCKET",
    "ADB_TRACE",
):
    os.environ.pop(_name, None)

settings.register_profile("unhurried", deadline=None)  # others use this computer, too
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What was tested on SQLite already is slow on PostgreSQL: CI runs it, nobody waits for it."""
    for item in items:
        if "postgresql" in getattr(item, "callspec", _NO_PARAMETERS).params.values():
            item.add_marker(pytest.mark.slow)


class _NoParameters:
    params: Mapping[str, Any] = MappingProxyType({})


_NO_PARAMETERS = _NoParameters()


def find_wheel_adb() -> Path | None:
    """The adb that the adbutils wheel carries, where it carries one."""
    package = importlib.util.find_spec("adbutils")
    places = package.submodule_search_locations if package else None
    found = [Path(place) / "binaries" / "adb" for place in places or []]
    return next((program for program in found if program.exists()), None)


@pytest.fixture(scope="session", autouse=True)
def _nobodys_iphones() -> Iterator[None]:
    """A usbmuxd with nothing plugged in, so that no test finds an iPhone of whoever runs it."""
    usbmuxd = Muxer()
    usbmuxd.start()
    os.environ["USBMUXD_SOCKET_ADDRESS"] = usbmuxd.address
    yield
    usbmuxd.stop()


@pytest.fixture(scope="session")
def adb_binary() -> str:
    """The adb program that people use: ``$ADB``, else the one on PATH, else that of the adbutils wheel."""
    return os.environ.get("ADB") or shutil.which("adb") or str(find_wheel_adb())


@pytest.fixture(scope="session")
def adb_server(adb_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real adb server on a private port.

    The wheel's where there is one: that of adb 29 dies now and then when phones come and go at the same moment
    (``failed to unregister fd … with epoll``). Both are driven one phone at a time in tests/provision/adb.
    """
    program = find_wheel_adb() or adb_binary
    home = tmp_path_factory.mktemp("adb")
    for _ in range(3):  # another test may have taken the port by the time that the server wants it
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        with _started(program, port, home) as server:
            if _listens(port, server):
                yield port
                return
    raise AssertionError((home / "server.log").read_text())


@contextmanager
def _started(program: str | Path, port: int, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "-P", str(port), "nodaemon", "server"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(home), "TMPDIR": str(home), "ADB_MDNS": "0"},
        )
        try:
            yield server
        finally:
            server.terminate()
            server.wait(60)


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Whether it does before it ends."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


@pytest.fixture
def virtual_bench(adb_server: int, tmp_path: Path) -> Iterator[Callable[[Mapping[str, Any]], Bench]]:
    """Starts a bench of virtual phones: ``virtual_bench({"devices": [{"preset": "pixel-13"}]})``."""
    benches: list[Bench] = []

    def start(spec: Mapping[str, Any]) -> Bench:
        home = tmp_path / f"bench-{len(benches)}"
        home.mkdir()
        benches.append(Bench(adb_server, spec, home))
        return benches[-1]

    yield start
    for bench in benches:
        bench.close()


@pytest.fixture
def virtual_iphones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, Any]], Bench]]:
    """Starts a bench of virtual iPhones: ``virtual_iphones({"devices": [{"preset": "iphone-17"}]})``.

    From then on the test and what it starts find them, and only them, and keep pair records in a home of their own.
    ``bench.send({"do": "trust", "serial": …})`` gives orders, ``bench.state(serial)`` is all that a phone holds.
    """
    benches: list[Bench] = []
    home = tmp_path / "home-of-pair-records"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))

    def start(spec: Mapping[str, Any]) -> Bench:
        place = tmp_path / f"iphones-{len(benches)}"
        place.mkdir()
        benches.append(Bench(None, spec, place))
        monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", benches[-1].usbmuxd)
        return benches[-1]

    yield start
    for bench in benches:
        bench.close()


@pytest.fixture
def fleet(adb_server: int, tmp_path: Path) -> Fleet:
    """The real program, with a home of its own, on the private adb server."""
    return Fleet(tmp_path / "home", adb_server)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this session's own."""
    place = programs()
    if place is None:
        pytest.skip("there is no PostgreSQL: sudo apt install postgresql")
    server = Postgres(place)
    yield server
    server.remove()
