"""Pushes a release to 10,000 simulated sites with 100 devices each, by four workers on PostgreSQL.

    .venv/bin/python -m bench.ten_thousand [--sites N] [--devices N] [--workers N] [--at-once N]

First to a tenth of the sites, then to all of them, each in a database of its own; it fails when a site takes more than
1.1 times as long among all as among the tenth: growth is to be no worse than linear.

What is real: the hub's registry on a PostgreSQL server that writes to the disk, the workers (``fleet worker`` as it is,
in processes of their own), the queue, the protocol, and every site's ledger, with its hashes, of so many devices that
were added and brought to the profile, which the hub checks and takes over. What is not: SSH (five round trips are
waited for; nothing is encrypted) and the sites' own work. Every answer comes after 200 ms; 2 % of all contacts break
or are refused. All of it runs on this one computer, the simulated sites too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.far.server import Load, Watch, processor, server
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.remote.pushes import records, work
from fleet.remote.releases import keys
from fleet.remote.releases.build import build
from fleet.remote.waves import kept
from fleet.remote.waves.rules import Rules, stamp
from fleet.units import Registry, open_registry
from fleet.values import Json
from tests.postgres import Postgres
from tests.sshd import keygen

LATENCY, FAILURES = 0.2, 0.02
MOST = 1.1
_PATIENCE = 4 * 3600


@dataclass(frozen=True)
class Found:
    """One push. ``workers`` and ``simulated``: seconds that they computed; ``memory``: of the largest worker, bytes;
    ``states``: sites by state at the end; ``errors``: what the failed ones say, the most frequent first."""

    sites: int
    seconds: float
    load: Load
    workers: float
    simulated: float
    memory: int
    states: Mapping[str, int]
    units: int
    errors: Sequence[tuple[str, int]]

    @property
    def each(self) -> float:
        """Seconds for a site."""
        return self.seconds / self.sites

    @property
    def computed(self) -> float:
        """Seconds of processor time for a site, without the simulated ones."""
        return (self.load.processor + self.workers) / self.sites


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=24)
    wanted = parser.parse_args()
    print(__doc__.partition("What is real: ")[2].replace("\n", " "))
    with server() as made:
        few, many = (pushed(made, sites, wanted) for sites in (max(1, wanted.sites // 10), wanted.sites))
    ratio = many.computed / few.computed
    print(
        f"\na site among {many.sites} takes {ratio:.2f} times the processor time of one among {few.sites} "
        f"(at most {MOST}), and {many.each / few.each:.2f} times as long by the clock"
    )
    return 0 if ratio <= MOST and not few.states.keys() - {"done", "failed"} else 1


def pushed(made: Postgres, sites: int, wanted: argparse.Namespace) -> Found:
    """A push to so many sites, from its beginning to its end; printed, too."""
    database = made.create()
    url = made.url(database)
    with tempfile.TemporaryDirectory() as folder, simulated(wanted.devices) as (process, port):
        home = Home(Path(folder) / "hub")
        with open_registry(home, url, "bench") as registry:
            release = prepared(registry, Path(folder), sites, port)
            watch = Watch(made, database)
            with working(home, url, wanted.workers, wanted.at_once) as workers:
                watch.start()
                start = time.perf_counter()
                name = begun(registry, release, sites)
                states = ended(registry, name)
                seconds = time.perf_counter() - start
                load = watch.stop()
                used = sum(processor(one.pid) for one in workers)
                memory = max(peak(one.pid) for one in workers)
            units, errors = checked(registry), complaints(registry, name)
        found = Found(sites, seconds, load, used, processor(process.pid), memory, states, units, errors)
    made.drop(database)
    told(found, wanted.workers)
    return found


@contextmanager
def simulated(devices: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The sites, and where they answer."""
    words = [sys.executable, "-m", "bench.far.sites", str(devices), str(LATENCY), str(FAILURES)]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def working(home: Home, url: str, number: int, at_once: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers; they have a home together."""
    words = [sys.executable, "-m", "bench.far.worker", str(home.path), url, str(at_once)]
    running = [subprocess.Popen(words, stdin=subprocess.DEVNULL) for _ in range(number)]
    try:
        time.sleep(5)  # loading is no part of it
        yield running
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(60)


def prepared(registry: Registry, folder: Path, sites: int, port: int) -> int:
    """The sites are noted, and a release is built; its number."""
    keys.init(registry.home)
    key = " ".join(keygen(folder / "host").split()[:2])
    body: dict[str, Json] = {"v": 1, "fields": {"address": f"ssh://fleet@127.0.0.1:{port}", "host_key": key}}
    with transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, (("site.set", f"site-{site:05}", body) for site in range(sites)))
    (folder / "book.bin").write_bytes(os.urandom(50_000))
    profile = folder / "small.yaml"
    profile.write_text("profile: small\ncontent: [{id: book, from: book.bin, to: Learning/book.bin}]\n")
    return build(registry, [str(profile)], "bench", lambda *_: None).manifest.number


def begun(registry: Registry, release: int, sites: int) -> str:
    """Its name. A site that is refused needs somebody; that alone does not stop it."""
    waves = {f"site-{site:05}": 1 for site in range(sites)}
    with transaction(registry.engine) as conn:
        now = stamp(datetime.now(UTC))
        return records.begin(conn, registry.ledger, release, Rules(stop_at=50), waves, now).name


def ended(registry: Registry, name: str) -> Mapping[str, int]:
    """Wait until it is over; sites by state."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        time.sleep(1)
        with snapshot(registry.engine) as conn:
            if kept.one_of(conn, name).state is not kept.State.RUNNING:
                break
    with snapshot(registry.engine) as conn:
        return {state.value: count for wave in work.waves_of(conn, name) for state, count in wave.states.items()}


def checked(registry: Registry) -> int:
    """How many units there are now; the ledger has to be whole."""
    from sqlalchemy import func, select

    from fleet.models import units

    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified), "the ledger is broken"
        return conn.scalar(select(func.count()).select_from(units)) or 0


def complaints(registry: Registry, name: str) -> Sequence[tuple[str, int]]:
    """Of the failed sites, without their names."""
    with snapshot(registry.engine) as conn:
        failed = work.all_of(conn, name, states=[work.State.FAILED])
    return Counter(one.error.replace(one.site, "a site") for one in failed).most_common(3)


def peak(pid: int) -> int:
    """The most memory that a program had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def told(found: Found, workers: int) -> None:
    load, sites = found.load, found.sites
    by_state = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    print(
        f"\n{sites} sites ({by_state}), {found.units} units: {found.seconds:.0f} s, {1000 * found.each:.1f} ms a site"
    )
    print(
        f"database: {load.transactions / sites:.0f} transactions, {load.rows_written / sites:.0f} rows written and "
        f"{load.rows_read / sites:.0f} read a site; {load.bytes / 1e6:.0f} MB at the end"
    )
    total = load.processor + found.workers + found.simulated
    parts = {"PostgreSQL": load.processor, f"{workers} workers": found.workers, "simulated sites": found.simulated}
    shares = ", ".join(f"{name} {1000 * seconds / sites:.1f} ms" for name, seconds in parts.items())
    print(f"processor time a site: {shares}; largest worker {found.memory / 1e6:.0f} MB")
    processors = len(os.sched_getaffinity(0))
    print(
        f"what bounds it: of {processors} processors this took {total / found.seconds:.2f} on average; somebody wrote "
        f"to the ledger in {100 * load.writing:.0f} % of all moments, and {load.queued:.1f} workers waited for it"
    )
    for error, count in found.errors:
        print(f"{count} sites: {error}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
