"""The agent on a virtual phone, against a server of the test's own, by the real adb: enrolment and first sync."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench, VirtualDevice
from tests.virtual import agents, mdm
from tests.virtual.conftest import Adb, OnePhone

pytestmark = pytest.mark.skipif(not agents.BUILDABLE, reason="needs Debian's aapt2 and apksigner")

NUMBER = "sb-7f3a 9c/é"
SCREEN = "com.hmdm.launcher/.ui.MainActivity"
FOLDER = "/sdcard/Android/data/com.hmdm.launcher/files"
FAST: dict[str, Any] = {"agent": {"speed": 300}}


@pytest.fixture(scope="module")
def apk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agents.build(tmp_path_factory.mktemp("agent"))


@pytest.fixture
def server() -> Iterator[mdm.Mdm]:
    with mdm.serving() as found:
        yield found


def enrol(adb: Adb, apk: Path, port: int, *, owner: bool = True) -> None:
    """As the bench does: install, make it the owner, start it once, bring its enrolment, start it again."""
    adb.ok("install", "-r", apk)
    if owner:
        assert adb.ok("shell", "dpm set-device-owner com.hmdm.launcher/.AdminReceiver").startswith(b"Success")
    adb.ok("reverse", "tcp:8080", f"tcp:{port}")
    adb.ok("shell", f"am start -n {SCREEN}")
    adb.ok("shell", "am force-stop com.hmdm.launcher")
    told = {"com.hmdm.DEVICE_ID": NUMBER, "com.hmdm.BASE_URL": "http://localhost:8080"}
    adb.ok("shell", f"cat > {FOLDER}/init.json", stdin=json.dumps(told).encode())
    adb.ok("shell", f"am start -n {SCREEN}")


def until(bench: Bench, device: VirtualDevice, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The phone's state as soon as that holds of it."""
    end = time.monotonic() + mdm.PATIENCE
    while not holds(state := bench.state(device.serial)):
        assert time.monotonic() < end, state["agent"]
        time.sleep(0.05)
    return state


def test_first_sync_through_the_cable(one_phone: OnePhone, server: mdm.Mdm, apk: Path) -> None:
    bench, device, adb = one_phone(state=FAST)
    server.config = {
        "restrictions": "no_sms,no_install_apps, no_factory_reset,no_such_key",
        "timeZone": "Asia/Shanghai",
    }
    enrol(adb, apk, server.port)
    state = until(bench, device, lambda state: state["agent"]["reports"])
    first = server.asked[0]
    assert (first.method, first.path) == ("POST", "/rest/public/sync/configuration/sb-7f3a%209c%2F%C3%A9")
    assert first.body == {"customer": None, "configuration": None, "groups": None}
    assert first.headers["X-Request-Signature"] == server.signature(NUMBER)
    assert first.headers["X-CPU-Arch"] == "arm64-v8a"
    assert "/rest/plugins/devicelog/log/rules/" in server.asked[1].path
    info = server.wait_for("sync/info").body
    assert info["deviceId"] == NUMBER
    assert info["mdmMode"] is True
    assert info["permissions"] == [1, 0, 0, 0]
    assert info["iccid"] == state["sims"][0]["iccid"]
    assert info["batteryLevel"] == state["battery"]["level"]
    assert "X-Request-Signature" not in server.wait_for("sync/info").headers
    assert state["policy_restrictions"] == ["no_factory_reset", "no_install_apps", "no_sms"]
    assert state["agent"]["updates"] == ["complete"]
    assert state["time_zone"] == "Asia/Shanghai"
    shown = adb.ok("shell", "dumpsys user").decode()
    assert "    Effective restrictions:\n      no_add_clone_profile\n" in shown
    assert "      no_install_apps\n" in shown
    refused = adb("install", "-r", apk)
    assert b"java.lang.SecurityException: User restriction prevents installing" in refused.stderr + refused.stdout
