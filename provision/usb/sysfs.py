"""What Linux says of USB, as text: the files under ``bus/usb/devices`` and ``bus/pci/devices`` of ``/sys``.

Nothing is opened but small attribute files, so no phone is touched and no right is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from provision.text import printable
from provision.usb.phones import is_apple

SYSFS = Path("/sys")

Attributes = Mapping[str, str]

DEVICE = (
    "bDeviceClass",
    "bMaxPower",
    "bmAttributes",
    "busnum",
    "devnum",
    "idProduct",
    "idVendor",
    "manufacturer",
    "maxchild",
    "product",
    "serial",
    "speed",
    "version",
)
INTERFACE = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol", "bNumEndpoints", "interface")
_PCI_NAME = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MOST = 4096


@dataclass(frozen=True)
class Sysfs:
    """``devices``: the attributes by sysfs name ("usb1", "1-2.3", "1-2.3:1.0"). ``makers``: PCI vendor by PCI address.

    Empty where there is no sysfs (macOS, Windows, most containers).
    """

    devices: Mapping[str, Attributes] = field(default_factory=dict)
    makers: Mapping[str, str] = field(default_factory=dict)


def read(root: Path = SYSFS) -> Sysfs:
    """Read the USB part of the sysfs at ``root``. What is missing or unreadable is left out, never an error."""
    devices = {name: _attributes(path, name) for name, path in _entries(root / "bus/usb/devices")}
    addresses = {found["serial"] for found in devices.values() if _PCI_NAME.fullmatch(found.get("serial", ""))}
    makers = {address: _text(root / "bus/pci/devices" / address / "vendor") for address in addresses}
    return Sysfs(
        MappingProxyType(devices),
        MappingProxyType({address: maker.removeprefix("0x") for address, maker in makers.items() if maker}),
    )


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        yield from sorted((path.name, path) for path in folder.iterdir())
    except OSError:
        return


def _attributes(path: Path, name: str) -> Attributes:
    wanted = INTERFACE if ":" in name else DEVICE
    found = {key: _text(path / key) for key in wanted}
    return MappingProxyType({key: text for key, text in found.items() if text})


def _text(path: Path) -> str:
    """One attribute on one line, without anything that a terminal would act on; "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return printable(file.read(_MOST).decode("utf-8", "replace").strip())
    except OSError:
        return ""


def apple(root: Path = SYSFS) -> Mapping[str, str]:
    """Where iPhones and iPads hang: the port of each by its UDID, in capitals and without its dash.

    usbmuxd does not tell ports, and USB's serial number of these is the UDID. Only their few files are read, so that
    it may be asked whenever one comes.
    """
    found: dict[str, str] = {}
    for name, path in _entries(root / "bus/usb/devices"):
        if ":" not in name and is_apple(_text(path / "idVendor"), _text(path / "product")):
            found[bare(_text(path / "serial"))] = name
    return found


def bare(udid: str) -> str:
    """A UDID as :func:`apple` knows it."""
    return udid.replace("-", "").upper()
