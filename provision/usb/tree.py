"""The tree of controllers, buses, hubs and ports, with the devices that adb and usbmuxd list in their places.

:func:`build` is a pure function of what sysfs and these two say. Where one side is silent the tree is made of the
other: without sysfs the hubs have no names, and what is not known to hang on USB stands in ``elsewhere``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provision.usb.phones import Mode, maker, mode_of
from provision.usb.sysfs import Attributes, Sysfs

Place = tuple[int, ...]
"""The bus, then the port on each hub on the way: (1, 2, 3) is "1-2.3", (1,) the root hub of bus 1."""

_PORT = re.compile(r"([1-9]\d{0,3})-([1-9]\d{0,3}(?:\.[1-9]\d{0,3}){0,15})")
_ROOT = re.compile(r"usb([1-9]\d{0,3})")
_INTERFACE = re.compile(r"(\d+)-(0|[\d.]+):\d+\.\d+")
_SELF_POWERED = 0x40
_HUB = "09"


class Kind(StrEnum):
    BUS = "bus"
    HUB = "hub"
    PHONE = "phone"
    DEVICE = "device"


@dataclass(frozen=True)
class Listed:
    """A device as ``door`` (adb or usbmuxd) lists it. ``problem`` says why it cannot be worked on."""

    address: str
    port: str
    state: str
    serial: str = ""
    name: str = ""
    problem: str = ""
    next_action: str = ""
    door: str = "adb"


@dataclass(frozen=True)
class Node:
    """What hangs on one port. ``port`` as adb and the kernel write it ("1-2.3"; "usb1" for the root hub of bus 1).

    ``speed`` in Mbit/s, ``power`` in mA as the device claims it, 0 where it does not say; ``version`` is the USB
    version of its descriptor ("2.10"). ``ports``: how many a hub has, 0 where that is not known. ``endpoints``
    counts the one that every device has. ``number`` is its address on the bus. ``mode`` is what a phone shows of
    itself. ``on_bus`` is False for what is only listed by its door.
    """

    path: Place
    kind: Kind
    on_bus: bool
    name: str = ""
    ids: str = ""
    number: int = 0
    speed: float = 0
    version: str = ""
    ports: int = 0
    power: int = 0
    self_powered: bool | None = None
    endpoints: int = 0
    is_hub: bool = False
    mode: Mode | None = None
    listed: Listed | None = None
    below: tuple[Node, ...] = ()

    @property
    def port(self) -> str:
        return port_of(self.path)

    @property
    def door(self) -> str:
        """By which a phone comes in: adb or usbmuxd."""
        return self.listed.door if self.listed else self.mode.door if self.mode else "adb"

    @property
    def bus(self) -> int:
        return self.path[0]

    @property
    def hubs_above(self) -> int:
        """Hubs between it and the computer, the root hub not counted."""
        return max(len(self.path) - 2, 0)

    def walk(self) -> Iterator[Node]:
        """It, then all below it, in the order of ports."""
        yield self
        for node in self.below:
            yield from node.walk()


@dataclass(frozen=True)
class Controller:
    """A host controller with its buses: a USB 3 one has two. ``id`` is its PCI address, "" where it is not known.

    ``driver`` as in "xhci-hcd"; ``maker`` is its PCI vendor ("8086").
    """

    id: str
    driver: str
    maker: str
    buses: tuple[Node, ...]

    def walk(self) -> Iterator[Node]:
        for bus in self.buses:
            yield from bus.walk()


@dataclass(frozen=True)
class UsbMap:
    """All controllers in the order of their buses, and the listed devices that have no place on them."""

    controllers: tuple[Controller, ...]
    elsewhere: tuple[Listed, ...]

    def walk(self) -> Iterator[Node]:
        for controller in self.controllers:
            yield from controller.walk()

    @property
    def phones(self) -> tuple[Node, ...]:
        return tuple(node for node in self.walk() if node.kind is Kind.PHONE)


def parse_port(text: str) -> Place | None:
    """The path behind "1-2.3"; None for anything else, such as the location numbers that macOS gives."""
    match = _PORT.fullmatch(text)
    return (int(match[1]), *map(int, match[2].split("."))) if match else None


def port_of(path: Place) -> str:
    """The inverse of :func:`parse_port`; "usb1" for the root hub of bus 1."""
    return f"{path[0]}-{'.'.join(map(str, path[1:]))}" if len(path) > 1 else f"usb{path[0]}"


def build(sysfs: Sysfs, devices: Sequence[Listed]) -> UsbMap:
    """The map of what ``sysfs`` shows, with ``devices`` in their places."""
    found: dict[Place, Attributes] = {}
    for name, attributes in sysfs.devices.items():
        path = _path(name)
        if path is not None:
            found[path] = attributes
    placed: dict[Place, Listed] = {}
    elsewhere = []
    for device in devices:
        path = parse_port(device.port)
        if path is None or path in placed:
            elsewhere.append(device)
        else:
            placed[path] = device
    nodes = _Nodes(found, _interfaces(sysfs), placed)
    return UsbMap(_controllers(nodes.roots(), found, sysfs.makers), tuple(elsewhere))


def _path(name: str) -> Place | None:
    root = _ROOT.fullmatch(name)
    return (int(root[1]),) if root else parse_port(name)


def _interfaces(sysfs: Sysfs) -> Mapping[Place, list[Attributes]]:
    found: dict[Place, list[Attributes]] = defaultdict(list)
    for name, attributes in sysfs.devices.items():
        match = _INTERFACE.fullmatch(name)
        path = _path(f"usb{match[1]}" if match[2] == "0" else f"{match[1]}-{match[2]}") if match else None
        if path is not None:
            found[path].append(attributes)
    return found


def _controllers(
    roots: Iterable[Node], found: Mapping[Place, Attributes], makers: Mapping[str, str]
) -> tuple[Controller, ...]:
    """Root hubs of one controller carry its PCI address as their serial number."""
    groups: dict[str, list[Node]] = defaultdict(list)
    for root in roots:
        groups[found.get(root.path, {}).get("serial") or root.port].append(root)
    return tuple(
        Controller(
            id=key if found.get(buses[0].path, {}).get("serial") else "",
            driver=_driver(found.get(buses[0].path, {})),
            maker=makers.get(key, ""),
            buses=tuple(buses),
        )
        for key, buses in groups.items()
    )


def _driver(root: Attributes) -> str:
    """A root hub's maker is the kernel: "Linux 6.1.0-18-amd64 xhci-hcd"."""
    words = root.get("manufacturer", "").split()
    return words[-1].replace("_", "-") if len(words) > 1 else ""


class _Nodes:
    """Puts the tree together from the paths up."""

    def __init__(
        self,
        found: Mapping[Place, Attributes],
        interfaces: Mapping[Place, list[Attributes]],
        placed: Mapping[Place, Listed],
    ) -> None:
        self._found = found
        self._interfaces = interfaces
        self._placed = placed
        self._below: dict[Place, set[Place]] = defaultdict(set)
        for path in (*found, *placed):
            for end in range(1, len(path)):
                self._below[path[:end]].add(path[: end + 1])

    def roots(self) -> Iterator[Node]:
        for bus in sorted({path[0] for path in (*self._found, *self._placed)}):
            yield self._node((bus,))

    def _node(self, path: Place) -> Node:
        said = self._found.get(path, {})
        interfaces = self._interfaces.get(path, [])
        ids = f"{said.get('idVendor', '')}:{said.get('idProduct', '')}".strip(":")
        is_hub = said.get("bDeviceClass") == _HUB
        below = tuple(self._node(child) for child in sorted(self._below.get(path, ())))
        kinds = [_kind_of(interface) for interface in interfaces]
        mode = None if is_hub or below else mode_of(ids, said.get("product", ""), kinds)
        listed = self._placed.get(path)
        return Node(
            path=path,
            kind=_kind(path, is_hub or bool(below), listed is not None or mode is not None),
            on_bus=path in self._found,
            name=_name(said),
            ids=ids,
            number=_number(said, "devnum"),
            speed=_speed(said),
            version=said.get("version", "").strip(),
            ports=_number(said, "maxchild"),
            power=_number(said, "bMaxPower"),
            self_powered=_self_powered(said),
            endpoints=1 + sum(_number(interface, "bNumEndpoints", 16) for interface in interfaces),
            is_hub=is_hub,
            mode=mode,
            listed=listed,
            below=below,
        )


def _kind(path: Place, is_hub: bool, is_phone: bool) -> Kind:
    if len(path) == 1:
        return Kind.BUS
    if is_hub:
        return Kind.HUB
    return Kind.PHONE if is_phone else Kind.DEVICE


def _kind_of(interface: Attributes) -> str:
    """Class, subclass and protocol ("ff/42/01"). Makers that give MTP a class of their own still name it so."""
    if "MTP" in interface.get("interface", "").upper().split():
        return "06/01/01"
    keys = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    return "/".join(interface.get(key, "") for key in keys)


def _name(said: Attributes) -> str:
    """Maker and product as the device says them, without saying the maker twice."""
    product = said.get("product", "").replace("_", " ")
    by = said.get("manufacturer", "") or maker(said.get("idVendor", ""))
    return product if product.lower().startswith(by.lower()) else f"{by} {product}".strip()


def _number(said: Attributes, key: str, base: int = 10) -> int:
    """The number that the text begins with ("500mA" is 500); 0 where there is none."""
    digits = re.match(r"\s*([0-9a-fA-F]{1,6})" if base == 16 else r"\s*([0-9]{1,6})", said.get(key, ""))
    return int(digits[1], base) if digits else 0


def _speed(said: Attributes) -> float:
    digits = re.fullmatch(r"[0-9]{1,6}(\.[0-9])?", said.get("speed", ""))
    return float(digits[0]) if digits else 0


def _self_powered(said: Attributes) -> bool | None:
    return bool(_number(said, "bmAttributes", 16) & _SELF_POWERED) if "bmAttributes" in said else None
