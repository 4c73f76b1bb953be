"""Android devices, iPhones and iPads on one bench, through the real commands."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_watch import Watching, reported, watching
from tests.benches import Bench, VirtualDevice
from tests.fleets import SAMPLE, Fleet

StartBench = Callable[[dict[str, Any]], Bench]
Row = dict[str, Any]

READER = "org.schoolbag.sample.reader"
CLONES = ("00008101-000000000000001A", "00008101-000000000000002B")


@dataclass
class Mixed:
    """A bench with its devices, and the program on it."""

    bench: Bench
    fleet: Fleet

    @property
    def devices(self) -> list[VirtualDevice]:
        return self.bench.devices

    def do(self, order: str, device: VirtualDevice, **more: Any) -> None:
        """Give the order until it can be done: what is to be tapped may not be on the screen yet."""
        end = time.monotonic() + 60
        while (said := self.bench.send({"do": order, "serial": device.serial, **more}))["event"] != "done":
            assert time.monotonic() < end, said
            time.sleep(0.2)

    def state(self, device: VirtualDevice) -> dict[str, Any]:
        return self.bench.state(device.serial)


@pytest.fixture
def mixed(virtual_bench: StartBench, adb_server: int, tmp_path: Path) -> Callable[..., Mixed]:
    """``mixed({"preset": "pixel-13"}, {"preset": "iphone-17"})``"""

    def start(*devices: dict[str, Any]) -> Mixed:
        bench = virtual_bench({"devices": list(devices)})
        env = {"HOME": str(tmp_path / "pairs"), "USBMUXD_SOCKET_ADDRESS": bench.usbmuxd}
        if "activation_server" in bench.events[0]:
            env["FLEET_ACTIVATION_SERVER"] = bench.events[0]["activation_server"]
        (tmp_path / "pairs").mkdir()
        return Mixed(bench, Fleet(tmp_path / "home", adb_server, env))

    return start


def trusting(preset: str, **more: Any) -> dict[str, Any]:
    """Its user taps Trust within a second."""
    return {"preset": preset, **more, "state": {"trust": 0.2, "reboot_seconds": 0.5, **more.get("state", {})}}


def event(name: str, device: VirtualDevice | None = None, **fields: Any) -> Callable[[Row], bool]:
    """Such an event of that device; each of ``fields`` a regular expression that its field fits."""

    def fits(row: Row) -> bool:
        if row["event"] != name or (device and row["address"] != device.address):
            return False
        return all(re.search(pattern, str(row.get(key, ""))) for key, pattern in fields.items())

    return fits


def rows(watch: Watching, wanted: Callable[[Row], bool]) -> list[Row]:
    return [row for row in watch.lines if wanted(row)]


def test_all_of_a_mixed_box_in_one_run(mixed: Callable[..., Mixed]) -> None:
    """An iPhone is erased, supervised and set up; an iPad that is still somebody's is not touched; Android as ever."""
    box = mixed(
        {"preset": "pixel-13"}, trusting("iphone-17"), trusting("iphone-findmy"), trusting("ipad-nosim", serial="IPAD1")
    )
    pixel, iphone, owned, ipad = box.devices
    assert box.fleet("supervision", "init", "--organisation", "Schoolbag tests").code == 0
    done = box.fleet.provision("--erase", "--tags", "M")
    verdicts = {row["serial"]: row["verdict"] for row in done.reports()}
    assert verdicts == {
        pixel.serial: "partial", iphone.serial: "partial", owned.serial: "failed", ipad.serial: "partial",
    }, done.err  # fmt: skip
    assert done.code == 1
    (refused,) = (row for row in done.reports() if row["serial"] == owned.serial)
    assert "Find My" in refused["error"]
    assert refused["steps"] == 0
    erased = {row["serial"] for row in box.bench.events if row["event"] == "erased"}
    assert erased == {iphone.serial, ipad.serial}
    for device in (iphone, ipad):
        assert READER in box.state(device)["apps"]
        assert done.items(device.serial)["supervision.supervised"]["result"] == "verified"
        assert done.items(device.serial)["configuration.profile"]["result"] == "verified"
    assert box.state(pixel)["packages"][READER]["version_code"] == 1

    tag = next(row["unit"] for row in done.reports() if row["serial"] == ipad.serial)
    again = box.fleet("provision", iphone.address, tag, "--erase", "--json", "--profile", SAMPLE)
    assert {row["serial"]: row["steps"] for row in again.reports()} == {iphone.serial: 0, ipad.serial: 0}
    assert box.fleet("status", "--json").lines[0]["units"] == 4
    assert box.fleet("ledger", "verify").code == 0


def test_an_intake_of_a_mixed_box_waits_for_trust(mixed: Callable[..., Mixed]) -> None:
    box = mixed({"preset": "pixel-13"}, trusting("iphone-17"), trusting("iphone-findmy"))
    done = box.fleet("intake", "--all", "--json")
    assert [row["verdict"] for row in done.lines[:-1]] == ["accept", "accept", "refuse"], done.out
    assert done.err.count("Trust") == 2
    for device in box.devices[1:]:
        assert not [row for row in box.bench.events if row["event"] == "erased" and row["serial"] == device.serial]


def test_watch_goes_on_when_somebody_taps(mixed: Callable[..., Mixed]) -> None:
    """Trust late, then the configuration by hand; usbmuxd killed and back; the Android device hears nothing of it."""
    box = mixed({"preset": "pixel-13"}, {"preset": "iphone-17"})
    pixel, iphone = box.devices
    with watching(box.fleet) as watch:
        watch.wait_for(event("waiting", iphone, next_action="Trust"))
        watch.wait_for(reported(pixel.serial, "partial"))
        box.do("trust", iphone)
        watch.wait_for(event("step", iphone, hands="Profile Downloaded"))
        (tap,) = rows(watch, event("step", iphone, hands="."))
        assert 0 < tap["seconds"] <= 480
        box.do("tap_install", iphone)
        watch.wait_for(reported(iphone.serial, "partial"))

        box.do("usbmuxd", iphone, on=False)
        watch.wait_for(event("server", platform="ios", what="usbmuxd"))
        watch.wait_for(event("gone", iphone))
        box.do("usbmuxd", iphone, on=True)
        watch.wait_for(event("server", platform="ios", what="^$"))
        watch.wait_for(reported(iphone.serial, "partial"), 2)
        code, err = watch.end()
    assert (code, "Traceback" in err) == (130, False)
    assert not rows(watch, event("gone", pixel))
    assert len(rows(watch, event("device", pixel))) == 1
    last = rows(watch, event("report", iphone))[-1]
    assert last["steps"] == 0


def test_a_run_that_erases_keeps_its_row(mixed: Callable[..., Mixed]) -> None:
    """It vanishes from usbmuxd and comes back with another number: no farewell, and no second run.

    One whose cable is pulled after that, and plugged in again at once, is served from the start. One that usbmuxd lists
    twice for a moment is one device.
    """
    cut = {"kind": "unplug", "at_service": 1, "service": "com.apple.afc", "replug_after": 0.05}
    lingers = trusting("iphone-17", state={"lingers": 1.2})
    box = mixed(trusting("iphone-17"), trusting("ipad-nosim", faults=[cut]), lingers)
    iphone, ipad, twice = box.devices
    assert box.fleet("supervision", "init", "--organisation", "Schoolbag tests").code == 0
    with watching(box.fleet, "--erase") as watch:
        watch.wait_for(reported(ipad.serial, "failed"))
        for device in box.devices:
            watch.wait_for(reported(device.serial, "partial"))
        box.do("unplug", iphone)
        watch.wait_for(event("gone", iphone))
        watch.end()
    assert len(numbers(box, iphone)) == 2
    assert len(rows(watch, event("device", iphone))) == 1
    assert len(rows(watch, event("gone", iphone))) == 1
    assert len(numbers(box, twice)) == 2
    assert len(rows(watch, event("device", twice))) == 1
    assert not rows(watch, event("waiting", twice, what="2 devices"))
    assert len(numbers(box, ipad)) == 3
    assert len(rows(watch, event("device", ipad))) == 2
    assert sum(row["event"] == "erased" for row in box.bench.events) == 3


def test_pulled_before_it_is_erased_and_plugged_in_again(mixed: Callable[..., Mixed]) -> None:
    """Whoever pulls the cable stops it, and it is looked at anew: Find My was turned on meanwhile."""
    box = mixed(trusting("iphone-17"))
    (iphone,) = box.devices
    assert box.fleet("supervision", "init", "--organisation", "Schoolbag tests").code == 0
    box.bench.send({"do": "activation_server", "delay": 2})
    with watching(box.fleet, "--erase") as watch:
        watch.wait_for(event("step", iphone, item="supervision.erased"))
        box.do("unplug", iphone)
        box.do("sign_in", iphone)
        box.do("plug", iphone)
        watch.wait_for(event("waiting", iphone, what="Find My"))
        code, err = watch.end()
    assert (code, "Traceback" in err) == (130, False)
    assert box.state(iphone)["erased"] == 0


def numbers(box: Mixed, device: VirtualDevice) -> set[int]:
    """What usbmuxd called it, one number per attachment."""
    return {row["number"] for row in box.bench.events if row["event"] == "plugged" and row["serial"] == device.serial}


def test_pulled_inside_an_upload_and_run_again(mixed: Callable[..., Mixed]) -> None:
    """What lost its cable is told, the other comes out whole, and the next run sends what is missing once."""
    fault = {"kind": "unplug", "after_bytes": 2000, "service": "com.apple.afc"}
    box = mixed({"preset": "pixel-13"}, trusting("iphone-17", faults=[fault]))
    pixel, iphone = box.devices
    first = box.fleet.provision()
    assert {row["serial"]: (row["verdict"], row["lost"]) for row in first.reports()} == {
        pixel.serial: ("partial", False), iphone.serial: ("failed", True),
    }  # fmt: skip
    box.do("clear_faults", iphone)
    box.do("plug", iphone)
    with tapping(box, iphone) as lines:
        assert lines[-1]["event"] == "summary"
    assert lines[-1]["failed"] == 0
    state = box.state(iphone)
    assert READER in state["apps"]
    assert box.fleet("ledger", "verify").code == 0


@contextmanager
def tapping(box: Mixed, iphone: VirtualDevice) -> Iterator[list[Row]]:
    """``fleet provision --all`` to its end, with somebody who installs the configuration when told to."""
    running = Watching(box.fleet.start("provision", "--all", "--json", "--profile", SAMPLE), box.fleet.home)
    try:
        running.wait_for(event("step", iphone, hands="."))
        box.do("tap_install", iphone)
        running.wait_for(lambda row: row["event"] == "summary")
        yield running.lines
    finally:
        running.close()


def test_two_of_one_serial_number_are_both_left_alone(mixed: Callable[..., Mixed]) -> None:
    """Who they are is known when they were trusted, and both are told of."""
    box = mixed(
        {"preset": "pixel-13"}, *[trusting("iphone-17", serial="CLONE1", state={"udid": udid}) for udid in CLONES]
    )
    done = box.fleet.provision()
    assert (done.code, done.summary["failed"], done.summary["partial"]) == (1, 2, 1)
    told = [row["error"] for row in done.reports() if row["verdict"] == "failed"]
    assert any("2 devices say they are CLONE1" in error for error in told), told


def test_two_of_one_serial_number_are_no_unit_at_an_intake(mixed: Callable[..., Mixed]) -> None:
    """Neither is taken for the other after its reset."""
    box = mixed(*[trusting("iphone-17", serial="CLONE1", state={"udid": udid}) for udid in CLONES])
    done = box.fleet("intake", "--all", "--json")
    assert (done.code, done.lines[-1]["accept"], done.lines[-1]["failed"]) == (1, 0, 2), done.out
    assert all("2 devices say they are CLONE1" in row["error"] for row in done.lines[:-1])
