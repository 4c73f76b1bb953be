"""Sites with phones: virtual ones behind a real adb server, brought to a release from far away and read back."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleet.home import Home
from fleet.remote.wire.address import parse, parse_key
from fleet.remote.wire.session import Session
from fleet.remote.wire.ssh import connected
from tests.benches import Bench
from tests.fleets import FLEET, Fleet
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.remote.test_pushes import status
from tests.sshd import Sshd

StartBench = Callable[[Mapping[str, Any]], Bench]


def stands(hub: Fleet, *words: str) -> dict[str, dict[str, Any]]:
    """What the hub says of each unit, by serial."""
    done = hub("push", "status", "--units", "--all", "--json", *words)
    assert done.code == 0, done.err
    return {unit["serial"]: unit for unit in done.lines[-1]["units"]}


def book(bench: Bench, serial: str) -> str | None:
    """The SHA-256 of the book on a phone."""
    files = bench.state(serial)["files"]
    return next((row["sha256"] for path, row in files.items() if path.endswith("/book.bin")), None)


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "book.bin").read_bytes()).hexdigest()


@contextmanager
def watching(site: Sshd, adb: int) -> Iterator[subprocess.Popen[str]]:
    """The site's own standing bench, on whatever release is in force."""
    watch = Fleet(site.home, adb).start("watch", "--release", "current", "--json")
    try:
        yield watch
    finally:
        watch.kill()
        watch.communicate(timeout=60)


def until(good: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_devices_are_brought_read_back_and_so_are_those_that_turn_up_later(
    hub: Fleet, site: SiteMaker, virtual_bench: StartBench, adb_server: int, tmp_path: Path
) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}, {"preset": "samsung-13"}, {"preset": "pixel-15"}]})
    first, second, late = (phone.serial for phone in bench.devices)
    bench.send({"do": "unplug", "serial": late})
    one = site("one", {"ANDROID_ADB_SERVER_PORT": str(adb_server)})
    release = built(hub, profile(tmp_path / "p"))
    done = hub("push", release, "--json")
    assert done.code == 0, done.out + done.err
    assert [book(bench, serial) for serial in (first, second)] == [sha256(tmp_path / "p")] * 2
    bringing = [line for line in done.lines if line.get("state") == "bringing"]
    assert bringing, "it is told while it works"
    assert sum(status(hub)["sites"][0]["verdicts"].values()) == 2
    told = stands(hub)
    assert {serial: (unit["site"], unit["release"], unit["stand"]) for serial, unit in told.items()} == {
        first: ("one", release, "met"),
        second: ("one", release, "met"),
    }
    assert all(unit["looked_at"] and unit["verdict"] in ("verified", "partial") for unit in told.values())
    with watching(one, adb_server):
        bench.send({"do": "plug", "serial": late})
        until(lambda: book(bench, late) == sha256(tmp_path / "p"))
        until(lambda: Fleet(one.home, adb_server)("status", "--json").lines[0]["units"] == 3)
    assert hub("push", release, "--json").code == 0
    assert stands(hub)[late]["stand"] == "met"
    assert hub("ledger", "verify").code == 0


@pytest.mark.slow
def test_the_work_is_the_difference_and_only_what_is_meant(
    hub: Fleet, site: SiteMaker, virtual_bench: StartBench, adb_server: int, tmp_path: Path
) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}, {"preset": "samsung-13"}]})
    pixel, samsung = (phone.serial for phone in bench.devices)
    site("one", {"ANDROID_ADB_SERVER_PORT": str(adb_server)})
    first = built(hub, profile(tmp_path / "p"))
    assert hub("push", first).code == 0
    again = hub("push", first, "--json")
    assert [line for line in again.lines if line.get("state") == "bringing"] == [], "all are as they should be"
    old = sha256(tmp_path / "p")
    second = built(hub, profile(tmp_path / "p", size=2000))
    maker = next(unit["maker"] for unit in units(hub) if unit["serial"] == samsung)
    plan = hub("push", second, "--where", f"maker = {json.dumps(maker)}", "--plan", "--json").lines[0]["sites"]
    assert [(one["site"], one["units"], one["settings"]) for one in plan] == [("one", 1, {"content": 1})]
    nobody = hub("push", second, "--where", "verdict = failed", "--plan")
    assert "No site is meant by that" in nobody.err
    done = hub("push", second, "--where", f"maker = {json.dumps(maker)}", "--json")
    assert done.code == 0, done.out + done.err
    assert {serial: book(bench, serial) for serial in (pixel, samsung)} == {pixel: old, samsung: sha256(tmp_path / "p")}
    assert {serial: unit["stand"] for serial, unit in stands(hub).items()} == {samsung: "met"}
    assert hub("push", second).code == 0
    assert book(bench, pixel) == sha256(tmp_path / "p")
    assert {serial: unit["stand"] for serial, unit in stands(hub).items()} == {pixel: "met", samsung: "met"}


def units(hub: Fleet) -> list[dict[str, Any]]:
    return [line for line in hub("unit", "list", "--json").lines if line["event"] == "unit_line"]


@pytest.mark.slow
def test_what_the_site_does_streams_back_while_it_works(
    hub: Fleet, site: SiteMaker, virtual_bench: StartBench, adb_server: int, tmp_path: Path
) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}]})
    one = site("one", {"ANDROID_ADB_SERVER_PORT": str(adb_server)})
    assert hub("push", built(hub, profile(tmp_path / "p", size=2_000_000)), "--no-bring").code == 0
    came: list[tuple[float, str]] = []
    with connected(parse(one.address()), parse_key(one.host_key), Home(hub.home)) as channel:
        session = Session(channel, "one")
        ended = session.bring("", None, lambda line: came.append((time.monotonic(), line["event"])))
        session.bye()
    assert (ended.exit, ended.error) == (0, "")
    kinds = [event for _, event in came]
    assert {"device", "step", "item", "report", "summary"} <= set(kinds)
    assert kinds[-1] == "summary"
    assert came[-1][0] - came[0][0] > 0.1, "not all at the end"
    assert book(bench, bench.devices[0].serial) == sha256(tmp_path / "p")


@pytest.mark.slow
def test_a_device_that_the_site_is_at_work_on_is_waited_for(
    hub: Fleet, site: SiteMaker, virtual_bench: StartBench, adb_server: int, tmp_path: Path
) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}]})
    serial = bench.devices[0].serial
    one = site("one", {"ANDROID_ADB_SERVER_PORT": str(adb_server)})
    release = built(hub, profile(tmp_path / "p"))
    digest = hashlib.sha256(serial.encode()).hexdigest()[:16]
    lock = one.home / "locks" / f"{re.sub('[^A-Za-z0-9.-]', '_', serial)[:40]}-{digest}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        push = subprocess.Popen(
            [FLEET, "push", str(release), "--json"], env=hub.environment(), stdout=subprocess.PIPE, text=True
        )
        until(lambda: "somebody there is at work on 1 device" in status_of(hub))
    out, _ = push.communicate(timeout=90)
    lines = [json.loads(line) for line in out.splitlines()]
    waited = [line for line in lines if line.get("state") == "waiting"]
    assert waited
    assert waited[0]["error"] == "one: somebody there is at work on 1 device."
    assert [line for line in lines if line.get("state") == "failed"] == []
    assert (push.returncode, lines[-1]["state"]) == (0, "done")
    assert book(bench, serial) == sha256(tmp_path / "p")
    assert stands(hub)[serial]["stand"] == "met"


def status_of(hub: Fleet) -> str:
    done = hub("push", "status", "--all", "--json")
    return done.out


@pytest.mark.slow
def test_a_unit_known_at_two_sites_belongs_to_the_one_that_looked_last(
    hub: Fleet, site: SiteMaker, virtual_bench: StartBench, adb_server: int, tmp_path: Path
) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}]})
    serial = bench.devices[0].serial
    told = {"ANDROID_ADB_SERVER_PORT": str(adb_server)}
    site("one", told), site("two", told)
    release = built(hub, profile(tmp_path / "p"))
    assert hub("push", release, "--sites", "one").code == 0
    assert stands(hub)[serial]["site"] == "one"
    assert hub("push", release, "--sites", "two").code == 0
    found = stands(hub)[serial]
    assert (found["site"], found["stand"]) == ("two", "met")
    wanted = hub("unit", "show", serial, "--json").lines[0]["wanted"]
    assert (wanted["site"], wanted["release"], wanted["profile"], wanted["met"]) == ("two", release, "small", True)
    [work] = status(hub)["sites"]
    assert work["error"] == "two: 1 unit here belonged to other sites before. The newest look at a unit counts."
