"""Pushes 200 MB to a virtual phone through our link and through ``adb push``, turn by turn, and prints the ratio.

    .venv/bin/python -m bench.push [--pairs N] [--size MB] [--adb PROGRAM]

The anchor is the adb program in the same run; the number is the median over the pairs of (its time / our time), so 1.0
is as fast and more is faster. It fails below 1.0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from provision.android.adb import Link
from provision.android.server import find_adb, start_private

REMOTE = "/sdcard/push.bin"
MB = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--size", type=int, default=200, help="megabytes")
    parser.add_argument("--adb", type=Path, default=find_adb())
    wanted = parser.parse_args()
    if wanted.adb is None:
        parser.error("no adb program is found: pass --adb PROGRAM")
    with tempfile.TemporaryDirectory() as directory, virtual_phone(wanted.adb) as link:
        source = Path(directory) / "push.bin"
        source.write_bytes(os.urandom(MB) * wanted.size)
        anchor(wanted.adb, link, source)
        ours(link, source)
        pairs = [measure(wanted.adb, link, source, ours_first=at % 2 == 0) for at in range(wanted.pairs)]
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    rates = [wanted.size / statistics.median(times) for times in zip(*pairs, strict=True)]
    print(f"push of {wanted.size} MB, median of {wanted.pairs}: {rates[0]:.0f} MB/s, adb {rates[1]:.0f} MB/s")
    print(f"ratio {ratio:.2f} (1.0 is as fast as adb push)")
    return 0 if ratio >= 1 else 1


def measure(adb: Path, link: Link, source: Path, *, ours_first: bool) -> tuple[float, float]:
    """Seconds that we took, seconds that adb took."""
    if ours_first:
        return ours(link, source), anchor(adb, link, source)
    theirs = anchor(adb, link, source)
    return ours(link, source), theirs


def ours(link: Link, source: Path) -> float:
    start = time.perf_counter()
    link.push(source, REMOTE)
    return time.perf_counter() - start


def anchor(adb: Path, link: Link, source: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        [adb, "-P", str(link.server.port), "-s", link.listed.address, "push", source, REMOTE],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


@contextlib.contextmanager
def virtual_phone(adb: Path) -> Iterator[Link]:
    """A link to one virtual phone, in a process of its own behind a private server of ``adb``."""
    with start_private(adb) as server:
        bench = subprocess.Popen(
            [sys.executable, "-m", "provision.virtual.bench", "--adb-port", str(server.port), "--phones", "1"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert bench.stdout
        try:
            bench.stdout.readline()
            yield server.link(server.devices()[0])
        finally:
            bench.terminate()
            bench.communicate(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
