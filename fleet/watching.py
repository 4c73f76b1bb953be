"""A standing bench: every device is served as it is plugged in, until its row says that it may be unplugged.

Level-triggered: what the adb server lists is the wanted state of affairs, and each listed device has one thread that
serves it as long as it is there. Nothing is remembered between two plug-ins but what the registry holds, so that a
bench that was killed simply starts again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fleet.errors import RegistryError
from fleet.intakes import Inspected, inspect
from fleet.provisioning import Order, carry_out
from fleet.units import Registry
from profiles.errors import SchoolbagError
from provision.android.adb import Listed, Server
from provision.android.server import ensure_server
from provision.bench import Attached, attach, clash
from provision.errors import NoServer
from provision.intake import IntakeVerdict
from provision.intake_rules import Rules
from provision.lanes import Lanes
from provision.progress import Emit, Progress

_LOOK_AGAIN = 10.0
"""Seconds between two looks at a device that waits for a hand, or for its registry."""

_SERVER_AGAIN = 1.0
"""Seconds before a lost adb server is asked again."""

_TO_END = 15.0
"""Seconds that a run is given to end after Ctrl-C, or after its cable was pulled."""

_PASSING = 2.0
"""Seconds that a state other than ready may last, as it does at every plugging in and out, before it is told."""

Key = tuple[str, int, str]
"""Address, transport id and state of a listed device: when one of them changes it is plugged in anew."""


@dataclass(frozen=True)
class Bench:
    """What every device of this bench is served with. ``says`` puts an intake that is no yes into words."""

    order: Order
    rules: Rules
    registry: Registry
    emit: Emit
    says: Callable[[Inspected], SchoolbagError]


class Guest:
    """One device at one address, from being listed until it has gone."""

    def __init__(self, bench: Bench, server: Server, listed: Listed, lanes: Lanes, seats: Seats) -> None:
        self.listed = listed
        self.gone = threading.Event()
        self.place = Attached(listed.address, listed.usb, listed.state)
        self.clash: SchoolbagError | None = None
        self._bench = bench
        self._server = server
        self._lanes = lanes
        self._seats = seats
        self._news = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._serve, name=f"guest {listed.address}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        """It is not listed any more, or the bench closes: end what is under way."""
        self.gone.set()
        self._news.set()
        self.stop()

    def stop(self) -> None:
        if self.place.device:
            self.place.device.stop()

    def join(self, until: float) -> None:
        self._thread.join(max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        try:
            if self.listed.state != "device" and self.gone.wait(_PASSING):
                return
            self.place = attach(self._server, self.listed)
            if self.place.problem:
                self._wait(self.place.problem)
                return
            self._seats.enter(self)
            try:
                self._work()
                self._stay()
            finally:
                self._seats.leave(self)
        except SchoolbagError as error:
            self._wait(error)

    def collide(self, found: SchoolbagError) -> None:
        """Another device of this serial is there: nothing more is written to this one."""
        self.clash = found
        self.stop()
        self._news.set()

    def _stay(self) -> None:
        """Keep the seat until the device has gone, so that its double is known for one."""
        while not self.gone.is_set():
            if self.clash:
                self._wait(self.clash)
            self._news.wait()
            self._news.clear()

    def _work(self) -> None:
        """Look until it may be taken, then do it; a registry that cannot be written is tried again."""
        while not self.gone.is_set() and not self.clash:
            try:
                found = inspect(self.place, self._bench.rules, "", self._bench.registry, datetime.now(UTC).date())
                if found.intake and found.intake.verdict is IntakeVerdict.ACCEPT:
                    lane = self._lanes.to(self.place.port)
                    carry_out(self.place, self._bench.order, self._bench.registry, self._bench.emit, lane)
                    break
                self._wait(found.error or self._bench.says(found))
            except RegistryError as error:
                self._wait(error)
            self._news.wait(_LOOK_AGAIN)

    def _wait(self, error: SchoolbagError) -> None:
        """Tell that a hand is needed, and why, once; a device that has gone needs none."""
        if not self.gone.is_set() and str(error) != self._told:
            self._told = str(error)
            fields = {"port": self.listed.usb, "what": error.what, "next_action": error.next_action}
            self._bench.emit(Progress("waiting", self.listed.address, self.place.serial, None, fields))


class Seats:
    """Who is served now, by serial. Two addresses with one serial are a clash: both stop, and both say so."""

    def __init__(self) -> None:
        self._taken: dict[str, list[Guest]] = {}
        self._lock = threading.Lock()

    def enter(self, guest: Guest) -> None:
        """Take a seat. One of the same serial that has gone is waited for; one that is still there is a clash."""
        serial = guest.place.serial
        with self._lock:
            others = list(self._taken.get(serial, ()))
            self._taken.setdefault(serial, []).append(guest)
        for other in others:
            if other.gone.is_set():
                other.join(time.monotonic() + _TO_END)
                continue
            found = clash(serial, [one.place.where for one in (other, guest)])
            guest.collide(found)
            other.collide(found)

    def leave(self, guest: Guest) -> None:
        with self._lock:
            self._taken[guest.place.serial].remove(guest)


class Watch:
    """The bench itself. ``run`` goes on until KeyboardInterrupt, then ends what is under way."""

    def __init__(self, bench: Bench, server: Server) -> None:
        self._bench = bench
        self._server = server
        self._guests: dict[Key, Guest] = {}
        self._serials: dict[str, str] = {}
        self._lanes = Lanes()
        self._seats = Seats()

    def run(self) -> None:
        """Serve all that is plugged in. An adb server that goes away is started again."""
        try:
            while True:
                try:
                    ensure_server(self._server)
                    self._follow()
                except NoServer as error:
                    self._seen(())
                    fields = {"what": error.what, "next_action": error.next_action}
                    self._bench.emit(Progress("server", "", fields=fields))
                    time.sleep(_SERVER_AGAIN)
        finally:
            self._close()

    def _follow(self) -> None:
        with self._server.track() as tracker:
            for listed in tracker:
                self._seen(listed)

    def _seen(self, listed: tuple[Listed, ...]) -> None:
        """Bid farewell to who has gone, and welcome who is new."""
        now: dict[Key, Listed] = {(one.address, one.transport_id, one.state): one for one in listed}
        for key in self._guests.keys() - now.keys():
            guest = self._guests.pop(key)
            guest.leave()
            self._serials[guest.listed.address] = guest.place.serial or self._serials.get(guest.listed.address, "")
            if guest.listed.address not in {one.address for one in listed}:
                serial, fields = self._serials.pop(guest.listed.address), {"port": guest.listed.usb}
                self._bench.emit(Progress("gone", guest.listed.address, serial, None, fields))
        for key in now.keys() - self._guests.keys():
            self._guests[key] = Guest(self._bench, self._server, now[key], self._lanes, self._seats)
            self._guests[key].start()

    def _close(self) -> None:
        until = time.monotonic() + _TO_END
        for guest in self._guests.values():
            guest.leave()
        for guest in self._guests.values():
            guest.join(until)
