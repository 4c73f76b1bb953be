"""Times ``fleet --help`` against a bare ``python -c "import click, rich"``, turn by turn, and prints the ratio.

    .venv/bin/python -m bench.start [--pairs N]

The number is the median of (help / bare). It fails above 1.5.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

FLEET = Path(sys.executable).with_name("fleet")


def seconds(*words: str | Path) -> float:
    start = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    wanted = parser.parse_args()
    bare = (sys.executable, "-c", "import click, rich")
    seconds(*bare)
    seconds(FLEET, "--help")
    ratio = statistics.median(seconds(FLEET, "--help") / seconds(*bare) for _ in range(wanted.pairs))
    print(f"fleet --help: ratio {ratio:.2f} (at most 1.5)")
    return 0 if ratio <= 1.5 else 1


if __name__ == "__main__":
    sys.exit(main())
