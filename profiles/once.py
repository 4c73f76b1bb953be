"""Data files are read when they are first needed, and once: also when sixty threads need one at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once(read: Callable[[], T]) -> Callable[[], T]:
    """``read`` run by one thread, and its value kept; ``functools.cache`` would let every thread read that comes before
    the first has ended. An exception is not kept."""
    reading = threading.Lock()
    kept: list[T] = []

    def value() -> T:
        if not kept:
            with reading:
                if not kept:
                    kept.append(read())
        return kept[0]

    return value
