"""What the presets hold: every key that a computer looks for (facts, iOS §1), and numbers that are some."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.virtual.ios import presets
from provision.virtual.ios.phone import Phone

ALWAYS = (
    "ActivationState",
    "ActivationStateAcknowledged",
    "BrickState",
    "SerialNumber",
    "UniqueDeviceID",
    "UniqueChipID",
    "ProductType",
    "ProductVersion",
    "BuildVersion",
    "HardwareModel",
    "ModelNumber",
    "RegionInfo",
    "DeviceClass",
    "DeviceName",
    "DeviceColor",
    "TelephonyCapability",
    "BasebandStatus",
    "PasswordProtected",
    "WiFiAddress",
    "TimeZone",
)
RADIO = ["InternationalMobileEquipmentIdentity", "MobileEquipmentIdentifier", "SIMStatus", "SIMTrayStatus"]
SIM = ["IntegratedCircuitCardIdentity", "InternationalMobileSubscriberIdentity", "CarrierBundleInfoArray"]
DOMAINS = {
    "com.apple.fmip": ["IsAssociated"],
    "com.apple.mobile.chaperone": ["DeviceIsChaperoned"],
    "com.apple.mobile.battery": [
        "BatteryCurrentCapacity",
        "BatteryIsCharging",
        "FullyCharged",
        "ExternalConnected",
        "HasBattery",
    ],
    "com.apple.disk_usage": [
        "TotalDiskCapacity",
        "TotalDataCapacity",
        "TotalDataAvailable",
        "AmountDataAvailable",
        "TotalSystemCapacity",
    ],
    "com.apple.PurpleBuddy": ["SetupDone"],
    "com.apple.international": ["Language", "Locale"],
    "com.apple.mobile.wireless_lockdown": ["EnableWifiConnections"],
}


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@pytest.mark.parametrize("preset", presets.names())
def test_it_has_every_value_that_is_asked_for(preset: str, tmp_path: Path) -> None:
    phone = Phone(preset, {"seed": 7}, tmp_path / "phone")
    values = phone.read("") or {}
    assert not [key for key in ALWAYS if key not in values]
    assert all(isinstance(values[key], str) for key in ("ProductVersion", "BuildVersion", "DeviceColor", "DeviceName"))
    assert bool(phone.tree["slots"]) == all(key in values for key in RADIO)
    assert bool(phone.tree["sim"]) == all(key in values for key in SIM)
    for domain, keys in DOMAINS.items():
        found = phone.read(domain)
        assert found is not None
        assert not [key for key in keys if key not in found], domain
    assert phone.read("com.apple.no.such.domain") is None
    assert len(phone.serial) == 12
    assert len(phone.udid) in (25, 40)
    assert (len(phone.udid) == 25) == (phone.tree["chip"] is not None)
    assert 0 < phone.free() < phone.capacity
    for key in ("InternationalMobileEquipmentIdentity", "InternationalMobileEquipmentIdentity2"):
        assert len(values.get(key, "0" * 15)) == 15
        assert luhn(values.get(key, "0"))
    assert luhn(values.get("IntegratedCircuitCardIdentity", "0"))


def test_two_of_a_kind_are_two(tmp_path: Path) -> None:
    first, second = (Phone("iphone-18", {"seed": number}, tmp_path / str(number)) for number in (1, 2))
    differ = ("SerialNumber", "UniqueDeviceID", "UniqueChipID", "WiFiAddress", "InternationalMobileEquipmentIdentity")
    for key in (*differ, "InternationalMobileEquipmentIdentity2", "IntegratedCircuitCardIdentity"):
        assert (first.read("") or {})[key] != (second.read("") or {})[key]
    again = Phone("iphone-18", {"seed": 1}, tmp_path / "again")
    assert again.udid == first.udid


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    def phone(preset: str) -> Phone:
        return Phone(preset, {}, tmp_path / preset)

    assert (phone("iphone-activation-locked").read("") or {})["ActivationState"] == "Unactivated"
    assert phone("iphone-findmy").read("com.apple.fmip") == {"IsAssociated": True}
    assert phone("iphone-supervised-other").read("com.apple.mobile.chaperone") == {"DeviceIsChaperoned": True}
    assert (phone("iphone-passcode").read("") or {})["PasswordProtected"] is True
    assert 30_000_000 < phone("iphone-full").free() < 50_000_000
    assert phone("iphone-12").major == 12


def test_room_is_what_is_left(tmp_path: Path) -> None:
    phone = Phone("iphone-full", {}, tmp_path / "phone")
    free = phone.free()
    (phone.home / "media" / "Downloads" / "book.pdf").write_bytes(b"x" * 1000)
    assert phone.free() == free - 1000
    phone.need(free - 1000)
    with pytest.raises(OSError, match="No space left"):
        phone.need(free - 999)
    phone.full = True
    with pytest.raises(OSError, match="No space left"):
        phone.need(1)


def test_who_listens_hears_until_the_end(tmp_path: Path) -> None:
    phone = Phone("iphone-17", {}, tmp_path / "phone")
    heard: list[str] = []
    end = phone.observe(heard.append)
    phone.post("a")
    end()
    phone.post("b")
    assert heard == ["a"]


def test_nobody_knows_a_preset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="iphone-17"):
        Phone("nokia-3310", {}, tmp_path / "phone")
