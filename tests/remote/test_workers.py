"""Workers on a real PostgreSQL server and real OpenSSH sites, killed in the middle of it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from procrastinate.schema import SchemaManager

from fleet.db import snapshot
from fleet.errors import RegistryError, UnitBusy
from fleet.home import Home
from fleet.remote.pushes import jobs
from fleet.remote.pushes.holding import holding
from fleet.remote.pushes.jobs import SCHEMA
from fleet.units import Registry, open_registry
from tests.fleets import ROOT, Fleet
from tests.links import Link
from tests.postgres import Postgres
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.remote.test_pushes import current, leftovers, point, status
from tests.sshd import Sshd

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


@dataclass
class Linked:
    """A site behind a slow link, which counts what is sent there."""

    site: Sshd
    link: Link


@pytest.fixture
def linked(hub: Fleet, site: SiteMaker, database: str) -> Iterator[Callable[..., dict[str, Linked]]]:
    """``linked("a", "b", rate=150_000)``: sites of the hub, each behind a link of so many bytes per second."""
    made: dict[str, Linked] = {}

    def add(*names: str, rate: int = 0) -> dict[str, Linked]:
        for name in names:
            one = site(name, add=False)
            made[name] = Linked(one, Link(one.port))
            point(hub, name, one, made[name].link.port)
            made[name].link.passed, made[name].link.rate = 0, rate
        return made

    yield add
    for one in made.values():
        one.link.close()


@pytest.mark.slow
def test_workers_that_are_killed_lose_and_repeat_nothing(
    hub: Fleet,
    linked: Callable[..., dict[str, Linked]],
    machine: Machine,
    workers: Workers,
    postgres: Postgres,
    database: str,
    tmp_path: Path,
) -> None:
    size, rate = 900_000, 150_000
    sites = linked("a", "b", "c", "d", "e", rate=rate)
    release = built(hub, profile(tmp_path / "p", size=size))
    machines = {name: machine(name) for name in ("w1", "w2", "w3")}
    for one in machines.values():
        workers.start(one, "--at-once", "2")
    begun = hub("push", release, "--no-bring", "--workers", "--json")
    assert (begun.code, begun.lines[-1]["state"]) == (0, "running")
    dice = random.Random(6)
    for name in ("w1", "w2"):
        time.sleep(dice.uniform(2, 5))
        workers.stop(name, signal.SIGKILL)
        workers.start(machines[name], "--at-once", "2")
    found = until(hub, "done", 120)
    assert {one["site"]: one["state"] for one in found["sites"]} == dict.fromkeys(sites, "done")
    assert {name: current(one.site) for name, one in sites.items()} == dict.fromkeys(sites, release)
    assert {name: left for name, one in sites.items() if (left := leftovers(one.site))} == {}
    sent = sum(one.link.passed for one in sites.values())
    in_flight = 4 * rate * 2
    assert sent < len(sites) * (size + 60_000) + in_flight, "what had come is not sent again"
    assert workers.stop_all() == {0}
    assert hub("ledger", "verify").code == 0
    told = kinds(postgres, database)
    assert told["site.reported"] == 2 * len(sites), "nothing, when it was added; the release, once"
    assert (told["push.set"], told["site.wanted"]) == (2, len(sites))
    waiting = f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE task_name = 'visit'"
    assert postgres.execute(waiting, database=database) == [(0,)]


@pytest.mark.slow
def test_a_worker_that_is_stopped_leaves_at_once_and_another_goes_on_where_it_was(
    hub: Fleet, linked: Callable[..., dict[str, Linked]], machine: Machine, workers: Workers, tmp_path: Path
) -> None:
    size, rate = 20_000_000, 2_000_000  # some megabytes are in buffers, and count as sent
    (one,) = linked("a", rate=rate).values()
    release = built(hub, profile(tmp_path / "p", size=size))
    first, second = machine("w1"), machine("w2")
    workers.start(first)
    hub("push", release, "--no-bring", "--workers")
    end = time.monotonic() + 30
    while one.link.passed < size // 5:
        assert time.monotonic() < end
        time.sleep(0.1)
    asked = time.monotonic()
    assert workers.stop("w1") == 0
    assert time.monotonic() - asked < 15, "it does not wait until all is sent"
    assert current(one.site) is None
    assert [told["state"] for told in workers.said if "site" not in told][-2:] == ["leaving", "stopped"]
    assert status(hub)["sites"][0]["state"] == "waiting"
    workers.start(second)
    until(hub, "done", 90)
    assert current(one.site) == release
    assert one.link.passed < size + 4_000_000


@pytest.mark.slow
def test_a_site_that_is_off_gets_it_when_it_is_back_and_waves_wait_for_each_other(
    hub: Fleet, database: str, site: SiteMaker, machine: Machine, workers: Workers, tmp_path: Path
) -> None:
    sites = {name: site(name) for name in ("a", "b")}
    release = built(hub, profile(tmp_path / "p"))
    sites["a"].stop()
    workers.start(machine("w1"))
    assert hub("push", release, "--no-bring", "--workers", "--waves", "1,100%").code == 0
    end = time.monotonic() + 30
    while not (found := status(hub))["sites"][0]["error"]:
        assert time.monotonic() < end
        time.sleep(0.3)
    assert [one["state"] for one in found["sites"]] == ["waiting", "waiting"], "the second wave has not begun"
    sites["a"].start()
    until(hub, "done", 90)
    assert [current(one) for one in sites.values()] == [release, release]
    assert workers.stop_all() == {0}


@pytest.mark.slow
def test_a_worker_without_the_release_says_so_and_leaves_it_to_others(
    hub: Fleet, linked: Callable[..., dict[str, Linked]], machine: Machine, workers: Workers, tmp_path: Path
) -> None:
    (one,) = linked("a").values()
    poor = machine("w1")
    release = built(hub, profile(tmp_path / "p"))
    workers.start(poor)
    told = hub("push", release, "--no-bring", "--workers")
    assert told.code == 0, told.err
    time.sleep(8)
    assert status(hub)["sites"][0]["state"] == "waiting"
    rich = machine("w2")
    workers.start(rich)
    until(hub, "done", 90)
    assert current(one.site) == release
    assert workers.stop("w1") == 0
    assert any("is not in this home" in line.get("error", "") for line in workers.said)
    assert not any("site" in line for line in workers.said), "it visited nobody"


def test_workers_need_postgresql_and_say_so(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    done = hub("worker")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: Workers need PostgreSQL")
    release = built(hub, profile(tmp_path / "p"))
    site("one")
    push = hub("push", release, "--workers")
    assert (push.code, push.err.splitlines()[0][:33]) == (1, "Error: Workers need PostgreSQL (f")
    assert hub("push", "list", "--json").lines[-1]["pushes"] == [], "nothing was begun"


def test_a_worker_that_knows_no_hub_says_so(database: str, hub: Fleet, tmp_path: Path) -> None:
    stranger = Fleet(tmp_path / "stranger", adb_port=1, env=dict(hub.env), timeout=60)
    done = stranger("worker")
    assert (done.code, done.err.splitlines()[0]) == (1, "Error: This computer knows the key of no hub.")


@pytest.fixture
def registries(postgres: Postgres, tmp_path: Path) -> Iterator[tuple[Registry, Registry]]:
    """Two computers with one database."""
    name = postgres.create()
    with (
        open_registry(Home(tmp_path / "a"), postgres.url(name), "a") as one,
        open_registry(Home(tmp_path / "b"), postgres.url(name), "b") as two,
    ):
        yield one, two
    postgres.drop(name)


def test_a_site_is_held_across_computers(registries: tuple[Registry, Registry]) -> None:
    with holding(registries[0]) as mine, holding(registries[1]) as theirs:
        with mine("district-5"), mine("district-6"):
            for other in (mine, theirs):
                with pytest.raises(UnitBusy), other("district-5"):
                    pass
        with theirs("district-5"), pytest.raises(UnitBusy), mine("district-5"):
            pass


def test_a_connection_that_breaks_gives_back_what_it_held_and_takes_it_again(
    registries: tuple[Registry, Registry], postgres: Postgres
) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    with holding(registries[0]) as mine, holding(registries[1]) as theirs, mine("district-5"):
        postgres.execute(kill)
        with pytest.raises(RegistryError), mine("district-6"):
            pass
        with mine("district-6"), pytest.raises(UnitBusy), theirs("district-5"):
            pass


def test_the_queue_is_made_once_and_brought_up_to_date(
    registries: tuple[Registry, Registry], postgres: Postgres
) -> None:
    engine = registries[0].engine
    name = str(engine.url.database)
    with snapshot(engine) as conn:
        assert jobs.workers(conn) == 0
    threads = [threading.Thread(target=jobs.make, args=(one.engine,)) for one in registries]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    fresh = _shape(postgres, name)
    assert len(fresh) > 30
    jobs.make(engine)
    assert _shape(postgres, name) == fresh
    postgres.execute(f"UPDATE {SCHEMA}.made SET version = '99.00.00_01_from_the_future'", database=name)
    with pytest.raises(RegistryError, match="newer version of fleet"):
        jobs.make(engine)
    folder = Path(SchemaManager.get_migrations_path())
    steps = sorted(path for path in folder.glob("*.sql") if path.stem < "03.02")
    postgres.execute(f"DROP SCHEMA {SCHEMA} CASCADE", f"CREATE SCHEMA {SCHEMA}", database=name)
    old = [f"SET search_path TO {SCHEMA}", "CREATE TABLE made (version text NOT NULL)"]
    old += [path.read_text("utf-8") for path in steps]
    postgres.execute(*old, f"INSERT INTO made VALUES ('{steps[-1].stem}')", database=name)
    assert _shape(postgres, name) != fresh
    jobs.make(engine)
    assert _shape(postgres, name) == fresh


def _shape(postgres: Postgres, database: str) -> set[tuple[Any, ...]]:
    """Tables with their columns, and functions, of the queue."""
    columns = (
        f"SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '{SCHEMA}'"
    )
    functions = f"SELECT proname, pronargs, '' FROM pg_proc WHERE pronamespace = '{SCHEMA}'::regnamespace"
    return {*postgres.execute(columns, database=database), *postgres.execute(functions, database=database)}


@pytest.mark.slow
def test_the_bench_of_ten_thousand_sites_with_a_few() -> None:
    words = [sys.executable, "-m", "bench.ten_thousand", "--sites", "20", "--devices", "4", "--workers", "2"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert done.stderr == ""
    assert "20 sites (" in done.stdout
    assert "the ledger in " in done.stdout
