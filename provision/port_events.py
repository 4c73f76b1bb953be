"""What the events of a run (docs/json.md) say of ports: how much went out when, and which device went away.

Small readers of one stream of events each; times are seconds since 1970, in any order of devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_STALL = 60.0
"""Two ``bytes`` events of an item further apart than this are two transfers: what a link holds back for so long (in the
buffers on the way to it) is given up by those who send."""


def bus_of(port: str) -> str:
    """The bus in adb's ``usb:`` field: "1" of "1-2.3"; "" where it names none (virtual phones, adb over Wi-Fi)."""
    bus, dash, _ = port.partition("-")
    return bus if dash and bus.isdecimal() else ""


class Sent(NamedTuple):
    """``size`` bytes that went out from ``begin`` to ``end``; ``begin`` is None where that is not known."""

    size: float
    begin: float | None
    end: float


class Sending:
    """Takes ``step`` and ``bytes`` events, gives what was sent between two of them."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[float, float]] = {}

    def begin(self, address: str, item: str) -> None:
        self._last.pop((address, item), None)

    def take(self, address: str, item: str, sent: float, at: float) -> Sent | None:
        """None where nothing was: before the first ``bytes`` of a turn that is a wait for the bus, not a slow link."""
        before, count = self._last.get((address, item), (None, 0.0))
        self._last[address, item] = at, sent
        if sent <= count:
            return None
        known = before is not None and 0 < at - before <= _STALL
        return Sent(sent - count, before if known else None, at)


class Departure(NamedTuple):
    """A device that went away from its port. ``lost``: while it was being worked on."""

    at: float
    address: str
    port: str
    serial: str
    lost: bool

    @property
    def place(self) -> str:
        """Where it was: the port, or the address of what has none."""
        return self.port or self.address


@dataclass
class _Stay:
    port: str
    serial: str
    at_work: bool = False
    gone: float | None = None
    counted: bool = False


class Visits:
    """Takes ``device``, ``waiting``, ``gone`` and ``report`` events, gives each departure once.

    Who has gone when its run is well and done (debugging switched off at the end) was not lost.
    """

    def __init__(self) -> None:
        self._stays: dict[str, _Stay] = {}

    def port(self, address: str) -> str:
        """Where the device at this address is now, as far as was told."""
        return self._stays[address].port if address in self._stays else ""

    def take(self, event: str, address: str, serial: str, fields: Mapping[str, object], at: float) -> Departure | None:
        """Any event, with its further ``fields``; what is missing or of another type is taken for empty."""
        said = fields.get("port")
        port = said if isinstance(said, str) else ""
        match event:
            case "device":
                return self._device(address, port, serial)
            case "waiting":
                self._waiting(address, port, serial)
            case "gone":
                return self._gone(address, port, serial, at)
            case "report":
                return self._report(address, at, fields.get("lost") is True, fields.get("verdict") == "failed")
        return None

    def _device(self, address: str, port: str, serial: str) -> Departure | None:
        """A run begins; one before it that had lost its device never told how it ended."""
        before = self._stays.get(address)
        self._stays[address] = _Stay(port, serial, at_work=True)
        if before and before.at_work and before.gone is not None:
            return Departure(before.gone, address, before.port, before.serial, lost=True)
        return None

    def _waiting(self, address: str, port: str, serial: str) -> None:
        stay = self._stays.get(address)
        if stay is None or not stay.at_work:
            self._stays[address] = _Stay(port, serial or (stay.serial if stay else ""))

    def _gone(self, address: str, port: str, serial: str, at: float) -> Departure | None:
        stay = self._stays.setdefault(address, _Stay(port, serial))
        if stay.at_work:
            stay.gone = at if stay.gone is None else stay.gone
            return None
        del self._stays[address]
        if stay.counted:
            return None
        return Departure(at, address, stay.port or port, stay.serial or serial, lost=False)

    def _report(self, address: str, at: float, lost: bool, failed: bool) -> Departure | None:
        """A run ends; ``lost`` is what it saw itself."""
        stay = self._stays.get(address)
        if stay is None or not stay.at_work:
            return None
        stay.at_work = False
        if stay.gone is not None:
            del self._stays[address]
        stay.counted = lost or (failed and stay.gone is not None)
        if not stay.counted:
            return None
        return Departure(at if stay.gone is None else stay.gone, address, stay.port, stay.serial, lost=True)
