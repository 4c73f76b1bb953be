"""Faults, as the real adb sees them, and as a spec writes them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.virtual.android import faults
from provision.virtual.pace import Pace
from tests.benches import Bench, VirtualDevice
from tests.virtual.conftest import Adb, OnePhone


def _listed(adb: Adb, device: VirtualDevice) -> str:
    rows = (row.partition("\t") for row in adb.ok("devices").decode().splitlines())
    return next((state for address, _, state in rows if address == device.address), "")


def _again(bench: Bench, serial: str) -> None:
    assert bench.send({"do": "plug", "serial": serial})["event"] == "done"


def _strike(bench: Bench, device: VirtualDevice, **fault: Any) -> None:
    answer = bench.send({"do": "fault", "serial": device.serial, "fault": fault})
    assert answer["event"] == "done", answer


def test_unplugged_phone_leaves_the_list_and_comes_back_as_it_was(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    adb.ok("shell", "echo kept > /sdcard/f; settings put global some_key 7")
    before = bench.state(device.serial)
    bench.send({"do": "unplug", "serial": device.serial})
    assert _listed(adb, device) == ""
    _again(bench, device.serial)
    assert _listed(adb, device) == "device"
    after = bench.state(device.serial)
    for key in ("files", "settings", "packages", "opened", "received"):
        assert after[key] == before[key]


@pytest.mark.parametrize("size", [0, 1, 70_000, 1_500_000])
def test_cable_pulled_in_the_middle_of_a_file(one_phone: OnePhone, tmp_path: Path, size: int) -> None:
    bench, device, adb = one_phone(
        faults=[{"kind": "unplug", "after_bytes": size, "service": "sync", "replug_after": 0.2}]
    )
    data = bytes(range(256)) * 20_000
    (tmp_path / "f").write_bytes(data)
    assert adb("push", tmp_path / "f", "/sdcard/f").returncode != 0
    bench.wait_for(lambda event: event["event"] == "unplugged")
    bench.wait_for(lambda event: event["event"] == "plugged" and event in bench.events[4:])
    state = bench.state(device.serial)
    assert state["received"].get("sync", 0) == size
    kept = state["files"].get("/storage/emulated/0/f", {"size": 0})["size"]
    assert max(0, size - 1000) <= kept <= size
    if kept:
        assert adb.ok("exec-out", "cat /sdcard/f") == data[:kept]
    adb.ok("push", tmp_path / "f", "/sdcard/f")
    assert bench.state(device.serial)["files"]["/storage/emulated/0/f"]["size"] == len(data)


@pytest.mark.parametrize(("when", "moved"), [("before", False), ("after", True)])
def test_cable_pulled_at_a_command(one_phone: OnePhone, when: str, moved: bool) -> None:
    bench, device, adb = one_phone(faults=[{"kind": "unplug", "at": "^mv ", "when": when}])
    adb("shell", "echo 1 > /sdcard/a; mv /sdcard/a /sdcard/b; echo 2 > /sdcard/c")
    assert _listed(adb, device) == ""
    names = {path.rpartition("/")[2] for path in bench.state(device.serial)["files"]}
    assert names >= {"b" if moved else "a"}
    assert "c" not in names
    _again(bench, device.serial)
    assert adb.ok("shell", "mv /sdcard/a /sdcard/b; echo done 2>/dev/null").endswith(b"done\n")


def test_cable_pulled_inside_a_pipe(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone(faults=[{"kind": "unplug", "at": "^cat "}])
    adb("shell", "cat /dev/null | sort > /sdcard/a; echo 1 > /sdcard/b")
    assert "/storage/emulated/0/b" not in bench.state(device.serial)["files"]


def test_cable_pulled_at_the_nth_service(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="unplug", at_service=3)
    assert adb.ok("shell", "echo 1") == b"1\n"
    assert adb.ok("shell", "echo 2") == b"2\n"
    assert adb("shell", "echo 3").stdout == b""
    assert _listed(adb, device) == ""
    _again(bench, device.serial)
    assert adb.ok("shell", "echo 4") == b"4\n"


def test_a_fault_strikes_as_often_as_it_says(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="unplug", at="^reap", times=2)
    for _ in range(2):
        adb("shell", "reap")
        assert _listed(adb, device) == ""
        _again(bench, device.serial)
    assert adb("shell", "reap").returncode == 127


def test_offline_phone_is_listed_as_such(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="offline", at="^getprop")
    adb("shell", "getprop")
    end = time.monotonic() + 60
    while _listed(adb, device) != "offline" and time.monotonic() < end:
        time.sleep(0.05)
    assert _listed(adb, device) == "offline"
    bench.send({"do": "unplug", "serial": device.serial})
    assert _listed(adb, device) == ""
    _again(bench, device.serial)
    assert adb.ok("shell", "echo 1") == b"1\n"


def test_offline_from_the_start(one_phone: OnePhone) -> None:
    _, device, adb = one_phone(faults=[{"kind": "offline"}])
    end = time.monotonic() + 60
    while _listed(adb, device) != "offline" and time.monotonic() < end:
        time.sleep(0.05)
    assert _listed(adb, device) == "offline"


def test_unauthorized_until_somebody_allows_it(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone(faults=[{"kind": "unauthorized"}])
    assert _listed(adb, device) == "unauthorized"
    assert b"unauthorized" in adb("shell", "echo 1").stderr
    bench.send({"do": "clear_faults", "serial": device.serial})
    bench.send({"do": "unplug", "serial": device.serial})
    _again(bench, device.serial)
    assert adb.ok("shell", "echo 1") == b"1\n"


def test_silent_phone_answers_nothing(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="silent")
    with pytest.raises(subprocess.TimeoutExpired):
        adb("shell", "echo 1", timeout=1)
    assert _listed(adb, device) == "device"
    bench.send({"do": "clear_faults", "serial": device.serial})
    assert adb.ok("shell", "echo 1") == b"1\n"


def test_silent_command(one_phone: OnePhone) -> None:
    _, _, adb = one_phone(faults=[{"kind": "silent", "at": "^getprop"}])
    with pytest.raises(subprocess.TimeoutExpired):
        adb("shell", "getprop", timeout=1)
    assert adb.ok("shell", "echo 1") == b"1\n"


@pytest.mark.parametrize("noise", list(faults.NOISE))
def test_noise_in_place_of_an_answer(one_phone: OnePhone, noise: str) -> None:
    _, device, adb = one_phone(faults=[{"kind": "noise", "at": "^getprop", "with": noise}])
    assert adb.ok("shell", "echo a; getprop; echo b") == b"a\n" + faults.NOISE[noise] + b"b\n"
    assert adb.ok("shell", "getprop ro.serialno").decode().strip() == device.serial


def test_slow_link(one_phone: OnePhone, tmp_path: Path) -> None:
    bench, device, adb = one_phone(faults=[{"kind": "slow_link", "rate": 1_000_000}])
    (tmp_path / "f").write_bytes(bytes(1_000_000))
    (tmp_path / "large").write_bytes(bytes(20_000_000))
    start = time.monotonic()
    adb.ok("push", tmp_path / "f", "/sdcard/f")
    assert 0.8 < time.monotonic() - start < 8
    bench.send({"do": "clear_faults", "serial": device.serial})
    start = time.monotonic()
    adb.ok("push", tmp_path / "large", "/sdcard/f")
    assert time.monotonic() - start < 16


def test_phones_on_one_bus_share_it(virtual_bench: Callable[..., Bench], adb_binary: str, tmp_path: Path) -> None:
    spec = {"bus": {"b": {"rate": 2_000_000}}, "devices": [{"preset": "pixel-13", "link": "b"}] * 2}
    bench = virtual_bench(spec)
    (tmp_path / "f").write_bytes(bytes(1_000_000))
    start = time.monotonic()
    running = [
        subprocess.Popen(
            [adb_binary, "-P", str(bench.port), "-s", device.address, "push", tmp_path / "f", "/sdcard/f"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for device in bench.devices
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    assert 0.8 < time.monotonic() - start < 8


def test_latency(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="latency", seconds=0.5)
    start = time.monotonic()
    adb.ok("shell", "true")
    assert time.monotonic() - start > 0.5


def test_full_storage(one_phone: OnePhone, tmp_path: Path) -> None:
    bench, device, adb = one_phone()
    _strike(bench, device, kind="storage_full")
    (tmp_path / "f").write_bytes(b"x" * 1000)
    done = adb("push", tmp_path / "f", "/sdcard/f")
    assert b"No space left on device" in done.stdout + done.stderr
    assert adb("shell", "echo x > /sdcard/g").returncode == 1
    assert adb.ok("shell", "df -k /data | tail -n 1").split()[3] == b"0"
    bench.send({"do": "clear_faults", "serial": device.serial})
    adb.ok("push", tmp_path / "f", "/sdcard/f")


def test_trace_tells_services_and_programs(one_phone: OnePhone) -> None:
    bench, device, adb = one_phone()
    bench.send({"do": "trace", "serial": device.serial})
    adb.ok("shell", "echo 'a b' | cat")
    assert bench.wait_for(lambda event: event["event"] == "service")["name"].startswith("shell,v2")
    assert bench.wait_for(lambda event: event.get("text") == "echo a b")
    assert bench.wait_for(lambda event: event.get("text") == "cat")
    assert bench.state(device.serial)["opened"] == {"shell": 1}


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"do": "unplug", "serial": "nobody"}, "0 devices"),
        ({"do": "dance", "serial": ""}, "do must be one of"),
        ({"do": "fault", "serial": "", "fault": {"kind": "unplug"}}, "give one of"),
    ],
)
def test_orders_that_cannot_be(one_phone: OnePhone, order: dict[str, Any], why: str) -> None:
    bench, device, _ = one_phone()
    answer = bench.send(order | {"serial": order["serial"] or device.serial})
    assert answer["event"] == "refused"
    assert why in answer["why"]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "explode"}, "is not one of unplug"),
        ({"kind": "unplug", "at": "x", "after_bytes": 1}, "give one of"),
        ({"kind": "unplug", "at": "("}, "no regular expression"),
        ({"kind": "unplug", "at": "x", "when": "during"}, "before or after"),
        ({"kind": "unplug", "after_bytes": -1}, "must be a number"),
        ({"kind": "unplug", "after_bytes": "many"}, "must be a number"),
        ({"kind": "noise", "at": "x"}, "with is missing"),
        ({"kind": "noise", "at": "x", "with": "music"}, "with must be one of"),
        ({"kind": "slow_link", "rate": 0}, "more than 0"),
        ({"kind": "storage_full", "size": 1}, "'size' is not one of nothing"),
    ],
)
def test_faults_that_cannot_be(fault: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        faults.parse(fault)


def test_pace_keeps_its_rate_without_spinning() -> None:
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    pace = Pace(1000.0, clock=lambda: now, sleep=sleep)
    for _ in range(100):
        pace.pay(100)
    assert now == pytest.approx(10.0, abs=0.05)
    assert len(slept) <= 100
    now += 100
    pace.pay(10)
    assert now == pytest.approx(110.0, abs=0.05), "an idle link saves up no more than a moment"
