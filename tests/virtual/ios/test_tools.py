"""Debian's tools against virtual iPhones, as a technician uses them."""

from __future__ import annotations

import plistlib
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.benches import Bench

Start = Callable[[Any], Bench]


def tool(*words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)


def said(*words: str) -> str:
    done = tool(*words)
    return (done.stdout + done.stderr).strip()


def one(start: Start, preset: str = "iphone-17", **state: object) -> tuple[Bench, str]:
    """A bench of one phone, and its UDID."""
    bench = start({"devices": [{"preset": preset, "state": {"trust": 0, **state}}]})
    return bench, bench.devices[0].address


def test_list(virtual_iphones: Start) -> None:
    bench = virtual_iphones({"devices": [{"preset": "iphone-17"}, {"preset": "ipad-nosim"}]})

    assert sorted(tool("idevice_id", "-l").stdout.split()) == sorted(device.address for device in bench.devices)


@pytest.mark.parametrize(
    ("preset", "version", "product"), [("iphone-12", "12.5.7", "iPhone7,2"), ("ipad-nosim", "18.5", "iPad12,1")]
)
def test_paired_and_asked(virtual_iphones: Start, preset: str, version: str, product: str) -> None:
    bench, udid = one(virtual_iphones, preset)
    assert said("idevicepair", "-u", udid, "pair") == f"SUCCESS: Paired with device {udid}"
    assert said("idevicepair", "-u", udid, "validate") == f"SUCCESS: Validated pairing with device {udid}"
    values = plistlib.loads(tool("ideviceinfo", "-u", udid, "-x").stdout.encode())
    assert (values["ProductVersion"], values["ProductType"]) == (version, product)
    assert values["SerialNumber"] == bench.devices[0].serial
    assert said("ideviceinfo", "-u", udid, "-k", "UniqueDeviceID") == udid
    assert "TotalDataAvailable: " in said("ideviceinfo", "-u", udid, "-q", "com.apple.disk_usage")
    assert said("idevicename", "-u", udid, "Lớp 3A") == "device name set to 'Lớp 3A'"
    assert said("idevicename", "-u", udid) == "Lớp 3A"
    assert bench.state(udid)["values"][""]["DeviceName"] == "Lớp 3A"
    assert said("idevicepair", "-u", udid, "unpair") == f"SUCCESS: Unpaired with device {udid}"
    assert bench.state(udid)["hosts"] == []


def test_asked_without_trust_it_says_little(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, trust="ask")
    rows = dict(line.split(": ", 1) for line in said("ideviceinfo", "-s", "-u", udid).splitlines() if ": " in line)
    assert rows["ProductVersion"] == "17.7.2"
    assert rows["UniqueDeviceID"] == udid
    assert "PhoneNumber" not in rows
    assert "IntegratedCircuitCardIdentity" not in rows
    assert said("ideviceinfo", "-s", "-u", udid, "-k", "PhoneNumber") == ""
    key = said("ideviceinfo", "-s", "-u", udid, "-k", "DevicePublicKey")
    assert key.startswith("LS0tLS1CRUdJTiBSU0EgUFVCTElDIEtFWS0t")  # -----BEGIN RSA PUBLIC KEY--, in base64
    assert bench.state(udid)["dialog"] is None


def test_trust_is_what_a_person_does(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, trust="ask")
    pair = ("idevicepair", "-u", udid, "pair")
    assert "Please accept the trust dialog" in said(*pair)
    assert bench.state(udid)["dialog"] is not None
    bench.send({"do": "trust", "serial": udid})
    assert bench.send({"do": "trust", "serial": udid})["event"] == "refused"
    assert said(*pair) == f"SUCCESS: Paired with device {udid}"
    assert [host["supervisor"] for host in bench.state(udid)["hosts"]] == [False]


def test_refusals_have_their_own_words(virtual_iphones: Start) -> None:
    spec = [{"preset": "iphone-passcode"}, {"preset": "iphone-17", "state": {"trust": "deny"}}]
    locked, denied = (device.address for device in virtual_iphones({"devices": spec}).devices)
    assert said("ideviceinfo", "-s", "-u", locked, "-k", "PasswordProtected") == "true"
    assert "Please enter the passcode" in said("idevicepair", "-u", locked, "pair")
    assert "user denied the trust dialog" in said("idevicepair", "-u", denied, "pair")


def test_two_dozen_at_once(virtual_iphones: Start) -> None:
    bench = virtual_iphones({"devices": [{"preset": "iphone-15", "state": {"trust": 0}} for _ in range(24)]})
    udids = [device.address for device in bench.devices]
    assert sorted(tool("idevice_id", "-l").stdout.split()) == sorted(udids)
    asking = [
        subprocess.Popen(["ideviceinfo", "-s", "-u", udid, "-k", "UniqueDeviceID"], stdout=subprocess.PIPE, text=True)
        for udid in udids
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in asking] == udids
