"""The contents that agents may fetch from this computer: those of releases, or of the profiles that a bench uses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.remote.releases.store import Store

_LOOK_AGAIN = 30.0
"""Seconds for which it is believed that a content is here, or is not."""

_MOST = 200_000


@dataclass
class Blobs:
    """Contents by SHA-256 (hex): of ``store``, or at the places of ``paths``. Safe to share by threads."""

    store: Store | None = None
    paths: dict[str, Path] = field(default_factory=dict)
    _seen: dict[str, tuple[bool, float]] = field(default_factory=dict)

    def add(self, paths: Mapping[str, Path]) -> None:
        """More contents, by their hash."""
        self.paths.update(paths)
        self._seen.clear()

    def path(self, sha256: str) -> Path | None:
        """Where a content is; ``None`` when it is not here. The caller has seen that it is a hash."""
        place = self.paths.get(sha256) or (self.store.blob(sha256) if self.store else None)
        return place if place and place.is_file() else None

    def holds(self, sha256: str) -> bool:
        """Whether a content is here, or was a moment ago."""
        seen = self._seen.get(sha256)
        now = time.monotonic()
        if seen is None or seen[1] < now:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            seen = self._seen[sha256] = (self.path(sha256) is not None, now + _LOOK_AGAIN)
        return seen[0]
