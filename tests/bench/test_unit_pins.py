"""``screen_lock: {pin: per_unit}``: every unit has a PIN of its own, and only the vault knows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import Fleet

StartBench = Callable[[dict[str, Any]], Bench]


@pytest.fixture
def per_unit(tmp_path: Path) -> Path:
    file = tmp_path / "case.yaml"
    file.write_text("profile: case\nscreen_lock: {pin: per_unit}\n", encoding="utf-8")
    return file


def pin_of(fleet: Fleet, serial: str) -> str:
    done = fleet("unit", "pin", serial, "--json")
    assert done.code == 0, done.err
    pin: str = done.lines[0]["pin"]
    return pin


def kept_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_every_unit_has_its_own_and_keeps_it(fleet: Fleet, virtual_bench: StartBench, per_unit: Path) -> None:
    bench = virtual_bench({"devices": [{"preset": name} for name in ("pixel-13", "samsung-9")]})
    serials = [phone.serial for phone in bench.devices]
    plan = fleet("-vv", "provision", "--all", "--plan", "--profile", per_unit)
    assert (plan.code, plan.out.count("1 step would be done")) == (0, 2), plan.out + plan.err
    assert fleet("verify", "--all", "--profile", per_unit).code == 1
    assert not (fleet.home / "vault.key").exists(), "who only looks makes none"
    assert "No PIN was made" in fleet("unit", "pin", serials[0]).err

    done = fleet("-vv", "provision", "--all", "--json", "--tags", "A", "--profile", per_unit)
    assert done.summary == {"devices": 2, "verified": 2, "partial": 0, "failed": 0, "steps": 2}, done.out + done.err
    pins = [str(bench.state(serial)["lock"]["value"]) for serial in serials]
    assert len(set(pins)) == 2
    assert all(len(pin) == 6 and pin.isdigit() for pin in pins)
    told = plan.out + plan.err + done.out + done.err + fleet("unit", "show", serials[0]).out
    exported = fleet.home.parent / "all.ledger"
    assert fleet("ledger", "export", exported, "--with-names").code == 0
    for pin in pins:
        assert pin not in told
        assert pin.encode() not in kept_in(fleet.home) + exported.read_bytes()

    assert fleet("unit", "pin", "A-0001").out.strip() in pins
    again = fleet.provision(profile=per_unit)
    assert (again.summary["steps"], again.summary["verified"]) == (0, 2)
    assert [pin_of(fleet, serial) for serial in serials] == pins
    read = [row["kind"] for row in fleet("unit", "show", "A-0001", "--json").lines[0]["history"]]
    assert read.count("vault.read") == 2, "whoever looked at it is in the ledger"


def test_it_is_kept_before_it_is_set(fleet: Fleet, virtual_bench: StartBench, per_unit: Path) -> None:
    """The cable is pulled right after the phone took it: whoever looks it up can unlock the phone."""
    fault = {"kind": "unplug", "at": "locksettings set-pin", "when": "after", "replug_after": 1}
    bench = virtual_bench({"devices": [{"preset": "pixel-13", "faults": [fault]}]})
    (serial,) = (phone.serial for phone in bench.devices)
    assert fleet.provision(profile=per_unit).code == 1
    assert pin_of(fleet, serial) == bench.state(serial)["lock"]["value"]
    deadline = time.monotonic() + 60
    while sum(event["event"] == "plugged" for event in bench.events) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert fleet.provision(profile=per_unit).items()["screen_lock.pin"]["result"] == "verified"


def test_without_the_key_of_the_vault_nothing_is_set(fleet: Fleet, virtual_bench: StartBench, per_unit: Path) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}]})
    (serial,) = (phone.serial for phone in bench.devices)
    assert fleet.provision(profile=per_unit).code == 0
    (fleet.home / "vault.key").rename(fleet.home / "away")
    tries = bench.state(serial)["lock"]["tries"]
    for command in ("provision", "verify"):
        (report,) = fleet(command, "--all", "--json", "--profile", per_unit).reports()
        assert (report["verdict"], "key of the vault is not on this bench" in report["error"]) == ("failed", True)
    assert bench.state(serial)["lock"]["tries"] == tries
    (fleet.home / "away").rename(fleet.home / "vault.key")
    assert fleet.provision(profile=per_unit).summary["steps"] == 0


def test_where_none_can_be_set_none_is_made(
    fleet: Fleet, virtual_iphones: StartBench, tmp_path: Path, per_unit: Path
) -> None:
    bench = virtual_iphones({"devices": [{"preset": "iphone-17", "state": {"trust": 0}}]})
    done = fleet.provision(profile=per_unit)
    assert done.items()["screen_lock.pin"]["result"] == "impossible", done.out + done.err
    assert "No PIN was made" in fleet("unit", "pin", bench.devices[0].serial).err
