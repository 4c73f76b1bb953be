"""How fast a bench works: units per hour, when the rest will be done, and which steps take longest.

Pure arithmetic on times, for the live screen and for the report alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

PAUSE = timedelta(minutes=15)
"""A gap longer than this in which nothing happens is no work: lunch, the night, a bench without phones."""

Span = tuple[datetime, datetime]


def worked(spans: Iterable[Span]) -> timedelta:
    """The time that ``spans`` (begin, end) cover together; gaps up to :data:`PAUSE` between them count as work too."""
    total = timedelta()
    until: datetime | None = None
    for begin, end in sorted(spans):
        if until is None or begin - until > PAUSE:
            until = begin
        if end > until:
            total += end - until
            until = end
    return total


def per_hour(units: int, time: timedelta) -> float | None:
    """``None`` where nothing was finished or no time has passed."""
    return units / (time / timedelta(hours=1)) if units and time > timedelta() else None


def pace(finished: Sequence[datetime], since: datetime | None = None) -> float | None:
    """Units per hour from the moments at which they were finished, pauses left out.

    ``since`` is when work on the first of them began; without it the first one only starts the clock.
    """
    moments = sorted(finished)
    units = len(moments) if since is not None else len(moments) - 1
    if since is not None:
        moments = [since, *moments]
    return per_hour(units, worked((moment, moment) for moment in moments)) if units > 0 else None


def finish(left: int, rate: float | None, now: datetime) -> datetime | None:
    """When ``left`` more units will be done at ``rate`` per hour without a pause; ``None`` where it is unknown."""
    try:
        return now + timedelta(hours=left / rate) if rate else None
    except OverflowError:
        return None


@dataclass(frozen=True)
class Slow:
    """A step of a model: how often it was done, seconds of the middle one and of the slowest tenth, and its ``share``
    (0 to 1) of the time that runs on this model took; ``None`` where that is unknown."""

    model: str
    item: str
    times: int
    median: float
    p90: float
    share: float | None


def slowest(
    seconds: Mapping[tuple[str, str], Sequence[float]], runs: Mapping[str, float], most: int = 10
) -> tuple[Slow, ...]:
    """The ``most`` steps that cost most time. ``seconds``: of each (model, item); ``runs``: of all runs by model."""
    costly = sorted((key for key in seconds if seconds[key]), key=lambda key: (-math.fsum(seconds[key]), key))
    return tuple(_slow(*key, sorted(seconds[key]), runs.get(key[0], 0.0)) for key in costly[:most])


def _slow(model: str, item: str, ordered: Sequence[float], run: float) -> Slow:
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    share = min(1.0, math.fsum(ordered) / run) if run > 0 else None
    return Slow(model, item, len(ordered), median(ordered), p90, share)
