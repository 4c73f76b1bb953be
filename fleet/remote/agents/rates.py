"""How often somebody may ask: in memory, for as many as there is room for."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

_MOST = 100_000


@dataclass
class Rate:
    """``each`` per second in the long run, and ``burst`` at once, by whatever name. Those asked longest ago are
    forgotten first."""

    each: float
    burst: float
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, name: str) -> bool:
        """Whether this one may ask now; it counts if so."""
        return self._spend(name, 1.0)

    def is_spent(self, name: str) -> bool:
        """Whether this one may not; it does not count."""
        return not self._spend(name, 0.0)

    def _spend(self, name: str, cost: float) -> bool:
        now = time.monotonic()
        left, at = self._left.pop(name, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.each)
        may = left >= 1.0
        if may:
            left -= cost
        self._left[name] = (left, now)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return may


def unlimited() -> Rate:
    """For where all come from one address, by cables that somebody has plugged in."""
    return Rate(1e9, 1e9)


class Lately:
    """What was done within the last ``seconds``, by name, as far as there is room for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at: OrderedDict[str, float] = OrderedDict()

    def first(self, name: str) -> bool:
        """Whether it was not done lately; from now on it was."""
        now = time.monotonic()
        if self._at.get(name, -self._seconds) + self._seconds > now:
            return False
        self._at[name] = now
        self._at.move_to_end(name)
        if len(self._at) > _MOST:
            self._at.popitem(last=False)
        return True
