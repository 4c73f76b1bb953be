"""Third verb: carry out the steps of a plan, one item after another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from provision.device import Device
from provision.errors import DeviceError, NotReady, Stopped, Unplugged
from provision.model import Item, Step
from provision.progress import Say

_LOG = logging.getLogger("fleet.device")

_BYTES_EVERY = 0.1
"""Seconds between two ``bytes`` events of one item: a screen needs no more."""


@dataclass(frozen=True)
class Attempt:
    """An item that was begun. Without ``error`` every action of it was accepted, which is not yet read back."""

    item: Item
    error: DeviceError | None = None

    @property
    def lost(self) -> bool:
        """The device went away in this attempt: nothing more can be asked of it."""
        return isinstance(self.error, Unplugged | NotReady | Stopped)


def apply(device: Device, items: Iterable[Item], say: Say) -> tuple[Attempt, ...]:
    """Carry out ``items`` in order. A refusal ends its item; a lost device ends the list, the last attempt says so."""
    attempts: list[Attempt] = []
    for item in items:
        attempts.append(_attempt(device, item, say))
        if attempts[-1].lost:
            break
    return tuple(attempts)


def _attempt(device: Device, item: Item, say: Say) -> Attempt:
    assert isinstance(item.state, Step)
    total = sum(action.size for action in item.state.actions)
    say("step", item=item.id, want=item.want, why=item.state.why, size=total)
    progress = _counter(item, total, say)
    try:
        for action in item.state.actions:
            _LOG.info("%s %s: %s", device.identity.serial, item.id, action.masked)
            device.perform(action, progress)
    except DeviceError as error:
        _LOG.info("%s %s: %s %r", device.identity.serial, item.id, error, getattr(error, "evidence", ""))
        return Attempt(item, error)
    return Attempt(item)


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
