"""Who may send when: a bus of simulated transfers on a clock of its own, and real threads that fail inside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.lanes import Bus, Lane, Lanes

STEP = 0.1
SETTLED = 20
"""Windows of a second in which a limit has to be found."""


class Phones:
    """So many phones that always want to send, each on a thread; ``active`` are those that the bus has let in."""

    def __init__(self, bus: Bus, number: int) -> None:
        self.bus = bus
        self.number = number
        self.active = 0
        self._changed = threading.Condition()
        self._to_leave = 0
        self._threads = [threading.Thread(target=self._send) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while True:
            self.bus.enter()
            with self._changed:
                self.active += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._to_leave)
                self._to_leave -= 1
                self.active -= 1
                self._changed.notify_all()
                ended = self.number == 0
            self.bus.leave()
            if ended:
                return

    def wait_until_let_in(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.active >= min(self.bus.limit, self.number), 10), "nobody came in"

    def leave(self, count: int) -> None:
        """So many have sent all that they had; they come again."""
        with self._changed:
            self._to_leave += count
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: not self._to_leave, 10)

    def end(self) -> None:
        with self._changed:
            self.number = 0
            self._to_leave = len(self._threads)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a phone waits for ever"


class Simulation:
    """A bus on which ``total(n)`` bytes per second pass when n send at once."""

    def __init__(self, total: Callable[[int], float], phones: int) -> None:
        self.now = 0.0
        self.total = total
        self.bus = Bus(clock=lambda: self.now)
        self.phones = Phones(self.bus, phones)
        self.limits: list[int] = []

    def run(self, seconds: float) -> None:
        for tick in range(round(seconds / STEP)):
            self.phones.wait_until_let_in()
            active = self.phones.active
            self.now += STEP
            for _ in range(active):
                self.bus.sent(round(self.total(active) * STEP / active))
            # Whoever was let in when there were more places has to go for the limit to hold.
            self.phones.leave(max(1 if tick % 7 == 0 else 0, active - self.bus.limit))
            self.limits.append(self.bus.limit)


@contextmanager
def simulated(total: Callable[[int], float], phones: int) -> Iterator[Simulation]:
    simulation = Simulation(total, phones)
    try:
        yield simulation
    finally:
        simulation.phones.end()


def rises_to(best: int, *, then: float) -> Callable[[int], float]:
    """Each of the first ``best`` transfers adds as much; each one more leaves ``then`` of the total."""
    return lambda number: 6e6 * min(number, best) * then ** max(0, number - best)


@settings(max_examples=12)
@given(best=st.integers(1, 9), then=st.sampled_from([1.0, 0.97, 0.8]))
def test_the_limit_settles_where_the_bus_is_full(best: int, then: float) -> None:
    with simulated(rises_to(best, then=then), phones=14) as simulation:
        simulation.run(SETTLED)

        assert simulation.bus.limit == best
        assert max(simulation.limits) <= best + 2


@pytest.mark.parametrize(("before", "after"), [(6, 2), (2, 6), (3, 1)])
def test_it_is_tried_again_after_half_a_minute(before: int, after: int) -> None:
    with simulated(rises_to(before, then=0.9), phones=12) as simulation:
        simulation.run(SETTLED)
        assert simulation.bus.limit == before

        simulation.total = rises_to(after, then=0.9)
        simulation.run(38)

        assert simulation.bus.limit == after


@settings(max_examples=15)
@given(rates=st.lists(st.integers(0, 10**9), min_size=1, max_size=6), phones=st.integers(1, 5))
def test_whatever_is_measured_somebody_may_send(rates: list[int], phones: int) -> None:
    with simulated(lambda _: 0.0, phones) as simulation:
        for rate in rates:
            simulation.total = lambda number, rate=rate: float(rate * number)  # type: ignore[misc]
            simulation.run(2)

        assert min(simulation.limits) >= 1
        assert simulation.bus.limit <= phones + 1


def test_the_limit_stays_while_nobody_is_kept_waiting() -> None:
    with simulated(rises_to(9, then=1.0), phones=2) as simulation:
        simulation.run(10)

        assert simulation.bus.limit == 2


def test_a_bus_that_was_idle_is_not_taken_for_a_slow_one() -> None:
    with simulated(rises_to(4, then=1.0), phones=0) as simulation:
        simulation.now = 3600.0
        simulation.phones = Phones(simulation.bus, 8)
        simulation.run(SETTLED)

        assert simulation.bus.limit == 4


def test_threads_that_fail_give_their_places_back() -> None:
    lanes = Lanes()
    devices = [lanes.to(f"1-{number}") for number in range(20)]
    passed = []

    def fail(lane: Lane) -> None:
        for _ in range(20):
            lane.enter()
            try:
                lane.sent(1000)
                raise OSError
            except OSError:
                passed.append(1)
            finally:
                lane.leave()

    # Two of each device: one is sending, one waits for it.
    threads = [threading.Thread(target=fail, args=(lane,)) for lane in devices * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert len(passed) == 20 * len(threads)


def test_one_device_sends_one_thing_at_a_time() -> None:
    lane = Lanes().to("")
    lane.enter()
    second = threading.Thread(target=lane.enter)
    second.start()
    second.join(0.05)
    assert second.is_alive()

    lane.leave()
    second.join(10)

    assert not second.is_alive()


def test_only_ports_of_one_bus_share_it() -> None:
    lanes = Lanes()
    held = [lanes.to(port) for port in ("1-1", "1-2.3", "2-1", "", "", "usb")]
    for lane in held:
        lane.enter()
    third = threading.Thread(target=lanes.to("1-4").enter)
    third.start()
    third.join(0.05)
    assert third.is_alive(), "two on bus 1 are enough before anything is known"

    held[0].leave()
    third.join(10)

    assert not third.is_alive()
