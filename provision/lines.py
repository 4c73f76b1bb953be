"""JSON lines: one object per line, each with ``v`` and ``event``. Shapes in docs/json.md."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TextIO

from provision.progress import Progress

VERSION = 1


class Lines:
    """Writes objects to ``out``, a line each, flushed; safe to call from many threads."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def write(self, event: str, fields: Mapping[str, object]) -> None:
        line = json.dumps({"v": VERSION, "event": event, **fields})
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def emit(self, progress: Progress) -> None:
        """A :data:`provision.progress.Emit`."""
        place = {
            "at": progress.at,
            "address": progress.address,
            "serial": progress.serial,
            "unit": progress.unit,
        }
        self.write(progress.event, {**place, **progress.fields})
