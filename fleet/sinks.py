"""Those who listen to a run: none of them can end it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from provision.progress import Emit, Progress


class Sinks:
    """Several listeners as one. The first OSError of one (disk full, reader gone) silences that one only.

    ``failures`` are these errors by the names that the listeners were given. Safe to call from many threads.
    """

    def __init__(self, listeners: Mapping[str, Emit]) -> None:
        self.failures: dict[str, OSError] = {}
        self._listeners = dict(listeners)
        self._lock = threading.Lock()

    def emit(self, progress: Progress) -> None:
        """A :data:`provision.progress.Emit`."""
        for name, listener in tuple(self._listeners.items()):
            try:
                listener(progress)
            except OSError as error:
                with self._lock:
                    self._listeners.pop(name, None)
                    self.failures.setdefault(name, error)

    def told(self) -> tuple[str, ...]:
        """A sentence for every one that fell silent. A reader that has gone wants to hear nothing."""
        return tuple(
            f"{name[:1].upper()}{name[1:]} ended early: {error.strerror}. The work went on."
            for name, error in self.failures.items()
            if not isinstance(error, BrokenPipeError)
        )
