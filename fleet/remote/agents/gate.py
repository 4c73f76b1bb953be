"""Which waves of a push by way of agents may go on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provision.text import counted

ENOUGH = 10
"""From so many units that told how it went, their share of failures counts; before that, the share of the wave."""


@dataclass(frozen=True)
class Wave:
    """How many units of a wave stand how. ``wanted``: it is wanted of them, and they have not fetched it; ``fetched``:
    they have, and have not told more. ``failed``: they fetched it, and told later that something differs, or that
    their agent is not the owner any more; ``failed_since`` of these told it since the push was begun, resumed, or its
    wave opened. ``silent_wanted`` and ``silent_fetched`` of those did not come for a day, only wait for Wi-Fi, or
    fetched it a day ago and told neither good nor bad."""

    number: int
    wanted: int = 0
    fetched: int = 0
    confirmed: int = 0
    failed: int = 0
    failed_since: int = 0
    silent_wanted: int = 0
    silent_fetched: int = 0

    @property
    def total(self) -> int:
        """All units of it."""
        return self.wanted + self.fetched + self.confirmed + self.failed

    @property
    def silent(self) -> int:
        """Those of which nobody waits to hear."""
        return self.silent_wanted + self.silent_fetched


@dataclass(frozen=True)
class Gate:
    """``wave``: the last that is open. ``stop``: why nobody else may have it, "" where nothing speaks against it.
    ``over``: every wave is open, and whoever comes has it."""

    wave: int
    stop: str = ""
    over: bool = False


def gate(waves: Sequence[Wave], is_open: int, stop_at: int, *, waited: bool) -> Gate:
    """What may be now, where the waves up to ``is_open`` are; ``waited``: the last was opened a day ago or more.

    The next one opens when a unit of the last confirmed it, and none is between fetching and confirming. Units that
    come and have not fetched it hold it up for a day at most, silent ones do not. More than ``stop_at`` percent of
    those that told how it went, or of the whole wave, that failed stop all; so does a wave that nobody has after a day.
    """
    for wave in waves[:is_open]:
        if why := _failing(wave, stop_at):
            return Gate(is_open, why)
    last = waves[is_open - 1]
    if last.total and not (last.confirmed and _settled(last, waited=waited)):
        nobody = waited and not last.confirmed and _settled(last, waited=True)
        return Gate(is_open, f"nobody of wave {last.number} has it after 24 hours" if nobody else "")
    if is_open < len(waves):
        return Gate(is_open + 1)
    return Gate(is_open, over=all(_settled(wave, waited=waited) for wave in waves))


def _failing(wave: Wave, stop_at: int) -> str:
    """Why it stops all, "" where it does not: a large wave comes in slowly, and need not have come to be judged."""
    told, failed = wave.confirmed + wave.failed, wave.failed_since
    for number, what in ((wave.total, "unit"), (told if told >= ENOUGH else 0, "answer")):
        if number and failed * 100 > stop_at * number:
            return f"{failed} of {counted(number, what)} of wave {wave.number} failed"
    return ""


def _settled(wave: Wave, *, waited: bool) -> bool:
    """Whether nobody of it who comes is still at it."""
    nobody_between = wave.fetched == wave.silent_fetched
    return nobody_between and (waited or wave.wanted == wave.silent_wanted)
