"""``fleet devices``: the tree on the real command, and links that are listed but dead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleet.device_commands import devices
from fleet.home import Options
from provision.android import device
from provision.android.door import AdbDoor
from provision.bench import attach_all
from tests.benches import Bench
from tests.fleets import Fleet
from tests.provision.adb.scripted import Handler, ScriptedServer, Talk, packet, phone
from tests.provision.usb.captures import Capture, case

DEAD = b"R58M12ABCDE            device usb:1-2.3 product:a51 model:SM_A515F device:a51 transport_id:7\n"


def unauthorized(captured: Capture) -> bytes:
    """Nothing that is listed so is asked anything."""
    return captured.adb.replace(" device usb:", " unauthorized usb:").encode()


def run(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> Result:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.server().port))
    done = CliRunner().invoke(devices, [str(word) for word in words], obj=Options(home=Path("/nowhere")))
    assert done.exception is None
    return done


def silent(talk: Talk) -> None:
    talk.read_to_end()


def silent_later(talk: Talk) -> None:
    """The service opens, and its answer begins."""
    talk.request()
    talk.okay()
    talk.say(packet(1, b"[ro.serial"))
    talk.read_to_end()


def test_the_tree_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = case("seven-on-one-hub")
    captured.lay_out(tmp_path)
    with ScriptedServer(phone(silent, listing=unauthorized(captured))) as server:
        done = run(server, monkeypatch, "--tree", "--sysfs", tmp_path)

    for number in range(1, 8):
        assert f"1-1.{number}  VIRT000000{number}  unauthorized  480 Mbit/s" in done.output
    assert "1-1  hub GenesysLogic USB2.0 Hub, 7 ports, 0 free, own power" in done.output


def test_the_tree_as_json_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = case("seven-on-one-hub")
    captured.lay_out(tmp_path)
    with ScriptedServer(phone(silent, listing=unauthorized(captured))) as server:
        lines = [
            json.loads(line)
            for line in run(server, monkeypatch, "--tree", "--json", "--sysfs", tmp_path).output.splitlines()
        ]

    assert {line["v"] for line in lines} == {1}
    assert lines[0] == {
        "v": 1, "event": "controller", "controller": "0000:00:14.0", "driver": "xhci-hcd", "maker": "8086",
        "buses": [1, 2], "endpoints": 44, "endpoints_most": 96, "devices": 8, "devices_most": None,
    }  # fmt: skip
    third = next(line for line in lines if line.get("port") == "1-1.3")
    assert (third["kind"], third["parent"], third["in_adb"], third["serial"]) == ("phone", "1-1", True, "")
    assert (third["address"], third["state"], third["ids"]) == ("VIRT0000003", "unauthorized", "22d9:2769")
    findings = [line for line in lines if line["event"] == "finding"]
    assert [line["where"] for line in findings] == [f"1-1.{number}" for number in range(1, 8)]
    assert all(line["level"] == "warn" and line["what"] and line["next_action"] for line in findings)


def test_a_server_elsewhere_has_its_phones_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ports are told, and are not mixed with this computer's."""
    monkeypatch.setattr("provision.android.server.is_here", lambda server: False)
    monkeypatch.setattr("provision.usb.sysfs.read", lambda root: pytest.fail("this computer's USB was read"))
    with ScriptedServer(phone(silent, listing=DEAD.replace(b" device usb", b" offline usb"))) as server:
        assert "1-2.3  R58M12ABCDE  offline" in run(server, monkeypatch, "--tree").output


@pytest.mark.parametrize("service", [silent, silent_later])
def test_a_dead_link_names_its_port(service: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_IDENTIFY_SECONDS", 0.5)
    with ScriptedServer(phone(service, listing=DEAD)) as server:
        (place,) = attach_all([AdbDoor(lambda: server.server(timeout=0.5))]).attached

    assert place.device is None
    assert place.problem is not None
    assert place.problem.what == "R58M12ABCDE (USB 1-2.3) is listed, but does not answer."
    assert place.problem.next_action.startswith("Unplug it at port 1-2.3 and plug it in again")


@pytest.mark.slow
def test_dead_phones_are_told_in_ten_seconds_and_hold_up_no_other(
    fleet: Fleet, virtual_bench: Callable[..., Bench]
) -> None:
    virtual_bench(
        {
            "devices": [
                {"preset": "pixel-13", "serial": "ALIVE"},
                {"preset": "pixel-13", "serial": "DEAD1", "faults": [{"kind": "silent"}]},
                {"preset": "pixel-13", "serial": "DEAD2", "faults": [{"kind": "silent", "at": "getprop"}]},
            ]
        }
    )
    began = time.monotonic()
    lines = fleet("devices", "--json").lines
    seconds = time.monotonic() - began

    assert sorted(line["serial"] for line in lines) == ["", "", "ALIVE"]
    assert sum("is listed, but does not answer" in line["problem"] for line in lines) == 2
    assert seconds < 19, "one after the other they would take twenty"
