"""Who may send when: one transfer at a time to each device, and on each bus only as many as raise its total.

How many that is depends on hubs, cables and phones, so it is measured while phones are being filled: one more transfer
is let in as long as that makes the bus faster, and what was learnt is tried again now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_WINDOW = 1.0
"""Seconds over which a bus is measured before its limit is changed."""

_GAIN = 1.05
"""One more transfer has to make the bus this much faster to be let in."""

_AGAIN = 30.0
"""Seconds after which a settled limit is put in question."""

_FIRST = 2
"""Transfers let in before anything is known."""


class Bus:
    """One USB bus. Thread-safe. ``limit`` is how many transfers it now lets in.

    The limit climbs while that makes the bus faster, then falls while that does not make it slower; so it ends at the
    fewest transfers that fill the bus. Only windows in which all places were taken and somebody waited are judged.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = _FIRST
        self._clock = clock
        self._changed = threading.Condition()
        self._active = 0
        self._waiting = 0
        self._full = False
        self._bytes = 0
        self._begun = clock()
        self._best = 0.0
        self._way = 1
        self._settled_at = 0.0

    def enter(self) -> None:
        """Wait for a place."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._active < self.limit)
            self._waiting -= 1
            self._active += 1
            self._look()

    def leave(self) -> None:
        with self._changed:
            self._active -= 1
            self._look()
            self._changed.notify_all()

    def sent(self, count: int) -> None:
        """So many bytes have gone out on this bus."""
        with self._changed:
            self._bytes += count
            passed = self._clock() - self._begun
            if self._full and self._waiting and passed >= _WINDOW:
                self._learn(self._bytes / passed)
                self._restart()

    def _look(self) -> None:
        """After a place was taken or given back: a window begins when all are taken. One that is given back and at
        once taken by who waits for it ends none."""
        if self._active == self.limit:
            if not self._full:
                self._full = True
                self._restart()
        elif self._active > self.limit or not self._waiting:
            self._full = False

    def _restart(self) -> None:
        self._bytes = 0
        self._begun = self._clock()

    def _learn(self, rate: float) -> None:
        """Judge the limit by a window's rate (bytes per second)."""
        if self._way == 0:
            if self._clock() - self._settled_at < _AGAIN:
                return
            self._way, self._best = 1, 0.0
        if self._way == 1:
            self._climb(rate)
        else:
            self._fall(rate)

    def _climb(self, rate: float) -> None:
        if rate > self._best * _GAIN:
            self._best = rate
            self._set(self.limit + 1)
        elif self.limit > 2:
            self._way = -1
            self._set(self.limit - 2)
        else:
            self._settle(self.limit - 1)

    def _fall(self, rate: float) -> None:
        if rate * _GAIN < self._best:
            self._settle(self.limit + 1)
        elif self.limit > 1:
            self._best = max(rate, self._best)
            self._set(self.limit - 1)
        else:
            self._settle(1)

    def _settle(self, limit: int) -> None:
        self._way = 0
        self._settled_at = self._clock()
        self._set(limit)

    def _set(self, limit: int) -> None:
        self.limit = max(1, limit)
        self._full = False
        self._look()
        self._changed.notify_all()


class Lane:
    """The way to one device: ``enter`` before sending and ``leave`` after it; ``sent`` tells how it goes."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._turn = threading.Lock()

    def enter(self) -> None:
        self._turn.acquire()
        if self._bus:
            self._bus.enter()

    def leave(self) -> None:
        if self._bus:
            self._bus.leave()
        self._turn.release()

    def sent(self, count: int) -> None:
        if self._bus:
            self._bus.sent(count)


class Lanes:
    """The lanes of a bench: devices whose ports name one bus share it; where no bus is known, nothing is shared."""

    def __init__(self) -> None:
        self._buses: dict[str, Bus] = {}
        self._lock = threading.Lock()

    def to(self, port: str) -> Lane:
        """A lane to the device at ``port`` (adb's ``usb:`` field, such as ``1-2.3``: bus 1)."""
        bus, dash, _ = port.partition("-")
        if not (dash and bus.isdecimal()):
            return Lane()
        with self._lock:
            return Lane(self._buses.setdefault(bus, Bus()))
