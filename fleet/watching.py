"""A standing bench: every device is served as it is plugged in, until its row says that it may be unplugged.

Level-triggered: what a door lists is the wanted state of affairs, and each listed device has one guest that serves it
as long as it is there. Nothing is remembered between two plug-ins but what the registry holds, so that a bench that was
killed simply starts again. Each door is followed on a thread of its own, and one that goes takes only its own guests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Sequence

from fleet.buglog import as_error
from fleet.guests import TO_END, Bench, Guest, Seats
from profiles.errors import SchoolbagError
from provision.device import Door, Place
from provision.doors import NotWanted
from provision.errors import NoServer
from provision.lanes import Lanes
from provision.progress import Progress

_SERVER_AGAIN = 1.0
"""Seconds before a lost adb server or usbmuxd is asked again."""


class Watch:
    """The bench itself. ``run`` goes on until KeyboardInterrupt, then ends what is under way."""

    def __init__(self, bench: Bench, doors: Sequence[Door]) -> None:
        self._bench = bench
        self._doors = doors
        self._listed: dict[str, tuple[Place, ...]] = {}
        self._guests: dict[Hashable, Guest] = {}
        self._serials: dict[str, str] = {}
        self._silent: dict[str, str] = {}
        self._lanes = Lanes()
        self._seats = Seats()
        self._closed = threading.Event()
        self._lock = threading.RLock()

    def run(self) -> None:
        """Serve all that is plugged in. An adb server that goes away is started again."""
        try:
            for door in self._doors:
                threading.Thread(target=self._attend, args=(door,), name=f"door {door.platform}", daemon=True).start()
            self._closed.wait()
        finally:
            self._close()

    def _attend(self, door: Door) -> None:
        while not self._closed.is_set():
            try:
                door.ensure()
                with door.track() as tracker:
                    for places in tracker:
                        self._answers(door)
                        self._seen(door, places)
            except NotWanted:
                self._seen(door, ())
            except NoServer as error:
                self._seen(door, ())
                self._is_silent(door, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other door goes on
                self._is_silent(door, as_error(error))
            self._closed.wait(_SERVER_AGAIN)

    def _is_silent(self, door: Door, error: SchoolbagError) -> None:
        """Tell once that a door does not answer, and why."""
        if self._silent.get(door.platform) != str(error):
            self._silent[door.platform] = str(error)
            self._of_server(door, error.what, error.next_action)

    def _answers(self, door: Door) -> None:
        if self._silent.pop(door.platform, None):
            self._of_server(door, "", "")

    def _of_server(self, door: Door, what: str, next_action: str) -> None:
        fields = {"platform": door.platform, "what": what, "next_action": next_action}
        self._bench.emit(Progress("server", "", fields=fields))

    def _seen(self, door: Door, places: tuple[Place, ...]) -> None:
        """Bid farewell to who has gone, and welcome who is new."""
        with self._lock:
            if self._closed.is_set():
                return
            self._listed[door.platform] = places
            now = {place.key: place for place in places}
            self._find_again(now)
            for key, guest in tuple(self._guests.items()):
                if guest.place.platform == door.platform and (key not in now or guest.lost) and not guest.holds:
                    self._farewell(key, {place.address for place in places})
            for key in now.keys() - self._guests.keys():
                self._guests[key] = Guest(
                    self._bench, door, now[key], self._lanes, self._seats, lambda: self._look_again(door)
                )
                self._guests[key].start()

    def _find_again(self, now: dict[Hashable, Place]) -> None:
        """Who was sent away to be erased is the one who is there anew, also where usbmuxd still lists it as it was."""
        for old, guest in tuple(self._guests.items()):
            there = [key for key, place in now.items() if key not in self._guests and guest.went_to(place)]
            if there:
                new = max(there, key=lambda key: now[key].number)
                self._guests[new] = self._guests.pop(old)
                guest.moved(now[new])
            for key in [key for key, place in now.items() if guest.has_left(place)]:
                del now[key]

    def _farewell(self, key: Hashable, addresses: set[str]) -> None:
        guest = self._guests.pop(key)
        guest.leave()
        address = guest.place.address
        self._serials[address] = guest.attached.serial or self._serials.get(address, "")
        if address not in addresses:
            serial, fields = self._serials.pop(address), {"port": guest.place.port}
            self._bench.emit(Progress("gone", address, serial, None, fields))

    def _look_again(self, door: Door) -> None:
        """A guest holds its address no longer: what is listed counts again."""
        with self._lock:
            self._seen(door, self._listed.get(door.platform, ()))

    def _close(self) -> None:
        with self._lock:
            self._closed.set()
            guests = tuple(self._guests.values())
        until = time.monotonic() + TO_END
        for guest in guests:
            guest.leave()
        for guest in guests:
            guest.join(until)
