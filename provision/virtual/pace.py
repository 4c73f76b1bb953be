"""Links that take their time: a rate in bytes per second, shared by all that use the same link."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST = 0.02

_TURN = 16 * 1024
"""Bytes that one user of a link passes before it is the next one's turn, as a USB host does it: small against files."""


class Pace:
    """Bytes pass one after the other at ``rate``; ``pay`` sleeps until those given have passed."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._busy_until = 0.0

    def pay(self, size: int) -> None:
        for passed in range(0, size, _TURN):
            self._take_turn(min(_TURN, size - passed))

    def _take_turn(self, size: int) -> None:
        with self._lock:
            now = self._clock()
            self._busy_until = max(self._busy_until, now - _BURST) + size / self._rate
            wait = self._busy_until - now
        if wait > 0:
            self._sleep(wait)
