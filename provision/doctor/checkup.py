"""All checks of a bench, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from provision.android.server import is_here, server_from_environment
from provision.bench import Found, attach_all
from provision.device import Door
from provision.doctor import adb, computer, usb
from provision.doctor.check import Check, Look, Mark
from provision.doctor.host import Host
from provision.errors import NoServer
from provision.usb.sysfs import Sysfs
from provision.usb.tree import UsbMap, build


def looks(host: Host, home: Path, cache_folder: Path, doors: Callable[[], Sequence[Door]]) -> Mapping[str, Look]:
    """The checks by name; phones are asked once, when the first of them needs it, and share 10 s of patience.

    ``doors`` are opened then, so that what keeps them shut is one bad check and not the end.
    """

    @cache
    def attached() -> Found | NoServer:
        try:
            return attach_all(doors())
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
            what = "They cannot be asked without the adb server or usbmuxd."
            return [Check(name, Mark.WARN, what, "Mend that first.")]
        return usb.phones(name, places.attached)

    def server(name: str) -> Iterable[Check]:
        return adb.server(name, host, server_from_environment(host.environ))

    def usbmuxd(name: str) -> Iterable[Check]:
        (door,) = (door for door in doors() if door.platform == "ios")
        return usb.usbmuxd(name, door)

    return {
        "python": computer.python,
        "terminal": lambda name: computer.terminal(name, host),
        "clock": lambda name: computer.clock(name, host),
        "disk": lambda name: computer.disk(name, host, home),
        "cache": lambda name: computer.disk(name, host, cache_folder),
        "adb": lambda name: adb.program(name, host),
        "adb server": server,
        "adb servers": lambda name: adb.servers(name, host),
        "usbmuxd": usbmuxd,
        "USB rights": lambda name: usb.rights(name, host, usb_map()),
        "USB limits": lambda name: usb.bus(name, usb_map()),
        "kernel log": lambda name: usb.kernel_log(name, host),
        "phones": phones,
    }
