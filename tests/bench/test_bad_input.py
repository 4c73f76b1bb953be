"""What goes wrong at a bench: a clear line, the next action, nothing lost, and no other device's run ended."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import ROOT, SAMPLE, Fleet

StartBench = Callable[[dict[str, Any]], Bench]
APPS = ROOT / "examples" / "apps"


def profile(folder: Path, text: str) -> Path:
    file = folder / "p.yaml"
    file.write_text(f"profile: p\n{text}", encoding="utf-8")
    return file


def app(file: str, package: str = "org.schoolbag.sample.reader") -> str:
    return f"apps: [{{id: a, android: {{package: {package}, file: {APPS / file}}}}}]\n"


def devices(*presets: str, **more: Any) -> dict[str, Any]:
    return {"devices": [{"preset": preset, **more} for preset in presets]}


def test_no_adb_program(fleet: Fleet, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody: int = free.getsockname()[1]
    nowhere = Fleet(fleet.home, nobody, {"PATH": str(empty), "ADB": str(empty / "adb")})
    done = nowhere("devices")
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("Error: ")
    assert "adb" in done.err
    assert "Install it" in done.err


def test_several_devices_and_none_named(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(devices("pixel-13", "samsung-9"))
    done = fleet("provision", "--profile", SAMPLE)
    assert done.code == 2
    assert done.err.startswith("Error: 2 devices are attached and none was named.")
    assert all(phone.serial in done.err for phone in bench.devices)
    named = fleet("provision", bench.devices[0].serial, "nosuch", "--profile", SAMPLE)
    assert (named.code, "No attached device is nosuch" in named.err) == (2, True)
    assert all(bench.state(phone.serial)["installs"] == {} for phone in bench.devices)


def test_no_device(fleet: Fleet) -> None:
    done = fleet("provision", "--all", "--profile", SAMPLE)
    assert (done.code, done.err.splitlines()[0]) == (2, "Error: No device is attached.")
    assert "USB debugging" in done.err


def test_two_phones_with_one_serial_are_left_alone(fleet: Fleet, virtual_bench: StartBench) -> None:
    spec = {"devices": [{"preset": "pixel-13", "serial": "CLONE1"}] * 2 + [{"preset": "samsung-9"}]}
    virtual_bench(spec)
    done = fleet.provision()
    clashes = [row for row in done.reports() if "devices say they are CLONE1" in row["error"]]
    assert done.code == 1
    assert len(clashes) == 2
    assert all(one["address"] in clashes[0]["error"] for one in clashes)
    assert done.summary == {"devices": 3, "verified": 0, "partial": 1, "failed": 2, "steps": done.summary["steps"]}


def test_unusable_states_are_one_sentence_and_stop_no_other(fleet: Fleet, virtual_bench: StartBench) -> None:
    spec = devices("pixel-13", faults=[{"kind": "unauthorized"}])
    spec["devices"] += [{"preset": "samsung-9"}]
    virtual_bench(spec)
    done = fleet.provision()
    errors = [row for row in done.reports() if row["error"]]
    assert [row["verdict"] for row in errors] == ["failed"]
    assert "does not trust this computer" in errors[0]["error"] or "unauthorized" in errors[0]["error"]
    assert errors[0]["next_action"]
    assert done.summary["partial"] == 1


@pytest.mark.parametrize(
    ("preset", "kind"), [("phone-with-account", "account"), ("phone-with-owner", "owner"), ("phone-two-users", "users")]
)
def test_the_gate(fleet: Fleet, virtual_bench: StartBench, preset: str, kind: str) -> None:
    bench = virtual_bench(devices(preset))
    serial = bench.devices[0].serial
    before = bench.state(serial)
    done = fleet.provision()
    (report,) = done.reports()
    assert (done.code, report["stops"], report["steps"]) == (1, [kind], 0)
    assert "--allow REASON" in report["next_action"]
    after = bench.state(serial)
    same = ("settings", "packages", "files", "netpolicy", "apns")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    text = done.out + done.err + fleet("unit", "show", serial).out
    assert all(account["name"] not in text for account in before["accounts"]), "a donor's name has left the phone"
    allowed = fleet.provision("--allow", "the donor is here")
    assert allowed.reports()[0]["verdict"] == "partial"
    assert "the donor is here" in fleet("unit", "show", serial, "--json").out


def test_the_ignore_list(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(devices("pixel-13"))
    fleet.home.mkdir()
    (fleet.home / "ignore.txt").write_text(f"{bench.devices[0].serial}  # my own phone\n")
    done = fleet.provision()
    assert done.reports()[0]["stops"] == ["ignored"]
    assert bench.state(bench.devices[0].serial)["installs"] == {}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("schoolbag-reader-truncated.apk", "damaged or was cut short"),
        ("schoolbag-reader-unsigned.apk", "not signed"),
        ("build.sh", "must end in .apk"),
        ("schoolbag-recorder.apk", "the file is of org.schoolbag.sample.recorder"),
    ],
)
def test_bad_app_files_are_found_before_any_device_is_touched(
    fleet: Fleet, tmp_path: Path, file: str, says: str
) -> None:
    done = fleet.provision(profile=profile(tmp_path, app(file)))
    assert done.code == 2
    assert "p.yaml:2:" in done.err
    assert says in done.err


def test_apps_that_a_phone_cannot_have_are_impossible_there(
    fleet: Fleet, virtual_bench: StartBench, tmp_path: Path
) -> None:
    virtual_bench(devices("pixel-13", state={"properties": {"ro.product.cpu.abilist": "armeabi-v7a"}}))
    files = {"arm64": "schoolbag-arm64.apk", "new_android": "schoolbag-new-android.apk"}
    rows = [
        f"  - {{id: {i}, android: {{package: org.schoolbag.sample.{i}, file: {APPS / f}}}}}\n" for i, f in files.items()
    ]
    text = f"apps:\n{''.join(rows)}"
    done = fleet.provision(profile=profile(tmp_path, text))
    assert done.code == 0, done.out + done.err
    items = done.items()
    assert {items["apps.arm64"]["result"], items["apps.new_android"]["result"]} == {"impossible"}
    assert "no code for this processor" in items["apps.arm64"]["why"]
    assert "needs Android API 34" in items["apps.new_android"]["why"]


def test_downgrade_and_other_signer_are_refused_before_anything_is_sent(
    fleet: Fleet, virtual_bench: StartBench, tmp_path: Path
) -> None:
    bench = virtual_bench(devices("pixel-13"))
    serial = bench.devices[0].serial
    assert fleet.provision(profile=profile(tmp_path, app("schoolbag-reader-2.apk"))).code == 0
    sent = bench.state(serial)["received"]["exec"]
    older = fleet.provision(profile=profile(tmp_path, app("schoolbag-reader-1.apk")))
    other = fleet.provision(profile=profile(tmp_path, app("schoolbag-reader-other-signer.apk")))
    assert "does not go back" in older.items()["apps.a"]["why"]
    assert "signed by somebody else" in other.items()["apps.a"]["why"]
    assert bench.state(serial)["received"]["exec"] == sent
    again = fleet.provision(profile=profile(tmp_path, app("schoolbag-reader-2.apk")))
    assert (again.code, again.summary["steps"], again.summary["verified"]) == (0, 0, 1)


def test_switches_that_are_off_name_the_switch(fleet: Fleet, virtual_bench: StartBench) -> None:
    virtual_bench(devices("xiaomi-11", "pixel-13"))
    done = fleet.provision()
    (failed,) = [
        row
        for row in done.lines
        if row["event"] == "item" and row["item"] == "apps.reader" and row["result"] == "failed"
    ]
    assert "Install via USB" in failed["why"] + failed["next_action"]
    assert (done.summary["failed"], done.summary["partial"]) == (1, 1)


@pytest.mark.parametrize("kind", ["escapes", "invalid_utf8", "megabytes", "newlines", "nothing"])
def test_a_phone_that_answers_noise(fleet: Fleet, virtual_bench: StartBench, kind: str) -> None:
    fault = {"kind": "noise", "at": "^(dumpsys|settings get|pm )", "with": kind, "times": 0}
    virtual_bench(devices("pixel-13", faults=[fault]))
    done = fleet("provision", "--all", "--profile", SAMPLE)
    assert done.code in {0, 1}
    assert "bug in fleet" not in done.err
    assert not [c for c in done.out + done.err if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    assert fleet("ledger", "verify").code == 0


def test_a_full_phone_says_so(fleet: Fleet, virtual_bench: StartBench) -> None:
    virtual_bench(devices("pixel-13", faults=[{"kind": "storage_full"}]))
    items = fleet.provision().items()
    assert "are free" in items["apps.reader"]["why"]
    assert items["apps.reader"]["result"] == "failed"


def test_an_install_that_the_phone_refuses(fleet: Fleet, virtual_bench: StartBench) -> None:
    text = "Failure [INSTALL_FAILED_VERIFICATION_FAILURE]"
    virtual_bench(devices("pixel-13", faults=[{"kind": "install_refused", "text": text}]))
    done = fleet.provision()
    row = done.items()["apps.reader"]
    assert (done.code, row["result"]) == (1, "failed")
    assert row["next_action"]
    assert done.items()["content.grade-3"]["result"] == "verified"


def test_odd_names_arrive_as_they_are(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    odd = ["it's; rm -rf x", 'a "b" $(c) `d`', "Toán – 语文", "-n", "*", "back\\slash"]
    tree = tmp_path / "tree"
    for name in odd:
        (tree / name).mkdir(parents=True)
        (tree / name / name).write_text(name, encoding="utf-8")
    bench = virtual_bench(devices("pixel-13", "tablet-7"))
    text = 'content: [{id: odd, from: tree, to: "It\'s; $(mine)"}]\nidentity: {name: "a; \'b\' $(c)"}\n'
    done = fleet.provision(profile=profile(tmp_path, text))
    assert done.code == 0, done.out + done.err
    for phone in bench.devices:
        state = bench.state(phone.serial)
        there = {path.rpartition("/")[2] for path in state["files"] if "/It's; $(mine)/" in path and "/." not in path}
        assert there == set(odd)
        assert state["settings"]["global"]["device_name"] == "a; 'b' $(c)"
    assert fleet.provision(profile=profile(tmp_path, text)).summary["steps"] == 0


def test_a_file_name_that_no_phone_can_hold_is_impossible(
    fleet: Fleet, virtual_bench: StartBench, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "two\nlines").write_text("x")
    (tree / os.fsdecode(b"\xff")).write_text("x")
    virtual_bench(devices("pixel-13"))
    done = fleet.provision(profile=profile(tmp_path, "content: [{id: odd, from: tree, to: x}]\n"))
    assert done.code in {0, 2}
    assert "cannot be written on a phone" in done.out + done.err


def test_a_newer_registry_stops_the_run_before_the_phones(
    fleet: Fleet, virtual_bench: StartBench, tmp_path: Path
) -> None:
    import sqlite3

    bench = virtual_bench(devices("pixel-13"))
    assert fleet.provision("--plan").code == 0
    with sqlite3.connect(fleet.home / "registry.db") as registry:
        registry.execute("UPDATE alembic_version SET version_num = '9999'")
    registry.close()
    done = fleet.provision()
    assert done.code == 1
    assert "newer" in done.err
    assert bench.state(bench.devices[0].serial)["installs"] == {}


def test_secrets_are_nowhere_to_be_seen(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    bench = virtual_bench(devices("pixel-15"))
    text = "network: {wifi: [{ssid: Truong-A, password: !secret wifi}]}\nscreen_lock: {pin: !secret pin}\n"
    file = profile(tmp_path, text)
    assert "FLEET_SECRET_WIFI" in fleet.provision(profile=file).err
    secret = Fleet(fleet.home, fleet.adb_port, {"FLEET_SECRET_WIFI": "hush-hush-1", "FLEET_SECRET_PIN": "918273"})
    plan = secret("-vv", "provision", "--all", "--plan", "--profile", file)
    done = secret("-vv", "provision", "--all", "--json", "--profile", file)
    assert done.code == 0, done.out + done.err
    state = bench.state(bench.devices[0].serial)
    assert state["lock"]["value"] == "918273"
    told = plan.out + plan.err + done.out + done.err
    kept = b"".join(f.read_bytes() for f in fleet.home.rglob("*") if f.is_file())
    for value in ("hush-hush-1", "918273"):
        assert value not in told
        assert value.encode() not in kept
    again = secret.provision(profile=file)
    assert again.summary["steps"] == 0
    assert again.items()["network.wifi.Truong-A"]["result"] == "unverified"
    assert again.items()["screen_lock.pin"]["result"] == "verified"


def test_a_lock_that_we_did_not_set_is_never_tried(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    bench = virtual_bench(devices("phone-pin-locked"))
    file = profile(tmp_path, "screen_lock: {pin: !secret pin}\n")
    fleet.env["FLEET_SECRET_PIN"] = "918273"
    for command in (["provision", "--plan"], ["verify"], ["provision"]):
        done = fleet(*command, "--all", "--json", "--profile", file)
    row = done.items()["screen_lock.pin"]
    assert (row["result"], done.code) == ("failed", 1)
    assert "Screen lock › None" in row["next_action"]
    assert bench.state(bench.devices[0].serial)["lock"]["tries"] == 0


def test_a_pin_that_was_changed_is_tried_once(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    bench = virtual_bench(devices("pixel-13", "samsung-9"))
    file = profile(tmp_path, "screen_lock: {pin: !secret pin}\n")
    fleet.env["FLEET_SECRET_PIN"] = "918273"
    assert fleet.provision(profile=file).summary["verified"] == 2
    fleet.env["FLEET_SECRET_PIN"] = "111222"
    for _ in range(3):
        done = fleet.provision(profile=file)
    assert done.summary["failed"] == 2
    assert [bench.state(phone.serial)["lock"]["tries"] for phone in bench.devices] == [1, 1]


def test_files_whose_names_changed_in_capitals_only(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    bench = virtual_bench(devices("pixel-13"))
    file = profile(tmp_path, "content: [{id: c, from: tree, to: Learning}]\n")
    tree = tmp_path / "tree"
    (tree / "a" / "Book").mkdir(parents=True)
    for name in ("Story.txt", "a/Story.txt", "a/Book/one.txt"):
        (tree / name).write_text(name)
    assert fleet.provision(profile=file).summary["verified"] == 1
    for old, new in (("Story.txt", "story.txt"), ("a/Story.txt", "a/story.txt"), ("a/Book", "a/book")):
        (tree / old).rename(tree / new)
    assert fleet.provision(profile=file).summary["verified"] == 1
    assert fleet("verify", "--all", "--deep", "--json", "--profile", file).summary["verified"] == 1
    assert fleet.provision(profile=file).summary["steps"] == 0
    files = bench.state(bench.devices[0].serial)["files"]
    names = {name.partition("/Learning/")[2].casefold() for name in files if "/Learning/" in name}
    assert names == {".schoolbag.c", "story.txt", "a/story.txt", "a/book/one.txt"}


def test_an_expansion_file_with_other_bytes_is_found(
    fleet: Fleet, virtual_bench: StartBench, tmp_path: Path, adb_binary: str
) -> None:
    bench = virtual_bench(devices("samsung-9", "tablet-7"))
    file = profile(tmp_path, app("schoolbag-maths.xapk", "org.schoolbag.sample.maths"))
    assert fleet.provision(profile=file).summary["verified"] == 2
    assert fleet.provision(profile=file).summary["steps"] == 0
    for phone in bench.devices:
        path = next(name for name in bench.state(phone.serial)["files"] if name.endswith(".obb"))
        size = bench.state(phone.serial)["files"][path]["size"]
        shell = [adb_binary, "-P", str(fleet.adb_port), "-s", phone.address, "shell"]
        subprocess.run([*shell, f"echo {'0' * (size - 1)} > {path}"], check=True, timeout=30)
        assert bench.state(phone.serial)["files"][path]["size"] == size
    again = fleet.provision(profile=file)
    assert (again.summary["steps"], again.summary["verified"]) == (2, 2)
