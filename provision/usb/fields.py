"""The map of USB as JSON lines (docs/json.md, ``fleet devices --tree``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from provision.usb import limits
from provision.usb.limits import Finding
from provision.usb.tree import Controller, Listed, Node, UsbMap, port_of

Line = tuple[str, Mapping[str, object]]


def lines(usb: UsbMap) -> Iterator[Line]:
    """``controller``, then its ``usb`` lines, parents first; ``device`` for what is elsewhere; then ``finding``."""
    for controller in usb.controllers:
        yield "controller", _controller(controller)
        for node in controller.walk():
            yield "usb", _node(node, controller)
    for device in usb.elsewhere:
        yield "device", asdict(device)
    yield from _findings(limits.findings(usb))


def _controller(controller: Controller) -> Mapping[str, object]:
    endpoints, devices = limits.endpoints(controller), limits.devices(controller)
    return {
        "controller": controller.id,
        "driver": controller.driver,
        "maker": controller.maker,
        "buses": [bus.bus for bus in controller.buses],
        "endpoints": endpoints.used,
        "endpoints_most": endpoints.most,
        "devices": devices.used,
        "devices_most": devices.most,
    }


def _node(node: Node, controller: Controller) -> Mapping[str, object]:
    return {
        "port": node.port,
        "parent": port_of(node.path[:-1]) if len(node.path) > 1 else None,
        "controller": controller.id,
        "bus": node.bus,
        "kind": node.kind,
        "on_bus": node.on_bus,
        "name": node.name,
        "ids": node.ids,
        "speed": node.speed,
        "usb_version": node.version,
        "ports": node.ports,
        "power": node.power,
        "self_powered": node.self_powered,
        "endpoints": node.endpoints,
        **_listed(node.listed),
    }


def _listed(device: Listed | None) -> Mapping[str, object]:
    if device is None:
        return {"in_adb": False, "door": "", "address": "", "state": "", "serial": ""}
    return {
        "in_adb": device.door == "adb",
        "door": device.door,
        "address": device.address,
        "state": device.state,
        "serial": device.serial,
    }


def _findings(found: Iterable[Finding]) -> Iterator[Line]:
    for finding in found:
        yield "finding", asdict(finding)
