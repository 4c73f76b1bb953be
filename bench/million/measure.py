"""Timing commands turn by turn, and telling how they did against their marks."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FLEET = Path(sys.executable).with_name("fleet")
START = (sys.executable, "-c", "import click, rich.table, sqlalchemy")
Words = Sequence[str | Path]


@dataclass(frozen=True)
class Cost:
    """``seconds`` by the clock, ``processor`` seconds of the process; ``memory``: the most that it had, in MB."""

    seconds: float
    processor: float
    memory: float


@dataclass
class Marks:
    """What was found so far."""

    missed: list[str] = field(default_factory=list)

    def tell(self, what: str, found: float, most: float | None, how: str) -> None:
        """A line: the ratio to the mark, which may be ``most``; ``None``: there is no mark, it is for comparing."""
        bound = "" if most is None else f" (at most {most:g})"
        missed = most is not None and found > most
        print(f"{'MISSED' if missed else '      '} {found:6.2f}{bound:17} {what}: {how}", flush=True)
        if missed:
            self.missed.append(what)


def cost(words: Words, codes: Sequence[int] = (0,)) -> Cost:
    """Run to the end; what it prints is thrown away."""
    start = time.perf_counter()
    process = subprocess.Popen(words, env=_compiled(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    assert process.returncode in codes, (words, process.returncode)
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


@cache
def _compiled() -> Mapping[str, str]:
    """Modules are compiled once, as they are where fleet is installed, but not into this tree."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"schoolbag-bench-{os.getuid()}")}


@dataclass(frozen=True)
class Turns:
    """The seconds of several commands, each run so many times, turn by turn: what else the computer does meets all."""

    seconds: Mapping[str, Sequence[float]]

    def told(self) -> str:
        """The median of each, in milliseconds."""
        return ", ".join(f"{name} {statistics.median(took) * 1000:.0f} ms" for name, took in self.seconds.items())

    def ratio(self, of: Callable[[Mapping[str, float]], float]) -> float:
        """The median of what ``of`` makes of each turn."""
        names = list(self.seconds)
        return statistics.median(
            of(dict(zip(names, turn, strict=True))) for turn in zip(*self.seconds.values(), strict=True)
        )


def turns(commands: Mapping[str, Words], times: int, codes: Sequence[int] = (0,), *, processor: bool = False) -> Turns:
    """Once each for the page cache, then ``times`` in turn. ``processor``: its seconds, not those of the clock."""
    for words in commands.values():
        cost(words, codes)
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times):
        for name, words in commands.items():
            took = cost(words, codes)
            found[name].append(took.processor if processor else took.seconds)
    return Turns(found)
