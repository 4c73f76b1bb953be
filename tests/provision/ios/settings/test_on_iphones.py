"""Apps, files and names on virtual iPhones, end to end: the real program, usbmuxd's protocol, phones of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import ROOT, Done, Fleet
from tests.ipas import make_ipa

StartBench = Callable[[dict[str, Any]], Bench]

CONTENT = ROOT / "examples" / "content" / "grade-3"
PROFILE = f"""\
profile: p
apps: [{{id: reader, ios: {{bundle: org.example.reader, file: reader.ipa}}}}]
content: [{{id: grade-3, from: {CONTENT}, to: Learning/grade-3, ios: reader}}]
identity: {{name: "{{tag}}", time_zone: Asia/Ho_Chi_Minh, language: zh-Hans, locale: zh_CN}}
"""


def trusting(*presets: str, **state: Any) -> dict[str, Any]:
    return {"devices": [{"preset": preset, "state": {"trust": 0, **state}} for preset in presets]}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    make_ipa(tmp_path / "reader.ipa", "org.example.reader", version="1", short="1.0", shares_files=True, size=3_000_000)
    (tmp_path / "p.yaml").write_text(PROFILE, encoding="utf-8")
    return tmp_path / "p.yaml"


def settled(done: Done, **counts: int) -> None:
    assert done.code == (1 if counts.get("failed") else 0), done.out + done.err
    assert {key: done.summary[key] for key in counts} == counts, done.out


def placed(state: dict[str, Any]) -> dict[str, str]:
    """The files of the entry, by name, as they lie on the phone."""
    return {
        name.split("/Learning/grade-3/")[1]: row["sha256"]
        for name, row in state["files"].items()
        if "/Learning/grade-3/" in name and "/.schoolbag" not in name
    }


def test_apps_files_and_names_are_set_once(fleet: Fleet, virtual_iphones: StartBench, profile: Path) -> None:
    bench = virtual_iphones(trusting("iphone-17", "ipad-cellular"))
    settled(fleet.provision("--tags", "A", profile=profile), devices=2, verified=2, steps=10)
    wanted = {
        path.relative_to(CONTENT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in CONTENT.rglob("*")
        if path.is_file()
    }
    for phone in bench.devices:
        state = bench.state(phone.serial)
        assert state["apps"]["org.example.reader"]["version"] == "1"
        assert placed(state) == wanted
        assert not [name for name in state["files"] if "schoolbag-part" in name or name.endswith(".ipa")]
        assert state["values"]["com.apple.international"]["Language"] == "zh-Hans"
    settled(fleet.provision(profile=profile), verified=2, steps=0)
    settled(fleet("verify", "--all", "--deep", "--json", "--profile", profile), verified=2, steps=0)


def test_a_new_version_and_new_content_replace_the_old(
    fleet: Fleet, virtual_iphones: StartBench, profile: Path
) -> None:
    bench = virtual_iphones(trusting("iphone-17"))
    lessons = profile.with_name("lessons")
    lessons.mkdir()
    (lessons / "one.txt").write_text("one")
    (lessons / "two.txt").write_text("two")
    profile.write_text(PROFILE.replace(str(CONTENT), str(lessons)).replace("{tag}", "Lop 3"))
    settled(fleet.provision(profile=profile), verified=1)

    make_ipa(profile.with_name("reader.ipa"), "org.example.reader", version="2", short="1.1", shares_files=True)
    (lessons / "one.txt").unlink()
    (lessons / "two.txt").write_text("2.0")
    (lessons / "three.txt").write_text("three")
    settled(fleet.provision(profile=profile), verified=1, steps=2)
    state = bench.state(bench.devices[0].serial)
    assert state["apps"]["org.example.reader"]["version"] == "2"
    assert set(placed(state)) == {"two.txt", "three.txt"}
    assert placed(state)["two.txt"] == hashlib.sha256(b"2.0").hexdigest()

    make_ipa(profile.with_name("reader.ipa"), "org.example.reader", version="3", team="OTHERTEAM1", shares_files=True)
    done = fleet.provision(profile=profile)
    settled(done, failed=1, steps=0)
    assert "another developer" in done.items()["apps.reader"]["why"]


def test_a_cable_pulled_while_an_app_is_sent(fleet: Fleet, virtual_iphones: StartBench, profile: Path) -> None:
    """The run says so; the next one goes on, and leaves nothing half done."""
    pull = {"kind": "unplug", "service": "com.apple.afc", "after_bytes": 1_500_000, "replug_after": 1}
    bench = virtual_iphones({"devices": [{"preset": "iphone-17", "state": {"trust": 0}, "faults": [pull]}]})
    done = fleet.provision("--tags", "A", profile=profile)
    settled(done, failed=1)
    assert "unplugged" in done.reports()[0]["error"] or "link" in done.reports()[0]["error"]
    serial = bench.devices[0].serial
    bench.wait_for(lambda event: event["event"] == "plugged" and event["number"] > 1)
    settled(fleet.provision(profile=profile), verified=1)
    files = bench.state(serial)["files"]
    assert not [name for name in files if "schoolbag-part" in name or name.endswith(".ipa")]


def test_what_the_device_says_is_told_with_what_to_do(fleet: Fleet, virtual_iphones: StartBench, profile: Path) -> None:
    """And it ends neither the run of this device nor that of another."""
    spec = trusting("iphone-17", "iphone-17")
    spec["devices"][0]["faults"] = [{"kind": "install_refused", "text": "DeviceFamilyNotSupported"}]
    spec["devices"][1]["state"]["seed"] = 7
    bench = virtual_iphones(spec)
    done = fleet.provision("--tags", "A", profile=profile)
    settled(done, devices=2, failed=1, verified=1)
    refused = done.items(bench.devices[0].serial)
    assert refused["apps.reader"]["result"] == "failed"
    assert refused["apps.reader"]["why"] == "It is not made for this kind of device."
    assert refused["apps.reader"]["next_action"] == "Leave it out for this device."
    assert refused["identity.name"]["result"] == "verified"


def test_files_of_no_device_are_refused_before_any_is_touched(
    fleet: Fleet, virtual_iphones: StartBench, profile: Path
) -> None:
    bench = virtual_iphones(trusting("iphone-17"))
    whole = profile.with_name("reader.ipa").read_bytes()
    profile.with_name("reader.ipa").write_bytes(whole[: len(whole) // 2])
    done = fleet.provision(profile=profile)
    assert (done.code, done.out) == (2, "")
    assert "p.yaml:2:1: reader: reader.ipa is cut short, or no IPA at all. Download it again." in done.err
    assert bench.state(bench.devices[0].serial)["values"][""]["DeviceName"] == "iPhone"


def test_an_app_for_other_devices_is_not_sent(fleet: Fleet, virtual_iphones: StartBench, profile: Path) -> None:
    """It goes where it may go, and says of the other device which UDID is missing."""
    bench = virtual_iphones(trusting("iphone-17", "ipad-cellular"))
    here, other = bench.devices
    path = profile.with_name("reader.ipa")
    make_ipa(path, "org.example.reader", devices=[here.address], shares_files=True)
    profile.write_text(f"profile: p\napps: [{{id: reader, ios: {{file: {path}}}}}]\n")
    done = fleet.provision(profile=profile)
    settled(done, verified=1, partial=1, steps=1)
    assert done.items(other.serial)["apps.reader"]["result"] == "impossible"
    assert other.address in done.items(other.serial)["apps.reader"]["why"]


def test_under_our_supervision_everything_can_be_read_back(
    fleet: Fleet, virtual_iphones: StartBench, profile: Path
) -> None:
    bench = virtual_iphones(trusting("iphone-17"))
    fleet.env["FLEET_ACTIVATION_SERVER"] = bench.activation_server
    assert fleet("supervision", "init", "--organisation", "Schoolbag").code == 0
    more = "screen_lock: {pin: none}\n"
    text = PROFILE.replace("locale: zh_CN}", "locale: zh_CN, automatic_time: on, skip_setup: all}") + more
    profile.write_text(text.replace("{tag}", "Lop 3"), encoding="utf-8")
    done = fleet.provision("--erase", profile=profile)
    settled(done, verified=1)
    assert done.items()["screen_lock.pin"]["why"] == "it says that it has no passcode"
    assert done.items()["identity.skip_setup"]["why"] == "its cloud configuration skips them"
    settled(fleet.provision(profile=profile), verified=1, steps=0)
