"""A device at the standing bench, from being listed until it has gone: a thread of its own serves it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fleet.buglog import Bug, as_error
from fleet.errors import RegistryError
from fleet.intakes import Inspected, Look, inspect
from fleet.provisioning import Order, carry_out, waiting
from fleet.units import Registry
from profiles.errors import SchoolbagError
from provision.bench import Attached, attach, clash, let_in
from provision.device import READY, Door, Place
from provision.intake_rules import Rules
from provision.lanes import Lanes
from provision.progress import Emit

_LOOK_AGAIN = 10.0
"""Seconds between two looks at a device that waits for a hand, or for its registry."""

TO_END = 15.0
"""Seconds that a run is given to end after Ctrl-C, or after its cable was pulled."""

_PASSING = 2.0
"""Seconds that a state other than ready may last, as it does at every plugging in and out, before it is told."""


@dataclass(frozen=True)
class Bench:
    """What every device of this bench is served with; the ``order`` may be another for the next one.

    ``says`` puts an intake that is no yes into words; ``broke`` hears of what broke in our own code.
    """

    order: Callable[[], Order]
    rules: Rules
    registry: Registry
    emit: Emit
    says: Callable[[Inspected], SchoolbagError]
    broke: Callable[[Bug], None]


class Guest:
    """One device. ``place`` is where it is listed now.

    From the order to erase it until it is back it ``holds`` its address: it goes and comes back as it has to
    (:meth:`moved`), and is neither dismissed nor served by another guest. ``released`` is called when that is over.
    ``lost``: it was pulled then and plugged in anew, so that it has to be served from the start.
    """

    def __init__(
        self, bench: Bench, door: Door, place: Place, lanes: Lanes, seats: Seats, released: Callable[[], None]
    ) -> None:
        self.place = place
        self.gone = threading.Event()
        self.attached = Attached(place)
        self.clash: SchoolbagError | None = None
        self.lost = False
        self._has_moved = False
        self._bench = bench
        self._order = bench.order()
        self._door = door
        self._lanes = lanes
        self._seats = seats
        self._released = released
        self._news = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._serve, name=f"guest {place.address}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def holds(self) -> bool:
        return self.attached.device is not None and self.attached.device.away

    def went_to(self, place: Place) -> bool:
        """Whether what is listed there, with another number than here, is this device, sent there by its erasing."""
        device = self.attached.device
        anew = _same(self.place, place) and place.number != self.place.number and not self.has_left(place)
        return anew and device is not None and (device.away or device.number == place.number)

    def has_left(self, place: Place) -> bool:
        """Whether it was there before its erasing, and usbmuxd has not dropped that yet."""
        return self._has_moved and _same(self.place, place) and place.number < self.place.number

    def moved(self, place: Place) -> None:
        """It is back, at the same address."""
        self.place = place
        self._has_moved = True

    def leave(self) -> None:
        """It is not listed any more, or the bench closes: end what is under way."""
        self.gone.set()
        self._news.set()
        self.stop()

    def stop(self) -> None:
        if self.attached.device:
            self.attached.device.stop()

    def join(self, until: float) -> None:
        self._thread.join(max(0.0, until - time.monotonic()))

    def collide(self, found: SchoolbagError) -> None:
        """Another device of this serial is there: nothing more is written to this one."""
        self.clash = found
        self.stop()
        self._news.set()

    def _serve(self) -> None:
        try:
            if self.place.state != READY and self.gone.wait(_PASSING):
                return
            self._attach()
            if self.attached.device is None:
                return
            self._seats.enter(self)
            try:
                self._work()
                self._stay()
            finally:
                self._seats.leave(self)
        except Exception as error:  # noqa: BLE001 - what breaks here must not pass unseen, nor end the other rows
            self._wait(self._noted(as_error(error)))

    def _attach(self) -> None:
        """Ask until it answers; one that is not ready is listed anew when it is."""
        while not self.gone.is_set():
            self.attached = let_in(attach(self._door, self.place), self.gone, self._needs_hands)
            if self.attached.problem is None:
                return
            self._wait(self.attached.problem)
            if self.place.state != READY:
                return
            self.gone.wait(_LOOK_AGAIN)

    def _needs_hands(self, attached: Attached) -> None:
        assert attached.problem is not None
        self._wait(attached.problem)

    def _stay(self) -> None:
        """Keep the seat until the device has gone, so that its double is known for one."""
        while not self.gone.is_set():
            if self.clash:
                self._wait(self.clash)
            self._news.wait()
            self._news.clear()

    def _work(self) -> None:
        """Look until it may be taken, then do it; a registry that cannot be written is tried again."""
        look = Look(self._bench.rules, datetime.now(UTC).date(), erases=self._order.erase)
        while not self.gone.is_set() and not self.clash:
            try:
                found = inspect(self.attached, look, self._bench.registry)
                look = replace(look, before=found if found.intake else look.before)
                if found.accepted:
                    self._provision()
                    break
                self._wait(self._noted(found.error) if found.error else self._bench.says(found))
            except RegistryError as error:
                self._wait(error)
            self._news.wait(_LOOK_AGAIN)

    def _provision(self) -> None:
        bench, lane = self._bench, self._lanes.to(self.place.port)
        try:
            ended = carry_out(self.attached, self._order, bench.registry, bench.emit, lane)
            self.lost = self._has_moved and ended.report.lost
        finally:
            if self._order.erase:
                self._released()
        if ended.error:
            self._noted(ended.error)

    def _noted(self, error: SchoolbagError) -> SchoolbagError:
        if isinstance(error, Bug):
            self._bench.broke(error)
        return error

    def _wait(self, error: SchoolbagError) -> None:
        """Tell that a hand is needed, and why, once; a device that has gone needs none."""
        if not self.gone.is_set() and str(error) != self._told:
            self._told = str(error)
            waiting(self._bench.emit, self.attached, error)


class Seats:
    """Who is served now, by serial. Two addresses with one serial are a clash: both stop, and both say so."""

    def __init__(self) -> None:
        self._taken: dict[str, list[Guest]] = {}
        self._lock = threading.Lock()

    def enter(self, guest: Guest) -> None:
        """Take a seat. One of the same serial that has gone is waited for; one that is still there is a clash."""
        serial = guest.attached.serial
        with self._lock:
            others = list(self._taken.get(serial, ()))
            self._taken.setdefault(serial, []).append(guest)
        for other in others:
            if other.gone.is_set():
                other.join(time.monotonic() + TO_END)
                continue
            found = clash(serial, [one.attached.where for one in (other, guest)])
            guest.collide(found)
            other.collide(found)

    def leave(self, guest: Guest) -> None:
        with self._lock:
            self._taken[guest.attached.serial].remove(guest)


def _same(one: Place, other: Place) -> bool:
    return (one.platform, one.address) == (other.platform, other.address)
