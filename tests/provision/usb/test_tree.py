"""The parsers, and the tree of any sysfs and any list of devices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from provision.usb.limits import findings
from provision.usb.phones import mode_of
from provision.usb.sysfs import Sysfs, read
from provision.usb.tree import Kind, Listed, Node, UsbMap, build, parse_port, port_of
from tests.provision.usb.captures import case

paths = some.tuples(some.integers(1, 99), some.integers(1, 31)) | some.lists(
    some.integers(1, 31), min_size=2, max_size=8
)
ports = paths.map(lambda path: port_of(tuple(path)))
names = ports | some.integers(1, 9).map("usb{}".format) | ports.map("{}:1.0".format) | some.text(max_size=12)
values = some.sampled_from(["09", "480", "5000", "500mA", "e0", "-1", "", "9" * 40, "ff", " 2.10"]) | some.text(
    max_size=9
)
attributes = some.dictionaries(
    some.sampled_from(
        ["bDeviceClass", "bMaxPower", "bmAttributes", "devnum", "maxchild", "speed", "version", "serial", "idVendor",
         "idProduct", "product", "manufacturer", "bNumEndpoints", "bInterfaceClass", "interface"]
    ),
    values,
)  # fmt: skip
states = some.sampled_from(["device", "offline", "unauthorized", "no permissions"])
listed = some.builds(Listed, some.text(min_size=1, max_size=8), ports | some.text(max_size=12), states)


@given(paths)
def test_ports_are_read_as_they_are_written(path: list[int] | tuple[int, ...]) -> None:
    assert parse_port(port_of(tuple(path))) == tuple(path)


@given(some.text(max_size=20))
def test_any_text_is_a_port_or_none(text: str) -> None:
    path = parse_port(text)
    assert path is None or port_of(path) == text


@pytest.mark.parametrize(
    "text", ["", "usb1", "336592896X", "1-", "1-0", "01-2", "1-2.", "1-2.03", "1--2", "1-2:1.0", "１-2"]
)
def test_other_forms_are_no_ports(text: str) -> None:
    assert parse_port(text) is None


@settings(max_examples=150)
@given(some.dictionaries(names, attributes, max_size=12), some.lists(listed, max_size=6))
def test_every_device_has_one_place(devices: Mapping[str, Mapping[str, str]], in_adb: list[Listed]) -> None:
    usb = build(Sysfs(devices), in_adb)
    nodes = list(usb.walk())

    assert sorted([*(n.listed.address for n in nodes if n.listed), *(d.address for d in usb.elsewhere)]) == sorted(
        device.address for device in in_adb
    )
    assert len({node.path for node in nodes}) == len(nodes)
    assert {name for name in devices if parse_port(name)} <= {node.port for node in nodes}
    for node in nodes:
        assert all(child.path[:-1] == node.path for child in node.below)
        assert [child.path for child in node.below] == sorted(child.path for child in node.below)
    assert {finding.where for finding in findings(usb) if "-" in finding.where} <= {node.port for node in nodes}


def at(usb: UsbMap, port: str) -> Node:
    return next(node for node in usb.walk() if node.port == port)


def test_a_device_that_only_adb_knows_stands_in_its_place(tmp_path: Path) -> None:
    seven = case("seven-on-one-hub")
    gone = Listed("GONE", "1-4", "device")
    usb = build(read(seven.lay_out(tmp_path)), [*seven.devices(), gone])

    assert at(usb, "1-4").listed == gone
    assert not at(usb, "1-4").on_bus
    assert [finding.where for finding in findings(usb)] == ["1-4"]
    assert usb.controllers[0].id == "0000:00:14.0"


def test_two_devices_cannot_hang_on_one_port() -> None:
    first, second = Listed("A", "1-2", "device"), Listed("B", "1-2", "device")
    usb = build(Sysfs(), [first, second])

    assert at(usb, "1-2").listed == first
    assert usb.elsewhere == (second,)


def test_without_sysfs_there_are_still_ports() -> None:
    usb = build(read(Path("/nowhere")), [Listed("A", "3-1.4", "device")])

    assert [(node.port, node.kind) for node in usb.walk()] == [
        ("usb3", Kind.BUS),
        ("3-1", Kind.HUB),
        ("3-1.4", Kind.PHONE),
    ]
    assert findings(usb) == ()


def test_nothing_that_a_device_says_reaches_the_terminal_raw(tmp_path: Path) -> None:
    folder = tmp_path / "bus/usb/devices/1-1"
    folder.mkdir(parents=True)
    (folder / "product").write_bytes(b"\x1b[2Jphone\xff\x00" + b"x" * 100_000)
    (folder / "serial").mkdir()
    usb = build(read(tmp_path), [])

    assert at(usb, "1-1").name.isprintable()
    assert len(at(usb, "1-1").name) < 10_000


@pytest.mark.parametrize(
    ("ids", "product", "interfaces", "said"),
    [
        ("04e8:6860", "SAMSUNG_Android", ["06/01/01", "ff/42/01"], "USB debugging is on, but adb does not list it."),
        ("04e8:6860", "SAMSUNG_Android", ["06/01/01"], "It shows its files only; USB debugging is off."),
        ("ffff:0001", "Tablet", ["ff/42/03"], "It is in its bootloader (fastboot)."),
        ("2717:ff40", "Redmi", ["ff/ff/ff"], "USB debugging is off."),
        ("05ac:12a8", "iPad", ["06/01/01"], "The helper for iPhones and iPads does not see it."),
        ("05ac:024f", "Keyboard", ["03/01/01"], None),
        ("04e8:4001", "PSSD T7", ["08/06/62"], None),
        ("18d1:9480", "Titan Key", ["03/00/00"], None),
        ("0bda:8153", "LAN", ["ff/ff/00"], None),
        ("", "", [], None),
    ],
)
def test_what_a_phone_shows_of_itself(ids: str, product: str, interfaces: list[str], said: str | None) -> None:
    mode = mode_of(ids, product, interfaces)
    assert (mode.what if mode else None) == said
    assert mode is None or mode.next_action
