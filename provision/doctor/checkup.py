"""All checks of a bench, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path

from provision.android.door import AdbDoor
from provision.android.server import is_here, server_from_environment
from provision.bench import Found, attach_all
from provision.doctor import adb, computer, usb
from provision.doctor.check import Check, Look, Mark
from provision.doctor.host import Host
from provision.errors import NoServer
from provision.usb.sysfs import Sysfs
from provision.usb.tree import UsbMap, build


def looks(host: Host, home: Path, cache_folder: Path) -> Mapping[str, Look]:
    """The checks by name; phones are asked once, when the first of them needs it, and share 10 s of patience."""

    @cache
    def attached() -> Found | NoServer:
        try:
            return attach_all([AdbDoor(partial(server_from_environment, host.environ))])
        except NoServer as error:
            return error

    @cache
    def usb_map() -> UsbMap:
        places = attached()
        if isinstance(places, NoServer):
            return usb.usb_map(host, ())
        devices = [place.listed() for place in places.attached]
        here = is_here(server_from_environment(host.environ))
        return usb.usb_map(host, devices) if here else build(Sysfs(), devices)

    def phones(name: str) -> Iterable[Check]:
        places = attached()
        if isinstance(places, NoServer):
            return [Check(name, Mark.WARN, "They cannot be asked without the adb server.", "Mend that first.")]
        return usb.phones(name, places.attached)

    def server(name: str) -> Iterable[Check]:
        return adb.server(name, host, server_from_environment(host.environ))

    return {
        "python": computer.python,
        "terminal": lambda name: computer.terminal(name, host),
        "clock": lambda name: computer.clock(name, host),
        "disk": lambda name: computer.disk(name, host, home),
        "cache": lambda name: computer.disk(name, host, cache_folder),
        "adb": lambda name: adb.program(name, host),
        "adb server": server,
        "adb servers": lambda name: adb.servers(name, host),
        "usbmuxd": lambda name: usb.usbmuxd(name, host),
        "USB rights": lambda name: usb.rights(name, host, usb_map()),
        "USB limits": lambda name: usb.bus(name, usb_map()),
        "kernel log": lambda name: usb.kernel_log(name, host),
        "phones": phones,
    }
