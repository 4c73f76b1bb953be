"""One fleet at a time on one thing: a lock that the system gives back when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(Exception):
    """Somebody else has the lock. ``process`` is their id, 0 when not known."""

    def __init__(self, process: int) -> None:
        super().__init__(process)
        self.process = process


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """The lock on ``path``, whose folder must be there; raises :class:`Held`. The file stays: only its lock matters."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(_holder(file.read())) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _holder(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0
