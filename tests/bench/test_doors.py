"""The ways in, one of which may be missing; where iPhones hang; and what a watch says at its end."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_watch import reported, watching
from tests.benches import Bench
from tests.fleets import FLEET, SAMPLE, Fleet

StartBench = Callable[[dict[str, Any]], Bench]


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_no_usbmuxd_keeps_no_android_device_waiting(
    virtual_bench: StartBench, adb_server: int, tmp_path: Path, nobody: int
) -> None:
    virtual_bench({"devices": [{"preset": "pixel-13"}]})
    fleet = Fleet(tmp_path / "home", adb_server, {"USBMUXD_SOCKET_ADDRESS": f"127.0.0.1:{nobody}"})
    done = fleet.provision()
    assert (done.code, done.summary["partial"]) == (0, 1)
    assert "usbmuxd" in done.err.splitlines()[0]
    seen = fleet("devices", "--json")
    assert [row["event"] for row in seen.lines] == ["device", "server"]
    assert seen.lines[-1]["platform"] == "ios"


def test_no_adb_keeps_no_iphone_waiting(virtual_bench: StartBench, tmp_path: Path, nobody: int) -> None:
    bench = virtual_bench({"devices": [{"preset": "iphone-17", "state": {"trust": 0.2}}]})
    env = {"HOME": str(tmp_path), "USBMUXD_SOCKET_ADDRESS": bench.usbmuxd, "ADB": str(tmp_path / "no-adb")}
    fleet = Fleet(tmp_path / "home", nobody, env)
    done = fleet("verify", "--all", "--json", "--profile", SAMPLE)
    assert [row["serial"] for row in done.reports()] == [bench.devices[0].serial]
    assert "There is no adb program" in done.err
    nothing = Fleet(tmp_path / "home", nobody, {**env, "USBMUXD_SOCKET_ADDRESS": f"127.0.0.1:{nobody}"})
    none = nothing("devices")
    assert (none.code, none.err.splitlines()[0]) == (1, "Error: There is no adb program on this computer.")


def on_the_bus(root: Path, port: str, udid: str) -> Path:
    """An iPhone there, as Linux's sysfs shows it."""
    folder = root / "bus/usb/devices" / port
    folder.mkdir(parents=True)
    said = {"idVendor": "05ac", "idProduct": "12a8", "product": "iPhone", "manufacturer": "Apple Inc.",
            "serial": udid.replace("-", ""), "speed": "480", "busnum": port[0], "devnum": "7"}  # fmt: skip
    for name, text in said.items():
        (folder / name).write_text(f"{text}\n")
    return root


def test_the_port_of_an_iphone_is_found_by_its_udid(virtual_bench: StartBench, tmp_path: Path, adb_server: int) -> None:
    new, old = {"preset": "iphone-17"}, {"preset": "iphone-12", "state": {"trust": 0.2}}
    bench = virtual_bench({"devices": [new, old]})
    sysfs = tmp_path / "sys"
    for device, port in zip(bench.devices, ("1-2.3", "1-2.4"), strict=True):
        on_the_bus(sysfs, port, device.address)
    on_the_bus(sysfs, "2-1", "00008110-000000000000001E")
    fleet = Fleet(tmp_path / "home", adb_server, {"HOME": str(tmp_path), "USBMUXD_SOCKET_ADDRESS": bench.usbmuxd})

    rows = fleet("devices", "--json", "--sysfs", sysfs).lines
    assert {row["address"]: row["port"] for row in rows} == {
        bench.devices[0].address: "1-2.3", bench.devices[1].address: "1-2.4",
    }  # fmt: skip
    tree = fleet("devices", "--tree", "--sysfs", sysfs).out
    assert f"1-2.3  {bench.devices[0].address}  not ready  480 Mbit/s" in tree
    assert "2-1  Apple Inc. iPhone  on the bus, not in usbmuxd" in tree
    done = fleet("verify", "usb:1-2.4", "--json", "--profile", SAMPLE, "--sysfs", sysfs)
    assert [row["port"] for row in done.lines if row["event"] == "device"] == ["1-2.4"]


def test_an_iphone_without_usbmuxd_is_told(tmp_path: Path, adb_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USBMUXD_SOCKET_ADDRESS")
    if any(Path(place).exists() for place in ("/var/run/usbmuxd", "/run/usbmuxd")):
        pytest.skip("this computer has a usbmuxd")
    fleet = Fleet(tmp_path / "home", adb_server)
    assert fleet("devices", "--sysfs", tmp_path / "none").err == ""
    sysfs = on_the_bus(tmp_path / "sys", "1-2.3", "00008110-000000000000001E")
    done = fleet("devices", "--sysfs", sysfs)
    assert "there is one at 1-2.3" in done.err
    assert "apt install usbmuxd" in done.err


def test_a_watch_that_could_not_tell_all_says_so(fleet: Fleet, virtual_bench: StartBench) -> None:
    """The work goes on without the output, and the end tells."""
    serial = virtual_bench({"devices": [{"preset": "pixel-13"}]}).devices[0].serial
    with Path("/dev/full").open("w") as full:
        watch = subprocess.Popen(
            [FLEET, "watch", "--json", "--profile", str(SAMPLE)],
            env=fleet.environment(), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            wait_for(lambda: any('"report"' in log.read_text() for log in fleet.home.glob("runs/*.jsonl")))
            watch.send_signal(signal.SIGINT)
            _, err = watch.communicate(timeout=60)
        finally:
            watch.kill()
            watch.wait()
    assert "The output ended early: No space left on device. The work went on." in err
    assert watch.returncode == 1
    assert fleet("unit", "show", serial, "--json").lines[0]["unit"]["last_verdict"] == "partial"


def test_a_watch_in_which_something_of_ours_broke_says_so(
    adb_server: int, virtual_bench: StartBench, tmp_path: Path
) -> None:
    """The run of one device breaks as no device could make it; the row tells it, and the end."""
    breaks = "import provision.run\ndef broken(*_, **__):\n    raise LookupError\nprovision.run.collect = broken\n"
    (tmp_path / "sitecustomize.py").write_text(breaks)
    fleet = Fleet(tmp_path / "home", adb_server, {"PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)})
    serial = virtual_bench({"devices": [{"preset": "pixel-13"}]}).devices[0].serial
    with watching(fleet) as watch:
        watch.wait_for(reported(serial, "failed"))
        code, err = watch.end()
    (log,) = tmp_path.glob("fleet-bug-*.log")
    assert code == 3
    assert f"This is a bug in fleet (LookupError), not your mistake. Please send the file {log}" in err


def wait_for(good: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end
        time.sleep(0.1)
