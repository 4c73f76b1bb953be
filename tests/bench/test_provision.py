"""The main job, end to end: the real program, a real adb server, virtual phones in a process of their own."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import ROOT, SAMPLE, Fleet

StartBench = Callable[[dict[str, Any]], Bench]

FOUR = ("pixel-15", "samsung-13", "xiaomi-11-ready", "tablet-nogms-9")
CONTENT = ROOT / "examples" / "content" / "grade-3"


def bench_of(*presets: str, **more: Any) -> dict[str, Any]:
    return {"devices": [{"preset": preset, **more} for preset in presets]}


def end_state(state: dict[str, Any]) -> dict[str, Any]:
    """What a pupil and the next run would find; not how often it was asked, nor where Android put what."""
    files = {path: row["sha256"] for path, row in state["files"].items() if "/." not in path}
    apps = {
        name: {**row["users"]["0"], "version": row["version_code"], "splits": sorted(row["splits"])}
        for name, row in state["packages"].items()
    }
    kept = ("settings", "netpolicy", "wifi", "lock", "apns", "preferred_apn", "time_zone")
    return {"files": files, "apps": apps, **{key: state[key] for key in kept}}


def contents(state: dict[str, Any]) -> dict[str, str]:
    prefix = "/storage/emulated/0/Learning/grade-3/"
    return {
        path.removeprefix(prefix): row["sha256"]
        for path, row in state["files"].items()
        if path.startswith(prefix) and "/." not in path
    }


def test_four_makers_come_out_as_the_profile_says(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of(*FOUR))
    done = fleet.provision("--tags", "A")
    assert (done.code, done.err) == (0, "")
    assert done.summary["devices"] == 4
    assert done.summary["failed"] == 0
    wanted = {
        path.relative_to(CONTENT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in CONTENT.rglob("*")
        if path.is_file()
    }
    for phone in bench.devices:
        state = bench.state(phone.serial)
        assert state["packages"]["org.schoolbag.sample.reader"]["version_code"] == 1
        assert "android.permission.CAMERA" in state["packages"]["org.schoolbag.sample.maths"]["users"]["0"]["granted"]
        assert contents(state) == wanted
        assert state["settings"]["global"]["data_roaming"] == "0"
        assert state["settings"]["global"].get("verifier_verify_adb_installs", "1") == "1"
        assert state["settings"]["global"]["device_name"].startswith("A-000")
        assert not state["sessions"]
        impossible = {i: row for i, row in done.items(phone.serial).items() if row["result"] == "impossible"}
        assert "restrictions.install_apps" in impossible
        assert all(row["why"] for row in impossible.values())
    assert {row["left_on"][0] for row in done.reports()} == {"USB debugging"}


def test_a_second_run_changes_nothing_says_why_and_asks_little(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of(*FOUR))
    fleet.provision("--tags", "A")
    before = {phone.serial: bench.state(phone.serial) for phone in bench.devices}
    done = fleet.provision()
    assert done.code == 0
    assert done.summary["steps"] == 0
    assert all(row["why"] for row in done.lines if row["event"] == "item")
    for phone in bench.devices:
        after = bench.state(phone.serial)
        assert end_state(after) == end_state(before[phone.serial])
        assert after["round_trips"] - before[phone.serial]["round_trips"] <= 2


def test_plan_and_verify_change_nothing(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of("pixel-13"))
    serial = bench.devices[0].serial
    before = end_state(bench.state(serial))
    plan = fleet.provision("--plan", "--tags", "A")
    assert plan.code == 0
    (report,) = plan.reports()
    assert report["verdict"] == "planned"
    assert {row["state"] for row in report["plan"]} == {"met", "step", "cannot"}
    verify = fleet("verify", "--json", "--profile", SAMPLE)
    assert verify.code == 1
    assert verify.items()["apps.reader"]["result"] == "failed"
    assert end_state(bench.state(serial)) == before
    assert fleet("status", "--json").lines[0]["units"] == 1


@pytest.mark.slow
def test_pulled_at_every_step_and_run_again_ends_the_same(fleet: Fleet, virtual_bench: StartBench) -> None:
    """Phones of one kind side by side: the n-th loses its cable at its n-th service."""
    whole = _whole(fleet, virtual_bench)
    assert whole["round_trips"] > 15
    _pulled(fleet, virtual_bench, whole, [{"at_service": number} for number in range(2, whole["round_trips"] + 1)])


@pytest.mark.slow
def test_pulled_inside_a_transfer_and_run_again_ends_the_same(fleet: Fleet, virtual_bench: StartBench) -> None:
    whole = _whole(fleet, virtual_bench)
    cuts = [
        {"after_bytes": after, "service": service}
        for service in ("exec", "sync")
        for after in range(1, whole["received"][service], 1 + whole["received"][service] // 12)
    ]
    _pulled(fleet, virtual_bench, whole, cuts)


@pytest.mark.slow
def test_pulled_before_and_after_every_kind_of_command(fleet: Fleet, virtual_bench: StartBench) -> None:
    whole = _whole(fleet, virtual_bench)
    commands = ("pm grant", "mv -f", "settings put", "netpolicy set", "content insert")
    cuts = [{"at": command, "when": when} for command in commands for when in ("before", "after")]
    _pulled(fleet, virtual_bench, whole, [*cuts, {"at": "cmd package install-commit", "when": "after"}])


def _whole(fleet: Fleet, virtual_bench: StartBench) -> dict[str, Any]:
    bench = virtual_bench(bench_of("pixel-15"))
    assert fleet.provision().code == 0
    state = bench.state(bench.devices[0].serial)
    bench.send({"do": "unplug", "serial": bench.devices[0].serial})
    return state


def _settles(good: Callable[[], bool], seconds: float = 30) -> bool:
    """A phone needs a moment to notice that its cable is gone."""
    end = time.monotonic() + seconds
    while not good() and time.monotonic() < end:
        time.sleep(0.05)
    return good()


def _pulled(fleet: Fleet, virtual_bench: StartBench, whole: dict[str, Any], cuts: list[dict[str, Any]]) -> None:
    """A phone for each cut: run, plug in again, run; all have to end like the one that was left alone."""
    spec = {"devices": [{"preset": "pixel-15", "faults": [{"kind": "unplug", **cut}]} for cut in cuts]}
    bench = virtual_bench(spec)
    first = fleet.provision()
    untouched = {report["serial"] for report in first.reports() if not report["error"]}
    assert not [cut for phone, cut in zip(bench.devices, cuts, strict=True) if phone.serial in untouched]
    assert (first.code, first.summary["failed"]) == (1, len(cuts))
    for phone, cut in zip(bench.devices, cuts, strict=True):
        assert _settles(lambda s=phone.serial: not bench.state(s)["sessions"]), f"a session was left open after {cut}"  # type: ignore[misc]
        bench.send({"do": "plug", "serial": phone.serial})
    second = fleet.provision()
    assert (second.code, second.summary["failed"]) == (0, 0), second.out
    for phone, cut in zip(bench.devices, cuts, strict=True):
        state = bench.state(phone.serial)
        assert end_state(state) == end_state(whole), cut
        assert not [
            path for path in state["files"] if path.endswith(".schoolbag-part") or "/.schoolbag.apps." in path
        ], cut
        for package in ("org.schoolbag.sample.reader", "org.schoolbag.sample.maths"):
            assert state["installs"][package] == 1, f"{package} was installed twice after {cut}"
    third = fleet.provision()
    assert (third.code, third.summary["steps"]) == (0, 0)
    assert fleet("ledger", "verify").code == 0


def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of("pixel-13", faults=[{"kind": "slow_link", "rate": 8000}]))
    serial = bench.devices[0].serial
    running = fleet.start("provision", "--json", "--profile", SAMPLE)
    assert running.stdout is not None
    while '"bytes"' not in running.stdout.readline():
        pass
    running.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - begun < 10
    assert "Traceback" not in err
    assert _settles(lambda: not bench.state(serial)["sessions"])
    bench.send({"do": "clear_faults", "serial": serial})
    assert fleet.provision().summary["failed"] == 0
    assert fleet("ledger", "verify").code == 0


def test_what_a_person_sees(fleet: Fleet, virtual_bench: StartBench) -> None:
    virtual_bench(bench_of("pixel-13"))
    done = fleet("provision", "--all", "--profile", SAMPLE, "--tags", "A")
    assert done.code == 0
    assert done.out.rstrip().endswith("It may be unplugged. Left switched on: USB debugging.")
    assert "needs a device owner" in done.out
    status = fleet("status")
    assert "1 unit" in status.out
    assert "A-0001" in fleet("unit", "show", "A-0001").out


def test_debugging_off_is_done_last_and_said(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    bench = virtual_bench(bench_of("pixel-13"))
    profile = tmp_path / "off.yaml"
    profile.write_text("profile: off\nidentity: {automatic_time: true}\nbench: {debugging: off}\n")
    done = fleet.provision(profile=profile)
    assert done.code == 0, done.out
    assert done.items()["bench.debugging"]["result"] == "unverified"
    assert done.reports()[0]["left_on"] == []
    assert bench.state(bench.devices[0].serial)["settings"]["global"]["adb_enabled"] == "0"
