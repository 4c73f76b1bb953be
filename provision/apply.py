"""Third verb: carry out the steps of a plan, one item after another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Self

from provision.device import Device
from provision.errors import DeviceError, NoAnswer, NotReady, Stopped, Unplugged
from provision.lanes import Lane
from provision.model import Action, Effect, Item, Step
from provision.progress import Say, both

_LOG = logging.getLogger("fleet.device")

_BYTES_EVERY = 0.1
"""Seconds between two ``bytes`` events of one item: a screen needs no more."""

_UNDER_WAY = 2
"""Items of one device that may overlap: one being sent, one being digested."""


@dataclass(frozen=True)
class Attempt:
    """An item that was begun. Without ``error`` every action of it was accepted, which is not yet read back."""

    item: Item
    error: DeviceError | None = None

    @property
    def lost(self) -> bool:
        """The device went away or fell silent in this attempt: nothing more can be asked of it."""
        return isinstance(self.error, Unplugged | NotReady | Stopped | NoAnswer)

    @property
    def anew(self) -> bool:
        """It made another device of it (restarted, erased, …), or tried to."""
        return isinstance(self.item.state, Step) and self.item.state.effect is not Effect.NONE


def apply(device: Device, items: Iterable[Item], say: Say, lane: Lane) -> tuple[Attempt, ...]:
    """Carry out ``items`` in order. A refusal ends its item; a lost device ends the list, some attempt says so, and so
    does an item after which it is looked at anew.

    Items that overlap (installs) are two under way at most: while the device is still busy with one, the bytes of the
    next are sent. The largest goes first, so that the device is not long busy with the last one when all is sent.
    """
    attempts: list[Attempt] = []
    for overlaps, group in groupby(items, key=_overlaps):
        work = _side_by_side if overlaps else _in_turn
        attempts += work(device, list(group), say, lane)
        if _ends(attempts):
            break
    return tuple(attempts)


def _ends(attempts: Sequence[Attempt]) -> bool:
    """Nothing more can be asked of the device, or what was planned for it before it was erased holds no more."""
    return any(attempt.lost or attempt.anew for attempt in attempts)


def _overlaps(item: Item) -> bool:
    return isinstance(item.state, Step) and item.state.overlaps


def _in_turn(device: Device, items: Sequence[Item], say: Say, lane: Lane) -> list[Attempt]:
    attempts: list[Attempt] = []
    for item in items:
        attempts.append(_attempt(device, item, say, lane))
        if _ends(attempts):
            break
    return attempts


def _side_by_side(device: Device, items: Sequence[Item], say: Say, lane: Lane) -> list[Attempt]:
    lost = threading.Event()

    def attempt(item: Item) -> Attempt | None:
        if lost.is_set():
            return None
        done = _attempt(device, item, say, lane)
        if done.lost:
            lost.set()
        return done

    with ThreadPoolExecutor(_UNDER_WAY, thread_name_prefix="item") as pool:
        return [done for done in pool.map(attempt, sorted(items, key=_size, reverse=True)) if done]


def _size(item: Item) -> int:
    return sum(action.size for action in item.state.actions) if isinstance(item.state, Step) else 0


def _attempt(device: Device, item: Item, say: Say, lane: Lane) -> Attempt:
    assert isinstance(item.state, Step)
    total = _size(item)
    hands = {"hands": item.state.hands, "seconds": item.state.seconds} if item.state.hands else {}
    say("step", item=item.id, want=item.want, why=item.state.why, size=total, **hands)
    progress = _counter(item, total, say)
    begun = time.monotonic()
    error = _carry_out(device, item, item.state.actions, progress, lane)
    say("done", item=item.id, accepted=error is None, seconds=round(time.monotonic() - begun, 3))
    return Attempt(item, error)


def _carry_out(
    device: Device, item: Item, actions: Iterable[Action], progress: Callable[[int], None], lane: Lane
) -> DeviceError | None:
    try:
        for action in actions:
            _LOG.info("%s %s: %s", device.identity.serial, item.id, action.masked)
            with _Turn(lane, action.size) as turn:
                if action.size:
                    progress(0)  # so that the wait for a turn is not taken for a slow link
                device.perform(action, both(turn.sent, progress))
    except DeviceError as error:
        _LOG.info("%s %s: %s %r", device.identity.serial, item.id, error, getattr(error, "evidence", ""))
        return error
    return None


class _Turn:
    """The lane for as long as bytes of one action are being sent: given back with the last one, not with the answer."""

    def __init__(self, lane: Lane, size: int) -> None:
        self._lane = lane
        self._left = size
        self._taken = size > 0

    def __enter__(self) -> Self:
        if self._taken:
            self._lane.enter()
        return self

    def sent(self, count: int) -> None:
        self._lane.sent(count)
        self._left -= count
        if self._left <= 0:
            self._give_back()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._taken:
            self._taken = False
            self._lane.leave()


def _counter(item: Item, total: int, say: Say) -> Callable[[int], None]:
    sent = 0
    last = 0.0

    def progress(count: int) -> None:
        nonlocal sent, last
        sent += count
        clock = time.monotonic()
        if clock - last >= _BYTES_EVERY or sent >= total:
            last = clock
            say("bytes", item=item.id, sent=sent, size=total)

    return progress
