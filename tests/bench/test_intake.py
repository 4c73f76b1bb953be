"""The intake, end to end: the real program, a real adb server, virtual phones in a process of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from fleet.intake_commands import scanned
from provision.bench import Attached
from provision.device import Place
from tests.benches import Bench
from tests.fleets import Done, Fleet

StartBench = Callable[[dict[str, Any]], Bench]

WANTED: Mapping[str, tuple[str, list[str]]] = {
    "pixel-15": ("accept", []),
    "phone-with-account": ("needs hands", ["remove_accounts", "reset"]),
    "phone-with-owner": ("refuse", []),
    "phone-two-users": ("needs hands", ["remove_users", "reset"]),
    "phone-pin-locked": ("needs hands", ["remove_screen_lock", "reset"]),
    "phone-full": ("needs hands", ["free_storage"]),
    "phone-worn-battery": ("needs hands", ["", ""]),
    "xiaomi-11": ("needs hands", ["switch", "switch"]),
    "xiaomi-11-ready": ("accept", []),
    "oppo-11": ("needs hands", ["switch"]),
    "samsung-13": ("accept", []),
    "tablet-nogms-9": ("accept", []),
}
BLOCKED = {"settings": {"secure": {"rampart_blocked_adb_cmd": "1"}}}


def bench_of(*presets: str, **more: Any) -> dict[str, Any]:
    return {"devices": [{"preset": preset, **more} for preset in presets]}


def rows(done: Done) -> dict[str, dict[str, Any]]:
    """The JSON lines of the devices, by serial."""
    return {row["serial"]: row for row in done.lines if row["event"] == "intake"}


def kept(state: dict[str, Any]) -> dict[str, Any]:
    """All that a phone holds, but how often and how much it was asked."""
    return {key: value for key, value in state.items() if key not in {"round_trips", "received", "opened"}}


def one(done: Done) -> dict[str, Any]:
    (row,) = rows(done).values()
    return row


def test_every_kind_of_phone_gets_its_verdict_and_none_is_changed(fleet: Fleet, virtual_bench: StartBench) -> None:
    spec = bench_of(*WANTED)
    spec["devices"].append({"preset": "samsung-13", "serial": "R58BLOCKED1", "state": BLOCKED})
    bench = virtual_bench(spec)
    before = {phone.serial: bench.state(phone.serial) for phone in bench.devices}
    done = fleet("intake", "--all", "--json", "--lang", "vi")
    assert (done.code, done.err) == (1, "")
    found = rows(done)
    for phone in bench.devices[:-1]:
        row = found[phone.serial]
        verdict, hands = WANTED[phone.preset]
        assert row["verdict"] == verdict, (phone.preset, row)
        assert [f["kind"] for f in row["findings"] if f["lead"] == "hands"] == hands, phone.preset
    blocked = found["R58BLOCKED1"]
    assert [f["kind"] for f in blocked["findings"] if f["lead"] == "hands"] == ["switch"]
    assert "Cài đặt › Bảo mật và quyền riêng tư › Tự động chặn" in blocked["findings"][-1]["taps"]
    assert done.lines[-1] == {
        "v": 1, "event": "summary", "devices": 13, "accept": 4, "hands": 8, "refuse": 1, "failed": 0,
    }  # fmt: skip
    for phone in bench.devices:
        after = bench.state(phone.serial)
        assert kept(after) == kept(before[phone.serial]), phone.preset
        assert after["round_trips"] - before[phone.serial]["round_trips"] == 2
    _nothing_personal(fleet)


def _nothing_personal(fleet: Fleet) -> None:
    """The donor's account is counted by type and never named, neither in the registry nor anywhere beside it."""
    assert fleet("ledger", "verify").code == 0
    text = b"".join(path.read_bytes() for path in fleet.home.rglob("*") if path.is_file())
    assert b"com.google" in text
    assert b"donor@example.org" not in text


def test_what_a_person_sees(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of("phone-with-owner", "oppo-11"))
    fleet.env["LC_ALL"] = "zh_CN.UTF-8"
    done = fleet("intake", "--all", "--letter")
    assert done.code == 1
    assert "退回" in done.out
    assert re.search(r"4\. 重启手机", done.out)
    letter = done.out[done.out.index("捐赠设备解锁函") :]
    assert bench.devices[0].serial in letter
    assert "请由所属单位解除对设备的管理" in letter


def test_a_reset_by_hand_is_guided_and_then_proved(fleet: Fleet, virtual_bench: StartBench) -> None:
    first = virtual_bench(bench_of("phone-with-account"))
    serial = first.devices[0].serial
    said = one(fleet("intake", "--all", "--json"))
    assert said["reset"] is None
    guide = next(f["taps"] for f in said["findings"] if f["kind"] == "reset")
    assert guide[0] == "Remove every account first"
    first.send({"do": "unplug", "serial": serial})
    fresh = {"accounts": [], "erased": 1, "settings": {"global": {"boot_count": "1"}}}
    second = virtual_bench({"devices": [{"preset": "phone-with-account", "serial": serial, "state": fresh}]})
    assert second.devices[0].serial == serial
    said = one(fleet("intake", "--all", "--json"))
    assert said["verdict"] == "accept"
    assert said["reset"] == {
        "proved": True, "shown": ["installation", "starts", "no_accounts", "no_apps"], "not_shown": [],
    }  # fmt: skip
    paper = fleet("intake", "--certificate", serial, "--lang", "en")
    assert paper.code == 0
    assert re.search(r"Seen: it was reset between 20\S+ \S+ UTC and 20", paper.out)
    assert "its count of starts began anew" in paper.out
    assert "whether deleted data can be recovered from them was not tested" in paper.out
    assert "a reset was seen" in fleet("unit", "show", serial).out


def test_labels_are_one_to_a_unit(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(bench_of("tablet-nogms-9", "tablet-7", "pixel-13"))
    one_, two, three = (phone.serial for phone in bench.devices)
    said = rows(fleet("intake", "--all", "--json", "--label", f"{one_}=lb-1", "--label", f"{two}=LB-2"))
    assert "no_imei" not in [finding["key"] for finding in said[one_]["findings"]]
    taken = fleet("intake", three, "--label", "lb-1")
    assert taken.code == 1
    assert f"The label LB-1 was scanned for {three}, but it belongs to {one_}." in taken.err


def test_labels_that_say_no_device_or_two() -> None:
    """As the command reads them: nothing has been done by then."""
    places = [Attached(Place("android", f"at-{name}", "1-1", "device")) for name in ("one", "two")]

    def told(*labels: str) -> str:
        with pytest.raises(click.UsageError) as caught:
            scanned(labels, places, lambda _: None)
        return caught.value.message

    assert told("at-one=LB-7", "at-two=lb-7") == "The label lb-7 was scanned twice: for at-one and for at-two."
    assert told("at-one=LB-7", "at-one=LB-8") == "Two labels were scanned for at-one: LB-7 and LB-8."
    assert told("LB-7") == "2 devices are meant: write --label DEVICE=LB-7."
    assert scanned(["at-one=A=B", "at-two=C"], places, lambda _: None) == [(places[0], "A=B"), (places[1], "C")]


def test_rules_of_the_coordinator(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    virtual_bench(bench_of("phone-worn-battery"))
    fleet.home.mkdir()
    (fleet.home / "intake.yaml").write_text("limits: {battery_worn: 60, battery_temperature: 50}\n")
    said = one(fleet("intake", "--all", "--json"))
    assert said["verdict"] == "accept"
    assert "battery_worn" not in [finding["key"] for finding in said["findings"]]
    other = tmp_path / "strict.yaml"
    other.write_text("leads: {batery_worn: refuse}\n")
    wrong = fleet("intake", "--all", "--rules", other)
    assert wrong.code == 2
    assert 'strict.yaml:1:9: unknown key "batery_worn" (did you mean "battery_worn"?)' in wrong.err


def test_a_phone_that_is_pulled_or_does_not_trust_us_stops_no_other(fleet: Fleet, virtual_bench: StartBench) -> None:
    spec = bench_of("pixel-13", "pixel-15")
    spec["devices"][0]["faults"] = [{"kind": "unplug", "at_service": 2}]
    bench = virtual_bench(spec)
    done = fleet("intake", "--all", "--json")
    pulled, whole = (rows(done)[phone.serial] for phone in bench.devices)
    assert (pulled["verdict"], whole["verdict"]) == (None, "accept")
    assert pulled["error"]
    assert done.code == 1
    assert done.lines[-1]["failed"] == 1


def test_certificate_of_a_unit_that_is_not_there(fleet: Fleet) -> None:
    done = fleet("intake", "--certificate", "A-0001")
    assert done.code == 1
    assert "No unit has the tag or serial" in done.err
    assert not list(fleet.home.glob("*.db"))
