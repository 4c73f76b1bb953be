"""The virtual phones as the real adb binary sees them."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benches import Bench, VirtualDevice
from tests.virtual.conftest import Adb, OnePhone

PRESETS = ("pixel-7", "samsung-9", "oppo-11", "pixel-13", "pixel-15")
APPS = Path(__file__).parent.parent.parent / "examples" / "apps"


@pytest.fixture(scope="module")
def bench(adb_server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(adb_server, {"devices": [{"preset": name} for name in PRESETS]}, tmp_path_factory.mktemp("bench"))
    yield found
    found.close()


@pytest.fixture(params=PRESETS)
def device(request: pytest.FixtureRequest, bench: Bench) -> VirtualDevice:
    return next(device for device in bench.devices if device.preset == request.param)


@pytest.fixture
def adb(adb_binary: str, bench: Bench, device: VirtualDevice) -> Adb:
    return Adb(adb_binary, bench.port, device.address)


def test_listed(adb: Adb, bench: Bench, device: VirtualDevice) -> None:
    rows = adb.ok("devices", "-l").decode().splitlines()
    row = next(row for row in rows if row.startswith(device.address))
    properties = bench.state(device.serial)["properties"]
    assert re.search(r"\sdevice\s", row)
    assert f"device:{properties['ro.product.device']}" in row
    assert device.serial not in row
    assert adb.ok("shell", "getprop", "ro.serialno").decode().strip() == device.serial


def test_exit_code_and_separate_error(adb: Adb) -> None:
    done = adb("shell", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_standard_input(adb: Adb) -> None:
    data = bytes(range(256)) * 5000
    assert adb.ok("shell", "sha1sum", stdin=data).split()[0].decode() == hashlib.sha1(data).hexdigest()
    assert adb.ok("shell", stdin=b"echo $((1+2))\nread -r x\nhello\necho $x\n") == b"3\nhello\n"


def test_exec_out_is_binary(adb: Adb) -> None:
    assert adb.ok("exec-out", "printf 'a\\n\\r\\377\\000b'") == b"a\n\r\xff\x00b"


def test_push_and_pull(adb: Adb, tmp_path: Path) -> None:
    data = bytes(range(251)) * 40_000
    (tmp_path / "up").write_bytes(data)
    adb.ok("push", tmp_path / "up", "/sdcard/Download/a b")
    assert adb.ok("shell", "md5sum < '/sdcard/Download/a b'").split()[0].decode() == hashlib.md5(data).hexdigest()
    adb.ok("pull", "/sdcard/Download/a b", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data


def test_push_keeps_the_time(adb: Adb, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    os.utime(tmp_path / "f", (1_600_000_000, 1_600_000_000))
    adb.ok("push", tmp_path / "f", "/data/local/tmp/f")
    assert adb.ok("shell", "stat -c '%s %Y' /data/local/tmp/f") == b"1 1600000000\n"


def test_push_and_pull_a_tree(adb: Adb, bench: Bench, device: VirtualDevice, tmp_path: Path) -> None:
    tree = {"a": b"1", "d/b": b"2" * 70_000, "d/e/ä c": b"", "d/e/f": b"\0\1"}
    for name, data in tree.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(data)
    adb.ok("push", tmp_path / "tree", "/sdcard/")
    files = bench.state(device.serial)["files"]
    for name, data in tree.items():
        kept = files[f"/storage/emulated/0/tree/{name}"]
        assert kept == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    adb.ok("pull", "/sdcard/tree", tmp_path / "back")
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == tree


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/system/x", "couldn't create file: Read-only file system"),
        ("/data/data/x", "couldn't create file: Permission denied"),
        ("/data/app/x/y", "secure_mkdirs failed"),
    ],
)
def test_push_is_refused_at_once(adb: Adb, tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "f").write_bytes(bytes(3_000_000))
    done = adb("push", tmp_path / "f", path)
    assert done.returncode == 1
    assert reason.encode() in done.stdout + done.stderr


def test_pull_of_nothing(adb: Adb, tmp_path: Path) -> None:
    done = adb("pull", "/sdcard/none", tmp_path / "x")
    assert done.returncode == 1
    assert re.search(rb"No such file or directory|does not exist", done.stdout + done.stderr)


def _packages(bench: Bench, device: VirtualDevice) -> set[str]:
    return set(bench.state(device.serial)["packages"])


def test_install_and_uninstall(adb: Adb, bench: Bench, device: VirtualDevice) -> None:
    before = _packages(bench, device)
    assert b"Success" in adb.ok("install", APPS / "schoolbag-reader-1.apk")
    (name,) = _packages(bench, device) - before
    assert f"package:{name}".encode() in adb.ok("shell", "pm", "list", "packages")
    assert b"Success" in adb.ok("uninstall", name)
    assert _packages(bench, device) == before


def test_install_multiple(adb: Adb, bench: Bench, device: VirtualDevice, tmp_path: Path) -> None:
    with zipfile.ZipFile(APPS / "schoolbag-maths.apks") as bundle:
        parts = [bundle.extract(name, tmp_path) for name in bundle.namelist() if name.endswith(".apk")]
    assert len(parts) > 1
    before = _packages(bench, device)
    adb.ok("install-multiple", *parts)
    (name,) = _packages(bench, device) - before
    paths = adb.ok("shell", "pm", "path", name).decode().split()
    assert len(paths) == len(parts)
    adb.ok("uninstall", name)


def test_truncated_app_is_refused(adb: Adb, bench: Bench, device: VirtualDevice) -> None:
    before = _packages(bench, device)
    done = adb("install", APPS / "schoolbag-reader-truncated.apk")
    assert done.returncode == 1
    assert b"INSTALL_PARSE_FAILED" in done.stdout + done.stderr or b"INSTALL_FAILED" in done.stdout + done.stderr
    assert _packages(bench, device) == before


def test_reverse(adb: Adb) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            call, _ = server.accept()
            with call:
                heard.append(call.recv(100))
                call.sendall(b"answer\n")

        thread = threading.Thread(target=serve)
        thread.start()
        adb.ok("reverse", "tcp:8080", f"tcp:{port}")
        assert f"tcp:8080 tcp:{port}".encode() in adb.ok("reverse", "--list")
        assert adb.ok("shell", "echo hi | nc localhost 8080") == b"answer\n"
        thread.join(60)
    assert heard == [b"hi\n"]
    adb.ok("reverse", "--remove", "tcp:8080")
    assert adb("reverse", "--remove", "tcp:8080").returncode == 1
    assert adb("shell", "echo hi | nc localhost 8080").returncode == 1


def test_reverse_to_a_closed_port(adb: Adb) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    adb.ok("reverse", "tcp:8081", f"tcp:{port}")
    assert adb("shell", "echo hi | nc localhost 8081").returncode == 1
    adb.ok("reverse", "--remove-all")
    assert adb.ok("reverse", "--list").strip() == b""


def test_root_is_refused(adb: Adb) -> None:
    assert b"cannot run as root in production builds" in adb.ok("root")


def test_many_streams_at_once(adb: Adb) -> None:
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(adb.ok("shell", f"echo {n}; cat /dev/null; echo {n}")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == sorted(f"{n}\n{n}\n".encode() for n in range(8))


def test_reboot(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    adb.ok("shell", "echo 1 > /sdcard/kept")
    adb("reboot")
    bench.wait_for(lambda event: event["event"] == "unplugged")
    assert device.address not in adb("devices").stdout.decode()
    count = len(bench.events)
    bench.wait_for(lambda event: event["event"] == "plugged" and event in bench.events[count:])
    assert adb.ok("shell", "cat /sdcard/kept") == b"1\n"


def test_full_phone_refuses_while_sending(one_phone: OnePhone, tmp_path: Path) -> None:
    bench, device, adb = one_phone(capacity=2_000_000)
    (tmp_path / "f").write_bytes(bytes(5_000_000))
    done = adb("push", tmp_path / "f", "/sdcard/f")
    assert b"No space left on device" in done.stdout + done.stderr
    state = bench.state(device.serial)
    assert not [path for path in state["files"] if path.endswith("/f")]
    assert state["received"]["sync"] < 5_100_000
