"""usbmuxd, by which iPhones and iPads come into the bench.

Listing and tracking import nothing of pymobiledevice3 but its usbmux module, and nothing at all where no usbmuxd runs:
all else of it costs every look 0.3 s and 35 MB (facts, iOS §3).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from provision.device import READY, Device, Place
from provision.errors import NoServer
from provision.ios.keybag import Keybag
from provision.ios.loop import Calls, shared, unbroken
from provision.setting import Reader, Setting

if TYPE_CHECKING:
    from pymobiledevice3.usbmux import MuxDevice

VARIABLE = "USBMUXD_SOCKET_ADDRESS"
"""Names another usbmuxd than the computer's: ``HOST:PORT``, or the path of a socket."""

_SOCKET = "/var/run/usbmuxd"
_LIST_SECONDS = 10.0

_LOOK_EVERY = 1.0
"""Seconds between two looks for a usbmuxd that is not there: it comes and goes with the first and last device."""


class UsbmuxDoor:
    """Satisfies :class:`provision.device.Door`. Thread-safe.

    ``records`` is our folder of pair records, ``keybag`` gives the identity that this bench supervises with.
    """

    platform = "ios"

    def __init__(
        self,
        records: Path,
        keybag: Callable[[], Keybag | None],
        readers: Mapping[str, Reader[Any]],
        settings: Mapping[str, Setting[Any]],
    ) -> None:
        self._records = records
        self._keybag = keybag
        self._readers = readers
        self._settings = settings

    def ensure(self) -> None:
        """See that a usbmuxd answers; the system starts it, not we. Raises NoServer."""
        if os.environ.get(VARIABLE):
            self.places()
        elif not _answers():
            raise NoServer(
                "usbmuxd, this computer's way to iPhones and iPads, does not run.",
                "Plug one in: it is started then. If it is not: apt install usbmuxd.",
            )

    def places(self) -> tuple[Place, ...]:
        """See :meth:`provision.device.Door.places`; none where the computer's own usbmuxd does not run."""
        if not _expected():
            return ()
        from pymobiledevice3.usbmux import list_devices

        with _no_server():
            return _places(Calls().call(lambda _: unbroken(list_devices(), _LIST_SECONDS), None))

    @contextmanager
    def track(self) -> Iterator[Iterator[tuple[Place, ...]]]:
        """See :meth:`provision.device.Door.track`."""
        news: SimpleQueue[tuple[Place, ...] | None] = SimpleQueue()
        work = shared().begin(_follow(news.put))
        work.add_done_callback(lambda _: news.put(None))

        def listed() -> Iterator[tuple[Place, ...]]:
            while (places := news.get()) is not None:
                yield places
            if not work.cancelled():
                with _no_server():
                    work.result()

        try:
            yield listed()
        finally:
            work.cancel()

    def attach(self, place: Place, *, trust: float | None = None) -> Device:
        """See :meth:`provision.device.Door.attach`."""
        from provision.ios.device import At, attach

        at = At(place.address, place.port, self._records)
        return attach(at, self._keybag(), self._readers, self._settings, trust)


async def _follow(tell: Callable[[tuple[Place, ...]], None]) -> None:
    """All that is listed, and again after every change. Raises when usbmuxd goes while a device is listed."""
    while True:
        if not _expected():
            tell(())
        while not _expected():
            await asyncio.sleep(_LOOK_EVERY)
        await _listen(tell)


async def _listen(tell: Callable[[tuple[Place, ...]], None]) -> None:
    """Until usbmuxd ends. The computer's own may do so when nothing is plugged in any more: that is no fault.

    Each event only says to look again: those of what is there already come one by one, with nothing after the last.
    """
    from pymobiledevice3.exceptions import MuxException
    from pymobiledevice3.usbmux import create_mux, list_devices

    now: tuple[Place, ...] | None = None
    mux: Any = await unbroken(create_mux(), _LIST_SECONDS, _close)  # its methods have no types
    try:
        await mux.listen()
        while True:
            before, now = now, _places(await unbroken(list_devices(), _LIST_SECONDS))
            if now != before:
                tell(now)
            await mux.receive_device_state_update()
    except (MuxException, OSError):
        if now or os.environ.get(VARIABLE):
            raise
    finally:
        await _close(mux)


async def _close(mux: Any) -> None:
    await mux.close()


def _places(devices: list[MuxDevice]) -> tuple[Place, ...]:
    """Over USB only: a device that is on the same Wi-Fi too is listed a second time."""
    return tuple(Place("ios", device.serial, "", READY, number=device.devid) for device in devices if device.is_usb)


def _expected() -> bool:
    """Whether a usbmuxd should answer: another one is named, or the computer's own runs."""
    return bool(os.environ.get(VARIABLE)) or _answers()


def _answers() -> bool:
    if sys.platform == "win32":
        return _connects(socket.AF_INET, ("127.0.0.1", 27015))
    return _connects(socket.AF_UNIX, _SOCKET)


def _connects(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_LIST_SECONDS)
        try:
            probe.connect(address)
        except PermissionError:
            return True  # it is there, and what comes next says that it may not be used
        except OSError:
            return False
    return True


@contextmanager
def _no_server() -> Iterator[None]:
    from pymobiledevice3.exceptions import MuxException

    named = os.environ.get(VARIABLE)
    where = f" at {named}" if named else ""
    try:
        yield
    except PermissionError as error:
        raise NoServer(
            f"This user may not use usbmuxd{where}.", "Add the user to the group of its socket, then log in again."
        ) from error
    except (MuxException, OSError, ValueError, TimeoutError) as error:
        mend = f"See that {VARIABLE} is right: HOST:PORT, or a socket's path." if named else "Plug a device in again."
        raise NoServer(f"usbmuxd{where}, the way to iPhones and iPads, does not answer.", mend) from error
