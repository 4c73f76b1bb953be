"""How many requests for a configuration one process on one processor answers, against a bare starlette route that does
the same single read of the database, in the same run; and how many processes a million phones take.

    .venv/bin/python -m bench.agents [--database postgresql|sqlite] [--seconds N] [--phones N]

The ratio is the median of rounds, turn by turn, and that of the processor's time, as the database or who asks may be
what bounds both; it fails when either is below 0.5. In ``known`` nothing is new within a minute and nothing is written;
in ``kept`` every contact is written down, as one in fifteen minutes is. A million phones, each once in 15 minutes, are
1,100 requests a second.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.athome.asking import Asked, ask
from bench.athome.world import database, filled, requests
from fleet.home import Home

_LEAST = 0.5
_WANTED = 1100
_FULL = 0.8
_FIRST, *_OTHERS = sorted(os.sched_getaffinity(0))
"""The server has the first processor; who asks, and the database, the others."""

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(kind: str, home: Home, address: str) -> Iterator[tuple[int, int]]:
    """The port and process of a server, on the first processor."""
    words = (kind, home.path, address, home.path / "profile", _FIRST)
    with subprocess.Popen(
        [sys.executable, "-m", "bench.athome.serving", *map(str, words)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


def processor(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@dataclass(frozen=True)
class Compared:
    """``rate`` of ours (requests/s); ``ratio`` to the bare route, of rates or of what both cost, whichever is less;
    ``cost`` of a request in seconds of the processor, and which part of the time ours was ``busy``."""

    rate: float
    ratio: float
    cost: float
    busy: float


def compared(kind: str, phones: int, seconds: float, rounds: int, *, known: bool) -> Compared:
    """Ours and the bare route, turn by turn; prints what came of it."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Home(Path(folder))
        where = stack.enter_context(database(kind, home))
        with filled(home, where, phones, known=known) as (_, numbers):
            asked = requests(numbers)
        ours, pid = stack.enter_context(started("ours", home, where))
        bare, other_pid = stack.enter_context(started("bare", home, where))
        for port in (ours, bare):
            ask(port, asked[:50], seconds=0.5)
        pairs: list[tuple[Asked, Asked]] = []
        idle = processor(pid), processor(other_pid)
        for turn in range(rounds):
            fresh = asked[turn * len(asked) // rounds :]
            pairs.append((ask(ours, fresh, seconds=seconds), ask(bare, fresh, seconds=seconds)))
        worked, others = processor(pid) - idle[0], processor(other_pid) - idle[1]
    assert not any(mine.bad or other.bad for mine, other in pairs), "an answer that was none"
    rate = statistics.median(mine.rate for mine, _ in pairs)
    ratio = statistics.median(mine.rate / other.rate for mine, other in pairs)
    busy = worked / sum(mine.seconds for mine, _ in pairs)
    cost = worked / sum(mine.answers for mine, _ in pairs)
    bare_cost = others / sum(other.answers for _, other in pairs)
    late = sorted(took for mine, _ in pairs for took in mine.times)[-sum(mine.answers for mine, _ in pairs) // 100]
    print(
        f"{kind}, {'known' if known else 'kept'}: {rate:,.0f} requests/s, bare route {rate / ratio:,.0f}: "
        f"ratio {ratio:.2f} (at least {_LEAST}), by the processor's time {bare_cost / cost:.2f}; "
        f"99 % within {late * 1000:.0f} ms"
    )
    return Compared(rate, min(ratio, bare_cost / cost), cost, busy)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--phones", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    os.sched_setaffinity(0, _OTHERS or {_FIRST})
    common = (wanted.database, wanted.phones, wanted.seconds, wanted.rounds)
    known = compared(*common, known=True)
    kept = compared(*common, known=False)
    bound = "its processor" if kept.busy > _FULL else "what else runs on this computer, and the database"
    print(
        f"{_WANTED:,} requests/s take {math.ceil(_WANTED / kept.rate)} processes like this one: {bound} bounds it. "
        f"Each request costs {kept.cost * 1000:.2f} ms of a processor, which is busy {kept.busy:.0%} of the time."
    )
    return 0 if known.ratio >= _LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
