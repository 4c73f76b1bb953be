"""Which limits of the computer's USB are near or hit; the numbers and their sources are in limits.yaml (facts §7.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from provision.usb.tree import Controller, Kind, Node, UsbMap

_HIGH_SPEED = 480
_SUPER_SPEED = 5000
_CAN_USB_3 = "2.10"
"""What a phone that can do USB 3 says while it is on a USB 2 link (Linux, drivers/usb/gadget/composite.c)."""


class Level(StrEnum):
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """``where`` is a port ("1-2.3"), "bus 1" or "controller 0000:00:14.0"."""

    where: str
    level: Level
    what: str
    next_action: str


@dataclass(frozen=True)
class Count:
    """So much of a limit is used; ``most`` is None where the limit is not known."""

    used: int
    most: int | None


def findings(usb: UsbMap) -> tuple[Finding, ...]:
    """All that is near a limit, over it, or slower than it could be, in the order of the map."""
    found: list[Finding] = [_not_on_bus(phone) for phone in usb.phones if not phone.on_bus and _is_seen(usb)]
    for controller in usb.controllers:
        found += _of_controller(controller)
        for bus in controller.buses:
            found += _addresses(bus)
            for node in bus.walk():
                found += _of_node(node)
    return tuple(found)


def endpoints(controller: Controller) -> Count:
    """Endpoints in use on a controller, root hubs not counted."""
    return Count(sum(node.endpoints for node in _plugged(controller)), _most("endpoints", controller))


def devices(controller: Controller) -> Count:
    """Devices on a controller, hubs counted, root hubs not."""
    return Count(sum(1 for _ in _plugged(controller)), _most("devices", controller))


def rate(bus: Node) -> int:
    """MB/s that all devices of a bus share; 0 where it is not known."""
    found: int = _limits()["rates"].get(int(bus.speed), 0)
    return found


def explain_log(lines: Iterable[str]) -> tuple[Finding, ...]:
    """What lines of the kernel's log say of USB limits, once per place and reason, the last ones last."""
    found: dict[tuple[str, str], Finding] = {}
    for line in lines:
        finding = _explained(line)
        if finding:
            found.pop((finding.where, finding.what), None)
            found[finding.where, finding.what] = finding
    return tuple(found.values())


def _is_seen(usb: UsbMap) -> bool:
    return any(node.on_bus for node in usb.walk())


def _not_on_bus(phone: Node) -> Finding:
    what = f"{phone.door} lists it, but it is not on this computer's bus (any more)."
    return Finding(phone.port, Level.NOTE, what, "Run again; if it stays so, unplug it and plug it in again.")


def _explained(line: str) -> Finding | None:
    for pattern, row in _log_rows():
        match = pattern.search(line[:1000])
        if match:
            words = match.groupdict()
            where = words.pop("where")
            return Finding(where, Level(row["level"]), row["what"].format(**words), row["next"])
    return None


def _plugged(controller: Controller) -> Iterator[Node]:
    return (node for node in controller.walk() if node.kind is not Kind.BUS and node.on_bus)


def _of_controller(controller: Controller) -> Iterator[Finding]:
    where = f"controller {controller.id}"
    move = "Plug further phones into ports of another controller, or add a USB card."
    for count, things in ((endpoints(controller), "endpoints"), (devices(controller), "devices (hubs included)")):
        if count.most and count.used >= count.most:
            yield Finding(where, Level.BAD, f"All of its {count.most} {things} are in use.", move)
        elif _is_near(count):
            yield Finding(where, Level.WARN, f"{count.used} of its {count.most} {things} are in use.", move)


def _addresses(bus: Node) -> Iterator[Finding]:
    count = Count(sum(1 for node in bus.walk() if node.on_bus), _limits()["addresses"])
    if _is_near(count):
        yield Finding(
            f"bus {bus.bus}",
            Level.BAD if count.used >= (count.most or 0) else Level.WARN,
            f"{count.used} of its {count.most} addresses are in use.",
            "Plug further phones into ports of another controller.",
        )


def _is_near(count: Count) -> bool:
    return count.most is not None and count.used >= count.most * float(_limits()["near"])


def _of_node(node: Node) -> Iterator[Finding]:
    if node.is_hub and node.kind is Kind.HUB:
        yield from _depth(node)
        yield from _power(node)
    if node.kind is Kind.PHONE:
        yield from _of_phone(node)


def _depth(hub: Node) -> Iterator[Finding]:
    row, most = hub.hubs_above + 1, _limits()["hubs"]
    closer = "Plug the hub in closer to the computer."
    if row > most:
        what = f"This hub is number {row} in a row and USB allows {most}: nothing on it is seen."
        yield Finding(hub.port, Level.BAD, what, closer)
    elif row == most and not any(node.is_hub for node in hub.below):
        what = f"This hub is number {row} in a row, the last that USB allows: a hub on it would not be seen."
        yield Finding(hub.port, Level.NOTE, what, closer)


def _power(hub: Node) -> Iterator[Finding]:
    if hub.self_powered is not False:
        return
    budget = _limits()["power"]["usb3" if hub.speed >= _SUPER_SPEED else "usb2"]
    wanted = hub.power + sum(node.power for node in hub.below)
    if hub.below and wanted > budget:
        yield Finding(
            hub.port,
            Level.WARN,
            f"This hub has no power of its own: it gets {budget} mA, and what hangs on it asks for {wanted} mA.",
            "Use a hub with its own power supply, or check that the supply is plugged in.",
        )


def _of_phone(phone: Node) -> Iterator[Finding]:
    if phone.listed is not None and phone.listed.problem:
        yield Finding(phone.port, Level.WARN, phone.listed.problem, phone.listed.next_action)
    elif phone.listed is None and phone.mode is not None:
        what = f"{phone.name or phone.ids} is on the bus, not in {phone.door}. {phone.mode.what}"
        yield Finding(phone.port, Level.WARN, what, phone.mode.next_action)
    if 0 < phone.speed < _HIGH_SPEED:
        what = f"It is linked at {phone.speed:g} Mbit/s, far less than any phone can."
        yield Finding(phone.port, Level.WARN, what, "Try another cable, then another port.")
    elif phone.speed == _HIGH_SPEED and phone.version == _CAN_USB_3:
        yield Finding(
            phone.port,
            Level.NOTE,
            "It says that it can do USB 3, and is linked at USB 2 speed (480 Mbit/s).",
            "For three times the speed, use a USB 3 cable on a USB 3 port.",
        )


def _most(kind: str, controller: Controller) -> int | None:
    if not controller.driver.startswith("xhci"):
        return None
    return next((row["most"] for row in _limits()[kind] if row["maker"] == controller.maker), None)


@cache
def _limits() -> Mapping[str, Any]:
    limits: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("limits.yaml").read_text(encoding="utf-8"))
    return limits


@cache
def _log_rows() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    return tuple((re.compile(row["text"]), row) for row in _limits()["kernel_log"])
