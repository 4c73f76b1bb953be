"""Workers on a real PostgreSQL server and real OpenSSH sites, killed in the middle of it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.remote.pushes.jobs import SCHEMA
from tests.fleets import Fleet
from tests.links import Link
from tests.postgres import Postgres
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.remote.test_pushes import current, leftovers, point, status

Machine = Callable[[str], Fleet]


@pytest.fixture
def database(hub: Fleet, postgres: Postgres) -> Iterator[str]:
    """The name of the database that the hub and its workers use."""
    name = postgres.create()
    hub.env["FLEET_DATABASE_URL"] = postgres.url(name)
    yield name
    postgres.drop(name)


@pytest.fixture
def machine(hub: Fleet, tmp_path: Path, database: str) -> Machine:
    """``machine("w1")``: another computer, with what a worker needs and a home of its own."""

    def make(name: str) -> Fleet:
        made = Fleet(tmp_path / name, adb_port=1, env=dict(hub.env), timeout=60)
        shutil.copytree(hub.home / "ssh", made.home / "ssh")
        shutil.copytree(hub.home / "releases", made.home / "releases", symlinks=True)
        (made.home / "releases" / "key.pem").unlink()
        key = hub("release", "key", "show", "--json").lines[-1]["key"]
        assert made("site", "trust", key).code == 0
        return made

    return make


class Workers:
    """Those that run, and what all of them said."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.said: list[dict[str, Any]] = []

    def start(self, on: Fleet, *words: str) -> None:
        self._running[on.home.name] = on.start("worker", "--json", *words)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        one = self._running.pop(name)
        one.send_signal(how)
        out, err = one.communicate(timeout=60)
        assert err == ""
        self.said += [json.loads(line) for line in out.splitlines()]
        return one.returncode

    def stop_all(self, how: signal.Signals = signal.SIGTERM) -> set[int]:
        return {self.stop(name, how) for name in [*self._running]}


@pytest.fixture
def workers() -> Iterator[Workers]:
    found = Workers()
    yield found
    found.stop_all(signal.SIGKILL)
    sys.stdout.writelines(f"{json.dumps(line)}\n" for line in found.said)


def until(hub: Fleet, state: str, seconds: float) -> dict[str, Any]:
    """Wait for the push to be so; how it stands."""
    end = time.monotonic() + seconds
    while (found := status(hub))["state"] != state:
        assert time.monotonic() < end, json.dumps(found)
        time.sleep(0.3)
    return found


def kinds(postgres: Postgres, database: str) -> Counter[str]:
    rows = postgres.execute("SELECT kind, count(*) FROM events GROUP BY kind", database=database)
    return Counter(dict(rows))


@pytest.mark.slow
def test_workers_that_are_killed_lose_and_repeat_nothing(
    hub: Fleet,
    site: SiteMaker,
    machine: Machine,
    workers: Workers,
    postgres: Postgres,
    database: str,
    tmp_path: Path,
) -> None:
    size, rate = 1_000_000, 150_000
    sites = {name: site(name) for name in ("a", "b", "c", "d", "e", "f")}
    links = {name: Link(one.port, rate=rate) for name, one in sites.items()}
    for name, link in links.items():
        point(hub, name, sites[name], link.port)
    release = built(hub, profile(tmp_path / "p", size=size))
    machines = {name: machine(name) for name in ("w1", "w2", "w3")}
    for one in machines.values():
        workers.start(one, "--at-once", "2")
    begun = hub("push", release, "--no-bring", "--workers", "--json")
    assert (begun.code, begun.lines[-1]["state"]) == (0, "running")
    dice = random.Random(6)
    for name in ("w1", "w2"):
        time.sleep(dice.uniform(3, 6))
        workers.stop(name, signal.SIGKILL)
        workers.start(machines[name], "--at-once", "2")
    found = until(hub, "done", 60)
    assert {one["site"]: one["state"] for one in found["sites"]} == dict.fromkeys(sites, "done")
    assert {name: current(one) for name, one in sites.items()} == dict.fromkeys(sites, release)
    assert {name: left for name, one in sites.items() if (left := leftovers(one))} == {}
    sent = sum(link.passed for link in links.values())
    in_flight = 4 * rate * 2
    assert sent < len(sites) * (size + 60_000) + in_flight, "what had come is not sent again"
    assert workers.stop_all() == {0}
    assert hub("ledger", "verify").code == 0
    told = kinds(postgres, database)
    assert told["site.reported"] == 2 * len(sites), "nothing, when it was added; the release, once"
    assert (told["push.set"], told["site.wanted"]) == (2, len(sites))
    assert postgres.execute(
        f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE task_name = 'visit'", database=database
    ) == [(0,)]
    for link in links.values():
        link.close()
