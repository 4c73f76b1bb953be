"""How fast each phone at each port is, second by second, compared with its neighbours on the bus. Pure arithmetic.

Seconds are compared with the same seconds of others, because phones that send at once share their bus. Only a phone
that has the bus to itself is compared with what others reach at any time: sharing would make them slower, not faster.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

SLOW = 0.25
"""A port with less than this share of its neighbours' rate is slow. Phones that share a bus get equal parts of it, but
an old phone stores at a third of the speed of a new one; a bad cable links at a fortieth, or repeats most packets."""

SECONDS = 3
"""Seconds of sending, each compared with its neighbours', that make a rate: fewer may be one stall of a phone."""

BYTES = 1_000_000
"""Bytes that make a rate: fewer are swallowed by the buffers on the way."""

MOST = 60
"""The newest seconds of a phone that are looked at: enough for a median, and quick with sixty phones."""

BUSY = 0.5
"""Part of a second in which a port must have been sending for that second to count."""


class Seat(NamedTuple):
    """A phone at a port."""

    where: str
    who: str


@dataclass
class Second:
    """What went over one bus in one second: bytes, and the part of the second in which they did, by seat."""

    sent: dict[Seat, tuple[float, float]] = field(default_factory=dict)
    _rates: dict[Seat, tuple[float, float | None]] | None = None

    def add(self, seat: Seat, count: float, time: float) -> None:
        before = self.sent.get(seat, (0.0, 0.0))
        self.sent[seat] = before[0] + count, before[1] + time
        self._rates = None

    def rates(self) -> dict[Seat, tuple[float, float | None]]:
        """Of each seat that was busy: its bytes per second, and its neighbours' (None: it was alone)."""
        if self._rates is None:
            rates = {seat: count / time for seat, (count, time) in self.sent.items() if time >= BUSY}
            self._rates = {
                seat: (rate, others[1]) for seat, rate in rates.items() if (others := self._others(seat, rates))[0]
            }
        return self._rates

    def _others(self, seat: Seat, rates: dict[Seat, float]) -> tuple[bool, float | None]:
        others = [rate for other, rate in rates.items() if other.where != seat.where]
        if others:
            return True, median(others)
        return all(other.where == seat.where for other in self.sent), None


@dataclass
class _Seen:
    """The rates of one seat, second by second."""

    shared: list[tuple[float, float]] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    @property
    def all(self) -> list[float]:
        return [rate for rate, _ in self.shared] + self.alone


class Pace(NamedTuple):
    """Bytes per second of a seat, and of its neighbours: in the same seconds, or at other times (``alone``)."""

    own: float
    others: float
    alone: bool

    @property
    def slow(self) -> bool:
        return self.own < SLOW * self.others


def _is_enough(rates: Sequence[float]) -> bool:
    return len(rates) >= SECONDS and math.fsum(rates) >= BYTES


def paces(seconds: Iterable[Second]) -> dict[Seat, Pace]:
    """The pace of every seat of a bus that can be compared; where both comparisons can be made, the worse one.

    ``seconds``: the newest first.
    """
    seen: defaultdict[Seat, _Seen] = defaultdict(_Seen)
    for second in seconds:
        for seat, (rate, others) in second.rates().items():
            found = seen[seat]
            if others is None and len(found.alone) < MOST:
                found.alone.append(rate)
            elif others is not None and len(found.shared) < MOST:
                found.shared.append((rate, others))
    usual = {seat: median(found.all) for seat, found in seen.items() if _is_enough(found.all)}
    found_paces: dict[Seat, Pace] = {}
    for seat, found in seen.items():
        if compared := list(_compared(seat, found, usual)):
            found_paces[seat] = min(compared, key=lambda pace: (pace.own / pace.others, pace.alone))
    return found_paces


def _compared(seat: Seat, found: _Seen, usual: dict[Seat, float]) -> Iterator[Pace]:
    if _is_enough([rate for rate, _ in found.shared]):
        yield Pace(median(rate for rate, _ in found.shared), median(others for _, others in found.shared), alone=False)
    others = [rate for other, rate in usual.items() if other.where != seat.where and other.who != seat.who]
    if others and _is_enough(found.alone):
        yield Pace(median(found.alone), median(others), alone=True)
