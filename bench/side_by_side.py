"""Provisions one virtual phone, then eight at once, on links that are the limit, and prints the ratio of the times.

    .venv/bin/python -m bench.side_by_side [--pairs N]

Every phone has a throttled link of its own and takes its time to install, as phones do. The number is the median of
(time of eight / time of one): 1.0 means that eight cost no more than one. It fails above 1.15. It also prints how many
round trips the facts of a phone take (at most 2), and a run on a phone that is as it should be (at most 4).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provision.android.server import start_private

FLEET = Path(sys.executable).with_name("fleet")
PROFILE = Path(__file__).parent.parent / "examples" / "profiles" / "sample.yaml"
RATE = 6_000
"""Bytes per second of each phone's link: the sample's 44 kB take some 8 s, so that processors hardly count."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    wanted = parser.parse_args()
    pairs = [(provision(1)["seconds"], provision(8)["seconds"]) for _ in range(wanted.pairs)]
    ratio = statistics.median(eight / one for one, eight in pairs)
    one, eight = (statistics.median(times) for times in zip(*pairs, strict=True))
    trips = provision(1, rate=None)["trips"]
    print(f"one phone {one:.1f} s, eight at once {eight:.1f} s, median of {wanted.pairs}")
    print(f"ratio {ratio:.2f} (at most 1.15)")
    print(f"round trips: facts {trips['facts']} (at most 2), a run with nothing to do {trips['again']} (at most 4)")
    return 0 if ratio <= 1.15 and trips["facts"] <= 2 and trips["again"] <= 4 else 1


def provision(number: int, rate: int | None = RATE) -> dict[str, Any]:
    """Provision so many fresh phones: seconds of the whole process, and the round trips of plan and second run."""
    with tempfile.TemporaryDirectory() as home, phones(number, rate, Path(home)) as (port, ask):
        env = {**os.environ, "FLEET_HOME": home, "ANDROID_ADB_SERVER_PORT": str(port)}
        trips = [ask()]
        run(env, "--plan")
        trips.append(ask())
        start = time.perf_counter()
        run(env)
        seconds = time.perf_counter() - start
        trips.append(ask())
        run(env)
        trips.append(ask())
        return {"seconds": seconds, "trips": {"facts": trips[1] - trips[0], "again": trips[3] - trips[2]}}


def run(env: dict[str, str], *words: str) -> None:
    command: list[str | Path] = [FLEET, "provision", "--all", "--json", "--profile", PROFILE, *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["failed"] == 0


@contextmanager
def phones(number: int, rate: int | None, home: Path) -> Iterator[tuple[int, Any]]:
    """Virtual phones on slow links; gives the port and a way to ask the first one for its round trips."""
    faults = [{"kind": "slow_link", "rate": rate}] if rate else []
    spec = home / "phones.json"
    spec.write_text(json.dumps({"devices": [{"preset": "pixel-13", "faults": faults}] * number}))
    with start_private() as server:
        words = ["-m", "provision.virtual.bench", "--adb-port", str(server.port), "--spec", str(spec)]
        bench = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert bench.stdin is not None
            assert bench.stdout is not None
            serial = json.loads(bench.stdout.readline())["devices"][0]["serial"]

            def ask() -> int:
                assert bench.stdin is not None
                assert bench.stdout is not None
                bench.stdin.write(json.dumps({"do": "state", "serial": serial}) + "\n")
                bench.stdin.flush()
                events = (json.loads(line) for line in bench.stdout)
                state = next(event["state"] for event in events if event["event"] == "state")
                return int(state["round_trips"])

            yield server.port, ask
        finally:
            bench.terminate()
            bench.communicate()


if __name__ == "__main__":
    sys.exit(main())
