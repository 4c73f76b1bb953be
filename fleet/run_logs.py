"""The run logs of a bench, line by line: what is broken or of another time is counted, and never stops a report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fleet.errors import HomeError

VERSION = 1
_LONGEST = 1 << 20
"""Bytes of a line that are read; what is longer was not written by a run."""


@dataclass(frozen=True)
class Event:
    """One line of a log (docs/json.md), with its time."""

    name: str
    at: datetime
    fields: Mapping[str, object]

    def text(self, field: str) -> str:
        """ "" where it is missing or no text."""
        value = self.fields.get(field)
        return value if isinstance(value, str) else ""

    def number(self, field: str) -> float:
        """0 where it is missing, no number or less than 0."""
        value = self.fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return 0.0
        try:
            return max(0.0, float(value)) if math.isfinite(value) else 0.0
        except OverflowError:
            return 0.0


@dataclass
class Skipped:
    """Lines that were not taken: broken or cut off, of another version, or later than this computer's clock."""

    broken: int = 0
    version: int = 0
    future: int = 0


def logs(folder: Path, since: datetime | None, now: datetime, skipped: Skipped) -> Iterator[Iterator[Event]]:
    """Each log of a folder, oldest first; none where there is no folder. HomeError when one cannot be read.

    A log that was last written to before ``since`` holds nothing of the time after it and is not opened.
    """
    for path in sorted(folder.glob("*.jsonl")):
        if since is None or path.stat().st_mtime >= since.timestamp():
            yield read(path, since, now, skipped)


def read(path: Path, since: datetime | None, now: datetime, skipped: Skipped) -> Iterator[Event]:
    """The events of one log from ``since`` to ``now``, in the order of the file. HomeError when it cannot be read."""
    try:
        with path.open("rb") as file:
            for line in _lines(file):
                if (event := parse(line, now, skipped)) and (since is None or event.at >= since):
                    yield event
    except OSError as error:
        raise HomeError(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from error


def parse(line: bytes, now: datetime, skipped: Skipped) -> Event | None:
    """The event that a line holds. ``None`` for the last of a log, which has no time, and for what is counted."""
    try:
        tree = json.loads(line)
        name, version = tree["event"], tree["v"]
        at = _time(tree["at"]) if "at" in tree else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        skipped.broken += 1
        return None
    if version != VERSION:
        skipped.version += 1
    elif not isinstance(name, str):
        skipped.broken += 1
    elif at is not None and at > now:
        skipped.future += 1
    elif at is not None:
        return Event(name, at, tree)
    return None


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at.astimezone(UTC)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Each line; of one that is too long a piece that no JSON parser takes."""
    while line := file.readline(_LONGEST):
        yield line
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            line = file.readline(_LONGEST)
