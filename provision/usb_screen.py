"""The map of USB for a technician: a tree in 80 columns, also without colour; then what to do, port by port."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from provision.text import printable
from provision.usb import limits
from provision.usb.limits import Level
from provision.usb.tree import Controller, Kind, Listed, Node, UsbMap, parse_port

_STYLES = {Level.NOTE: "cyan", Level.WARN: "yellow", Level.BAD: "bold red"}


def tree(usb: UsbMap) -> RenderableType:
    """All controllers with what hangs on them; findings below, each with its port and its next action."""
    parts: list[RenderableType] = [_controller(controller) for controller in usb.controllers]
    if usb.elsewhere:
        branch = Tree(Text("Not on this computer's USB, or nothing says where"))
        for device in usb.elsewhere:
            branch.add(_line(device.address, *_in_door(device)))
        parts.append(branch)
    if not parts:
        parts.append(Text("No USB is seen on this computer, and no device is listed."))
    return Group(*parts, _findings(usb))


def _controller(controller: Controller) -> Tree:
    words = [f"Controller {controller.id}".rstrip() if controller.id else "Controller not known", controller.driver]
    top = Tree(Text(", ".join(filter(None, [*map(printable, words), *_counts(controller)])), "bold"))
    for bus in controller.buses:
        _add(top, bus)
    return top


def _counts(controller: Controller) -> Iterator[str]:
    for count, things in ((limits.devices(controller), "devices"), (limits.endpoints(controller), "endpoints")):
        if count.used:
            yield f"{count.used} of {count.most} {things}" if count.most else f"{count.used} {things}"


def _add(above: Tree, node: Node) -> None:
    branch = above.add(_node(node))
    for below in node.below:
        _add(branch, below)


def _node(node: Node) -> Text:
    match node.kind:
        case Kind.BUS:
            return _line(f"bus {node.bus}", (_bus(node), ""))
        case Kind.HUB:
            return _line(node.port, (_hub(node), ""))
        case Kind.DEVICE:
            return _line(node.port, (f"{node.name or node.ids}, {_speed(node)}", "dim"))
    if node.listed:
        return _line(node.port, *_in_door(node.listed), (_speed(node), ""))
    missing = f"on the bus, not in {node.door}"
    return _line(node.port, (node.name or node.ids, ""), (missing, "yellow"), (_speed(node), ""))


def _line(place: str, *words: tuple[str, str]) -> Text:
    """``place``, then ``words`` (text and style), with nothing in them that a terminal would act on."""
    line = Text(printable(place), "bold")
    for text, style in words:
        if text and text != place:
            line.append("  ")
            line.append(printable(text), f"not bold {style}".strip())
    return line


def _bus(bus: Node) -> str:
    phones = sum(node.kind is Kind.PHONE for node in bus.walk())
    rate = limits.rate(bus)
    share = f", about {rate} MB/s shared by {phones} phones" if rate and phones > 1 else ""
    return f"{_speed(bus)}{share}"


def _hub(hub: Node) -> str:
    power = {True: "own power", False: "no power of its own", None: ""}[hub.self_powered]
    free = f"{hub.ports} ports, {max(hub.ports - len(hub.below), 0)} free" if hub.ports else ""
    return ", ".join(filter(None, (f"hub {hub.name}".rstrip(), free, power)))


def _speed(node: Node) -> str:
    return f"{node.speed:g} Mbit/s" if node.speed else ""


def _in_door(device: Listed) -> tuple[tuple[str, str], ...]:
    """Who it is and how it stands, in short; the state "device" says of one that does not answer that it is well."""
    state = "not ready" if device.problem and device.state == "device" else device.state.partition(" (")[0]
    ready = ("ready", "green") if device.serial and not device.problem else (state, "yellow")
    who = device.serial or (device.address if parse_port(device.port) else "")
    return (device.name, ""), (who, ""), ready


def _findings(usb: UsbMap) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=4)
    table.add_column(overflow="fold")
    for finding in limits.findings(usb):
        text = Text(printable(f"{finding.where}: {finding.what} {finding.next_action}".rstrip()))
        table.add_row(Text(finding.level, _STYLES[finding.level]), text)
    for device in usb.elsewhere:
        if device.problem:
            text = Text(printable(f"{device.address}: {device.problem} {device.next_action}".rstrip()))
            table.add_row(Text(Level.WARN, _STYLES[Level.WARN]), text)
    return table
