"""Finding and starting the real adb server: Debian's (where it is installed) and the one of the adbutils wheel."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from provision.android import server as module
from provision.android.adb import Server, default_serial
from provision.android.server import ensure_server, find_adb, server_from_environment, start_private
from provision.errors import NoServer, Refused
from tests.provision.adb.scripted import ScriptedServer, Talk

DEBIAN = Path("/usr/bin/adb")
SETS = ("ADB", "ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_PORT", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_SERIAL")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["debian", "wheel"])
def adb(request: pytest.FixtureRequest) -> Path:
    found = DEBIAN if request.param == "debian" else module._carried()
    if found is None or not found.exists():
        pytest.skip(f"no adb of {request.param} here")
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_private_server_answers_and_ends_without_a_trace(adb: Path, home: Path) -> None:
    with start_private(adb) as server:
        assert server.version() == 41
        assert server.devices() == ()
    assert not list(home.iterdir()), "it touched the user's keys"
    with pytest.raises(NoServer):
        server.version()


def test_a_private_server_is_not_led_astray_by_the_environment(
    adb: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:1")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    with start_private(adb) as server:
        assert server.version() == 41


def test_a_private_server_is_told_to_look_for_no_phone(adb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environments: list[dict[str, str]] = []
    popen = subprocess.Popen

    def recording(*args: Any, **named: Any) -> subprocess.Popen[bytes]:
        environments.append(named["env"])
        return popen(*args, **named)

    monkeypatch.setattr(subprocess, "Popen", recording)
    with start_private(adb):
        pass
    wanted = {"ADB_USB": "0", "ADB_MDNS": "0", "ADB_EMU": "0", "ADB_LOCAL_TRANSPORT_MAX_PORT": "5550"}
    assert wanted.items() <= environments[0].items()


def test_private_servers_do_not_share_a_port(adb: Path, home: Path) -> None:
    with start_private(adb) as one, start_private(adb) as other:
        assert one.port != other.port


def test_the_real_server_says_why_it_cannot_connect(adb: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with start_private(adb) as server:
        with pytest.raises(Refused, match=f"Cannot connect to {address}"):
            server.connect_device(address)
        server.disconnect_device(address)


def test_tracking_a_real_server_until_it_ends(adb: Path, home: Path, stack: ExitStack) -> None:
    private = ExitStack()
    server = private.enter_context(start_private(adb))
    with server.track() as tracker:
        assert next(tracker) == ()
        ending = threading.Timer(0.1, private.close)
        ending.start()
        with pytest.raises(NoServer):
            next(tracker)
        ending.join()


def test_a_program_that_is_no_adb_cannot_serve(home: Path) -> None:
    with pytest.raises(NoServer), start_private(Path(shutil.which("true") or "/bin/true")):
        pass
    with pytest.raises(NoServer, match="cannot be run"), start_private(home / "none"):
        pass


def test_ensure_starts_the_server_where_nobody_listens(adb: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB", str(adb))
    for name, value in module._ALONE.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(port=listener.getsockname()[1])
    ensure_server(server)
    try:
        assert server.version() == 41
        ensure_server(server)
    finally:
        server.kill()


def test_ensure_does_not_start_one_beside_what_listens(stack: ExitStack, home: Path) -> None:
    def handle(talk: Talk) -> None:
        talk.say(b"SSH-2.0-x\r\n")

    with pytest.raises(NoServer, match="not an adb server"):
        ensure_server(stack.enter_context(ScriptedServer(handle)).server())


def test_ensure_starts_nothing_on_another_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HERE", ("elsewhere",))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(port=listener.getsockname()[1])
    with pytest.raises(NoServer, match="No adb server answers"):
        ensure_server(server)


def test_without_any_adb_one_is_told_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB", str(home / "none"))
    with pytest.raises(NoServer) as caught, start_private():
        pass
    assert "apt install adb" in caught.value.next_action


def test_adb_is_looked_for_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("named", "path"):
        (home / place).mkdir()
        (home / place / "adb").write_text("#!/bin/sh\n")
        (home / place / "adb").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(home / "path"))
    assert find_adb() == home / "path" / "adb"
    monkeypatch.setenv("ADB", str(home / "named" / "adb"))
    assert find_adb() == home / "named" / "adb"
    monkeypatch.delenv("ADB")
    monkeypatch.setenv("PATH", str(home))
    carried = module._carried()
    assert find_adb() == carried
    assert carried is None or carried.parts[-3:] == ("adbutils", "binaries", "adb")


def test_the_wheel_is_not_imported_to_find_its_adb() -> None:
    code = "import sys, provision.android.server as s; s._carried(); sys.exit('adbutils' in sys.modules)"
    root = Path(module.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=root)


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({}, ("127.0.0.1", 5037)),
        ({"ANDROID_ADB_SERVER_PORT": "5100"}, ("127.0.0.1", 5100)),
        ({"ANDROID_ADB_SERVER_ADDRESS": "bench", "ANDROID_ADB_SERVER_PORT": "5100"}, ("bench", 5100)),
        ({"ADB_SERVER_SOCKET": "tcp:5200"}, ("127.0.0.1", 5200)),
        ({"ADB_SERVER_SOCKET": "tcp:bench:5200", "ANDROID_ADB_SERVER_PORT": "1"}, ("bench", 5200)),
        ({"ADB_SERVER_SOCKET": "tcp:[::1]:5200"}, ("::1", 5200)),
    ],
)
def test_adbs_own_variables_are_honoured(environ: dict[str, str], where: tuple[str, int]) -> None:
    server = server_from_environment(environ)
    assert (server.host, server.port) == where


def test_adbs_choice_of_a_device_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_serial() is None
    monkeypatch.setenv("ANDROID_SERIAL", "R58M")
    assert default_serial() == "R58M"


@pytest.mark.parametrize(
    "environ",
    [
        {"ANDROID_ADB_SERVER_PORT": "five"},
        {"ANDROID_ADB_SERVER_PORT": "0"},
        {"ADB_SERVER_SOCKET": "tcp:70000"},
        {"ADB_SERVER_SOCKET": "tcp:"},
        {"ADB_SERVER_SOCKET": "localabstract:adb"},
    ],
)
def test_variables_that_make_no_sense_are_named(environ: dict[str, str]) -> None:
    with pytest.raises(NoServer, match=next(iter(environ))):
        server_from_environment(environ)
