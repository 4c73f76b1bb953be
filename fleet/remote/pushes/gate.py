"""Which waves of a push may go on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.remote.pushes.work import BUSY, State, Wave
from provision.text import counted


@dataclass(frozen=True)
class Gate:
    """``wave``: sites up to this one may be visited. ``stop``: why none may be, "" where nothing speaks against it.

    ``over``: every site has it or needs somebody. ``left``: sites that will be tried again.
    """

    wave: int
    stop: str = ""
    over: bool = False
    left: int = 0


def gate(waves: Sequence[Wave], stop_at: int) -> Gate:
    """A wave opens when the one before has it, and it was read back there: sites that are off do not hold it up, as
    long as one has it. More than ``stop_at`` percent of a wave that failed, sites or devices at them, stop all.
    """
    left = sum(wave.of(State.WAITING, *BUSY) for wave in waves)
    for wave in waves:
        if wave.failed * 100 > stop_at * wave.total:
            return Gate(
                wave.number, f"{wave.failed} of {counted(wave.total, 'site')} of wave {wave.number} failed", left=left
            )
        under_way = wave.of(State.WAITING, *BUSY) - wave.off
        nobody = wave.of(State.DONE) == 0 and wave.off > 0
        if under_way or nobody:
            return Gate(wave.number, left=left)
    return Gate(waves[-1].number if waves else 0, over=left == 0)
