"""What the phone says through Debian's ``adb``: a real third-party APK, splits, and a maker's refusal."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benches import Bench
from tests.virtual.phone.play import APPS, REAL_APP

PRESETS = ("pixel-15", "samsung-9", "tablet-7", "xiaomi-11")
Adb = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def phones(adb_server: int, adb_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Adb]]:
    """Preset to a function that runs ``adb -s`` on a phone of it."""
    bench = Bench(adb_server, {"devices": [{"preset": preset} for preset in PRESETS]}, tmp_path_factory.mktemp("bench"))

    def on(address: str) -> Adb:
        start = [adb_binary, "-P", str(bench.port), "-s", address]
        return lambda *words: subprocess.run([*start, *words], capture_output=True, text=True, timeout=60, check=False)

    yield {device.preset: on(device.address) for device in bench.devices}
    bench.close()


@pytest.mark.parametrize("preset", ["pixel-15", "samsung-9", "tablet-7"])
def test_a_real_app(preset: str, phones: dict[str, Adb], tmp_path: Path) -> None:
    adb = phones[preset]
    done = adb("install", "-r", str(REAL_APP))
    assert (done.returncode, "Success" in done.stdout) == (0, True), done
    (line,) = [row for row in adb("shell", "pm list packages -f -U -3").stdout.splitlines() if "uiautomator" in row]
    path, _, name = line.removeprefix("package:").rpartition(" ")[0].rpartition("=")
    assert name == "com.github.uiautomator"
    assert line.split(" uid:")[1].isdecimal()
    wanted = hashlib.sha256(REAL_APP.read_bytes()).hexdigest()
    if preset != "tablet-7":  # sha256sum came with 8
        assert adb("shell", f"sha256sum {path}").stdout.split()[0] == wanted
    assert adb("pull", path, str(tmp_path / "base.apk")).returncode == 0
    assert hashlib.sha256((tmp_path / "base.apk").read_bytes()).hexdigest() == wanted
    assert adb("uninstall", name).stdout == "Success\n"
    assert adb("shell", f"pm path {name}").returncode == 1


@pytest.mark.parametrize("preset", ["pixel-15", "samsung-9", "tablet-7"])
def test_splits(preset: str, phones: dict[str, Adb], tmp_path: Path) -> None:
    adb = phones[preset]
    shutil.unpack_archive(APPS / "schoolbag-maths.apks", tmp_path, "zip")
    parts = sorted(str(path) for path in tmp_path.rglob("*.apk"))
    done = adb("install-multiple", "-r", *parts)
    assert (done.returncode, done.stdout) == (0, "Success\n"), done
    paths = adb("shell", "pm path org.schoolbag.sample.maths").stdout.splitlines()
    assert len(paths) == len(parts)
    assert paths[0].endswith("/base.apk")
    assert adb("uninstall", "org.schoolbag.sample.maths").stdout == "Success\n"


def test_a_maker_s_switch_refuses(phones: dict[str, Adb]) -> None:
    done = phones["xiaomi-11"]("install", str(REAL_APP))
    assert done.returncode != 0
    assert "Failure [INSTALL_FAILED_USER_RESTRICTED: Install canceled by user]" in done.stdout + done.stderr


def test_android_7_is_asked_by_cmd(phones: dict[str, Adb]) -> None:
    assert "cmd" in phones["tablet-7"]("features").stdout.split()
