"""Limits that the captures do not reach, and the kernel's own words for those that are hit."""

from __future__ import annotations

import pytest

from provision.usb.limits import Level, explain_log, findings
from provision.usb.sysfs import Sysfs
from provision.usb.tree import build

ROOT = {"bDeviceClass": "09", "manufacturer": "Linux 6.1.0 xhci-hcd", "serial": "0000:00:14.0", "speed": "480"}
HUB = {"bDeviceClass": "09", "speed": "480", "bmAttributes": "e0", "maxchild": "7"}


def told(devices: dict[str, dict[str, str]], maker: str = "8086") -> list[tuple[str, Level]]:
    usb = build(Sysfs({"usb1": ROOT, **devices}, {"0000:00:14.0": maker}), [])
    return [(finding.where, finding.level) for finding in findings(usb)]


def many(count: int) -> dict[str, dict[str, str]]:
    hubs = {f"1-{hub}": HUB for hub in range(1, 1 + (count - 1) // 31 + 1)}
    rest = count - len(hubs)
    return hubs | {f"1-{1 + n // 30}.{1 + n % 30}": {"speed": "480"} for n in range(rest)}


@pytest.mark.parametrize(("count", "level"), [(100, None), (107, Level.WARN), (126, Level.BAD)])
def test_addresses_of_a_bus(count: int, level: Level | None) -> None:
    assert told(many(count), maker="") == ([("bus 1", level)] if level else [])


@pytest.mark.parametrize(("count", "level"), [(27, None), (28, Level.WARN), (32, Level.BAD)])
def test_devices_of_a_controller_that_takes_32(count: int, level: Level | None) -> None:
    assert told(many(count), maker="1b73") == ([("controller 0000:00:14.0", level)] if level else [])


@pytest.mark.parametrize(("count", "level"), [(80, None), (82, Level.WARN), (96, Level.BAD)])
def test_endpoints_of_intel(count: int, level: Level | None) -> None:
    assert told(many(count)) == ([("controller 0000:00:14.0", level)] if level else [])


def test_a_limit_that_is_not_known_is_not_made_up() -> None:
    assert told(many(60), maker="1106") == []


def test_the_fifth_hub_is_the_last() -> None:
    chain = {"1-1" + ".1" * n: HUB for n in range(5)}
    assert told(chain) == [("1-1.1.1.1.1", Level.NOTE)]


@pytest.mark.parametrize(
    ("line", "where", "level"),
    [
        ("xhci-pci-renesas 0000:01:00.0: Max number of devices this xHCI host supports is 32.", "0000:01:00.0", "bad"),
        ("usb 3-2.4-port1: couldn't allocate usb_device", "3-2.4-port1", "bad"),
        ("usb 2-1.1: Not enough host controller resources for new device state.", "2-1.1", "bad"),
        ("usb 2-1.1: Not enough bandwidth for new device state.", "2-1.1", "bad"),
        ("usb 1-1.3: rejected 1 configuration due to insufficient available bus power", "1-1.3", "bad"),
        ("usb 1-1-port4: over-current condition", "1-1-port4", "bad"),
        ("hub 1-0:1.0: over-current condition on port 2", "1-0", "bad"),
        ("usb usb1-port3: Cannot enable. Maybe the USB cable is bad?", "usb1-port3", "warn"),
        ("usb 1-1-port2: unable to enumerate USB device", "1-1-port2", "warn"),
        ("usb 5-1.4.2.3: device descriptor read/all, error -71", "5-1.4.2.3", "warn"),
        ("xhci_hcd 0000:02:00.0: HC died; cleaning up", "0000:02:00.0", "bad"),
    ],
)
def test_what_the_kernel_says(line: str, where: str, level: str) -> None:
    (found,) = explain_log([f"[ 9.648248] {line}", "[ 9.7] usb 1-1: new high-speed USB device number 2"] * 3)
    assert (found.where, found.level) == (where, level)
    assert "{" not in found.what
    assert found.next_action


def test_other_lines_mean_nothing() -> None:
    assert explain_log(["", "usb 1-1: Product: over-current-free {x}", "x" * 100_000]) == ()
