"""Provisions 60 virtual phones in a terminal of 80×24 and prints the longest time in which the picture stood still.

    .venv/bin/python -m bench.sixty [--phones N] [--adb PROGRAM]

The real program draws on a terminal (a pty) and what comes out of it is timed, from the first picture to the last: the
longest gap may not be more than 250 ms. The links are not throttled, so all phones answer and send as fast as two
processors let them, virtual phones and adb server included; that is more than 60 real phones can. The memory and the
processor time of ``fleet`` itself are printed per phone, and how long this computer kept a program waiting that does
nothing but sleep: where that is much, something else was running.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pty
import select
import statistics
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.thirty import FLEET, MIX, bench
from provision.android.server import find_adb

PROFILE = Path(__file__).parent.parent / "examples" / "profiles" / "sample.yaml"
MOST = 0.25
ROWS, COLUMNS = 24, 80
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
PATIENCE = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", type=int, default=60)
    parser.add_argument("--adb", type=Path, default=find_adb())
    wanted = parser.parse_args()
    if wanted.adb is None:
        parser.error("no adb program is found: pass --adb PROGRAM")
    phones = {"devices": [{"preset": MIX[at % len(MIX)]} for at in range(wanted.phones)]}
    with bench(wanted.adb, phones) as (port, home):
        start = time.perf_counter()
        pid, terminal = pty.fork()
        if pid == 0:
            env = {
                **os.environ,
                "FLEET_HOME": str(home),
                "ANDROID_ADB_SERVER_PORT": str(port),
                "TERM": "xterm-256color",
            }
            os.execve(FLEET, [str(FLEET), "provision", "--all", "--tags", "A", "--profile", str(PROFILE)], env)
        termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
        with lateness() as late:
            moments = drawn(terminal)
        _, status, used = os.wait4(pid, 0)
        os.close(terminal)
    seconds = time.perf_counter() - start
    gaps = sorted(after - before for before, after in itertools.pairwise(moments))
    longest, usual = gaps[-1] * 1000, statistics.median(gaps) * 1000
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
    print(f"{wanted.phones} phones in {seconds:.1f} s, exit code {os.waitstatus_to_exitcode(status)}")
    print(f"{len(moments)} pictures; longest gap {longest:.0f} ms (at most 250), median {usual:.0f} ms")
    print(
        f"a program that does nothing but sleep was kept waiting for {late() * 1000:.0f} ms on this computer meanwhile"
    )
    each = f"{cpu / wanted.phones:.2f} s of processor and {memory / wanted.phones:.1f} MB per phone"
    print(f"{each} ({cpu:.1f} s, {memory:.0f} MB)")
    return 0 if gaps[-1] <= MOST else 1


def drawn(terminal: int) -> list[float]:
    """The moments at which a picture was drawn: it hides the cursor before the first and shows it after the last."""
    moments: list[float] = []
    said = b""
    is_drawing = False
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            said = said[-len(SHOW) :] + os.read(terminal, 1 << 16)
        except OSError:
            # The program has ended.
            break
        is_drawing = (is_drawing or HIDE in said) and SHOW not in said
        if is_drawing:
            moments.append(time.perf_counter())
    return moments


@contextlib.contextmanager
def lateness() -> Iterator[Callable[[], float]]:
    """How many seconds a thread that wakes up often was late at worst: what no program can do anything about."""
    worst, end = 0.0, threading.Event()

    def watch() -> None:
        nonlocal worst
        before = time.perf_counter()
        while not end.wait(0.02):
            now = time.perf_counter()
            worst, before = max(worst, now - before - 0.02), now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: worst
    finally:
        end.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
