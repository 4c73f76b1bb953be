"""A run when something beside the device fails: a listener, the registry, our own code, or another fleet is there."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import PrefixError, RegistryError, UnitBusy
from fleet.home import Home
from fleet.provisioning import Order, Summary, provision, run_log
from fleet.sinks import Sinks
from fleet.units import Registry, open_registry
from profiles.schema import Profile
from provision.bench import Attached, SelectionError, select
from provision.device import Place
from provision.errors import NoServer
from provision.model import Verdict
from provision.progress import Progress
from provision.run import Mode
from tests.fleet.making import SQLITE, identity
from tests.provision.test_run import Box

ORDER = Order(Profile(profile="box"))


def box(serial: str, *switches: str, broken: Exception | None = None) -> Box:
    """A device of switches; with ``broken`` it is raised at the first question."""
    device = Box(dict.fromkeys(switches or ("a", "b"), "obeys"), address=f"at-{serial}", identity=identity(serial))
    if broken:

        def ask(_questions: Mapping[str, Any], /) -> Any:
            raise broken

        device.ask = ask  # type: ignore[method-assign]
    return device


def work(registry: Registry, *devices: Box, sinks: Sinks | None = None, order: Order = ORDER) -> Summary:
    places = [Attached(Place("android", device.address, "", "device"), device) for device in devices]
    return provision(places, order, registry, sinks or Sinks({}))


def stored(registry: Registry) -> dict[str, str]:
    """The verdict of each unit's last run."""
    with registry.engine.connect() as conn:
        return dict(conn.exec_driver_sql("SELECT serial, last_verdict FROM units").all())


def test_a_listener_that_fails_stops_no_work(registry: Registry) -> None:
    """The work goes on and is recorded, others hear all of it, and it is told at the end."""
    heard: list[str] = []
    calls: list[str] = []

    def full(progress: Progress) -> None:
        calls.append(progress.event)
        if progress.event == "step":
            raise OSError(28, "No space left on device")

    sinks = Sinks({"The run log": full, "The screen": lambda progress: heard.append(progress.event)})
    device = box("S1")
    done = work(registry, device, sinks=sinks)
    assert device.on == {"a", "b"}
    assert stored(registry) == {"S1": "verified"}
    assert calls.count("step") == 1
    assert heard.count("step") == 2
    assert heard[-1] == "report"
    assert done.silent == ("The run log ended early: No space left on device. The work went on.",)
    assert done.exit_code(strict=False) == 1


def test_a_reader_that_went_away_is_not_told(registry: Registry) -> None:
    def gone(_: Progress) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    assert work(registry, box("S1"), sinks=Sinks({"The output": gone})).silent == ()
    assert stored(registry) == {"S1": "verified"}


def test_a_run_log_on_a_full_disk_closes_quietly(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.runs()
    monkeypatch.setattr(Path, "open", lambda *_, **__: open("/dev/full", "w"))  # noqa: PTH123, SIM115
    with run_log(home) as log, pytest.raises(OSError, match="No space"):
        log.write("summary", {})


def test_a_run_that_cannot_be_recorded_is_told_so_and_ends_no_other(home: Home) -> None:
    with open_registry(home, None, "lan", patience=0.1) as registry:
        lock = sqlite3.connect(home.database_file, isolation_level=None)
        said: list[Progress] = []
        lock.execute("BEGIN IMMEDIATE")
        done = work(registry, box("S1"), box("S2"), sinks=Sinks({"all": said.append}))
        lock.close()
    assert [(r.verdict, r.steps, len(r.outcomes)) for r in done.reports] == [(Verdict.FAILED, 2, 2)] * 2
    assert all(r.error.startswith("Not recorded: The registry") for r in done.reports)
    told = [p.fields for p in said if p.event == "report"]
    assert [(f["verdict"], f["error"]) for f in told] == [("failed", done.reports[0].error)] * 2
    assert done.exit_code(strict=False) == 1


@SQLITE
def test_a_registry_that_cannot_be_written_is_found_before_any_device(home: Home, registry: Registry) -> None:
    lock = sqlite3.connect(home.database_file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryError, match="is in use"), open_registry(home, None, "lan", patience=0.1):
        pytest.fail("it was opened")
    lock.close()


def test_a_lost_server_ends_only_its_own_device(registry: Registry) -> None:
    lost = box("S1", broken=NoServer("No adb server answers.", "Start it."))
    done = work(registry, lost, box("S2"))
    assert [r.verdict for r in done.reports] == [Verdict.FAILED, Verdict.VERIFIED]
    assert (done.reports[0].error, done.reports[0].next_action) == ("No adb server answers.", "Start it.")
    assert stored(registry) == {"S1": "failed", "S2": "verified"}
    assert done.exit_code(strict=False) == 1


def test_a_bug_ends_only_its_own_device_and_leaves_a_log(registry: Registry) -> None:
    done = work(registry, box("S1", broken=ZeroDivisionError("of ours")), box("S2"))
    assert [r.verdict for r in done.reports] == [Verdict.FAILED, Verdict.VERIFIED]
    assert "This is a bug in fleet (ZeroDivisionError)" in done.reports[0].error
    found = re.search(r"file (\S+\.log) to", done.reports[0].next_action)
    assert found
    log = Path(found[1])
    assert "ZeroDivisionError: of ours" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    log.unlink()
    assert stored(registry) == {"S1": "failed", "S2": "verified"}
    assert done.exit_code(strict=False) == 3


def test_a_bug_in_recording_keeps_the_report(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("mine")

    monkeypatch.setattr(Registry, "record", broken)
    done = work(registry, box("S1"))
    assert "Not recorded: This is a bug in fleet (KeyError)" in done.reports[0].error
    Path(re.findall(r"\S+\.log", done.reports[0].next_action)[0]).unlink()
    assert len(done.reports[0].outcomes) == 2
    assert done.exit_code(strict=False) == 3


HOLDER = """
import sys
from pathlib import Path
from fleet.home import Home
with Home(Path(sys.argv[1])).hold(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(home: Home) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Another process that holds a serial."""
    started: list[subprocess.Popen[str]] = []

    def start(serial: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", HOLDER, str(home.path), serial]
        started.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_device_of_another_fleet_is_left_alone(
    registry: Registry, holder: Callable[[str], subprocess.Popen[str]]
) -> None:
    other = holder("S1")
    device = box("S1")
    done = work(registry, device, box("S2"))
    assert device.log == []
    assert [r.verdict for r in done.reports] == [Verdict.FAILED, Verdict.VERIFIED]
    assert done.reports[0].error == f"S1 is being worked on by another fleet (process {other.pid})."
    assert done.reports[0].next_action == "Wait until it is done."
    assert stored(registry) == {"S2": "verified"}
    verified = work(registry, device, order=Order(ORDER.profile, Mode.VERIFY))
    assert "another fleet" not in verified.reports[0].error
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert work(registry, device).reports[0].verdict is Verdict.VERIFIED


@pytest.mark.parametrize("serial", ["S1", "../../x", "", "a/b\0c", "学生" * 200, "\udc80", "..", "Ab", "aB"])
def test_any_serial_can_be_held(home: Home, serial: str) -> None:
    with home.hold(serial), pytest.raises(UnitBusy, match=f"process {os.getpid()}"), home.hold(serial):
        pytest.fail("it was held twice")
    with home.hold(serial):
        assert [path.parent.name for path in home.path.rglob("*.lock")] == ["locks"]


@pytest.mark.parametrize("prefix", ["hn-", "", "A B", "A" * 30])
def test_an_odd_prefix_is_named_before_anything_is_done(registry: Registry, prefix: str) -> None:
    device = box("S1")
    with pytest.raises(PrefixError, match="cannot be the prefix") as told:
        work(registry, device, order=Order(ORDER.profile, tag_prefix=prefix))
    assert told.value.exit_code == 2
    assert device.log == []


def test_a_known_device_that_is_not_attached_is_said_so(registry: Registry) -> None:
    work(registry, box("S1"))
    registry.tag("S1", "HN-5")
    with pytest.raises(SelectionError, match=r"No attached device is HN-5; it was last seen on 2025-03-01 ") as told:
        select([], ["HN-5"], False, registry.serial_of, registry.last_seen)
    assert told.value.exit_code == 2
    with pytest.raises(SelectionError, match=r"No attached device is HN-6\."):
        select([], ["HN-6"], False, registry.serial_of, registry.last_seen)
