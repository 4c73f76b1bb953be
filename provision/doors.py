"""The ways into this bench: the adb server for Android, usbmuxd for iPhones and iPads.

One that is not there is told and stops no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from provision.android.door import AdbDoor
from provision.device import Device, Door, Place
from provision.errors import NoServer
from provision.ios import settings
from provision.ios.door import VARIABLE, UsbmuxDoor
from provision.ios.keybag import Keybag
from provision.usb import sysfs


@dataclass(frozen=True)
class Silent:
    """A way in that does not answer, and why."""

    platform: str
    error: NoServer

    def fields(self) -> dict[str, object]:
        """As JSON lines write it (docs/json.md, ``server``)."""
        return {"platform": self.platform, "what": self.error.what, "next_action": self.error.next_action}


_MEND = (
    "Run 'sudo apt install usbmuxd'; where it is installed, 'sudo systemctl restart usbmuxd'. Then unplug the device "
    "and plug it in again."
)


class NotWanted(NoServer):
    """The helper is not there, and nothing that is plugged in needs it."""


class OnBus:
    """usbmuxd, which does not tell where its devices hang: sysfs does. Satisfies :class:`provision.device.Door`.

    ``root`` is the sysfs. Nobody has to install usbmuxd for a bench of Android devices: while no iPhone or iPad is seen
    there, and the environment names no usbmuxd, its absence is NotWanted.
    """

    def __init__(self, door: Door, root: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._door = door
        self._root = root
        self._environ = environ

    @property
    def platform(self) -> str:
        return self._door.platform

    def ensure(self) -> None:
        """See :meth:`provision.device.Door.ensure`."""
        try:
            self._door.ensure()
        except NoServer as error:
            if self._environ.get(VARIABLE):
                raise
            if ports := ", ".join(sorted(sysfs.apple(self._root).values())):
                what = f"usbmuxd, the way to iPhones and iPads, does not answer, and there is one at {ports}."
                raise NoServer(what, _MEND) from error
            raise NotWanted(error.what, error.next_action) from error

    def places(self) -> tuple[Place, ...]:
        """See :meth:`provision.device.Door.places`."""
        return self._with_ports(self._door.places())

    @contextmanager
    def track(self) -> Iterator[Iterator[tuple[Place, ...]]]:
        """See :meth:`provision.device.Door.track`."""
        with self._door.track() as tracker:
            yield (self._with_ports(places) for places in tracker)

    def attach(self, place: Place, *, trust: float | None = None) -> Device:
        """See :meth:`provision.device.Door.attach`."""
        return self._door.attach(place, trust=trust)

    def _with_ports(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        if not places:
            return ()
        ports = sysfs.apple(self._root)
        return tuple(replace(place, port=place.port or ports.get(sysfs.bare(place.address), "")) for place in places)


def open_doors(records: Path, keybag: Keybag | None, root: Path = sysfs.SYSFS) -> tuple[Door, ...]:
    """Every way into this bench.

    ``records`` is the folder of our pair records, ``keybag`` the one that we supervise with; ``root`` is the sysfs.
    """
    usbmuxd = UsbmuxDoor(records, lambda: keybag, settings.readers(keybag), settings.settings(keybag))
    return AdbDoor(), OnBus(usbmuxd, root)
