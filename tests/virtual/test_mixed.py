"""Android devices, iPhones and iPads of one bench, in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from provision.virtual import spec
from tests.benches import ROOT, Bench
from tests.virtual.conftest import Adb
from tests.virtual.ios.wire import Mux


def test_both_kinds_in_one_process(virtual_bench: Callable[[Any], Bench], adb_binary: str) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}, {"preset": "iphone-17"}, {"preset": "ipad-nosim"}]})
    android, phone, tablet = bench.devices
    assert [device.preset for device in bench.devices] == ["pixel-13", "iphone-17", "ipad-nosim"]
    assert (
        Adb(adb_binary, bench.port, android.address).ok("shell", "getprop ro.serialno").strip().decode()
        == android.serial
    )
    with Mux(bench.usbmuxd) as mux:
        assert set(mux.devices()) == {phone.address, tablet.address}
    assert bench.state(android.serial)["plugged"]
    assert bench.state(phone.serial)["values"][""]["SerialNumber"] == phone.serial
    for serial, order, answer in (
        (android.serial, "trust", "refused"),
        (phone.serial, "trust", "refused"),
        (phone.serial, "lock", "done"),
        (phone.serial, "dance", "refused"),
        ("unheard-of", "state", "refused"),
    ):
        assert bench.send({"do": order, "serial": serial})["event"] == answer
    assert bench.state(phone.address)["locked"]
    assert bench.send({"do": "activation_server", "on": False})["event"] == "done", "it is no device's"
    assert bench.send({"do": "plug"})["why"] == "the order has no 'serial'"


def test_iphones_need_no_adb_server() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "provision.virtual.bench", "--iphones", "3", "--until-eof"],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    ready = json.loads(done.stdout.splitlines()[0])
    assert (done.returncode, done.stderr) == (0, "")
    assert ready["usbmuxd"].startswith("127.0.0.1:")
    assert "adb_port" not in ready
    assert len(ready["devices"]) == 3


def test_mixed_by_number() -> None:
    parsed = spec.parse(spec.spec_for(2, 3))
    assert (len(parsed.androids), len(parsed.iphones)) == (2, 3)
    assert len({device.common.preset for device in parsed.iphones}) == 3
    assert all(device.common.overrides["trust"] != "ask" for device in parsed.iphones)


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ({"preset": "iphone-17", "capacity": 5}, "'capacity' is not one of"),
        ({"preset": "iphone-17", "state": {"trust": "maybe"}}, "trust must be ask, deny or seconds"),
        ({"preset": "iphone-17", "state": {"installs": True}}, "installs must be ask or seconds"),
        ({"preset": "iphone-17", "faults": [{"kind": "noise"}]}, r"devices\[0\]: fault kind 'noise' is not one of"),
        ({"preset": "iphone-17", "faults": [{"kind": "unplug"}]}, "give one of after_bytes, at_service"),
        ({"preset": "iphone-17", "link": "hub"}, "link 'hub' is not one of the buses"),
        ({"preset": "iphone-3"}, "'iphone-3' is not one of"),
    ],
)
def test_iphones_that_cannot_be(device: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        spec.parse({"devices": [device]})
