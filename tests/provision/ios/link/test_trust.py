"""Being let in: by the person who holds the device, by our keybag, and not at all (facts, iOS §1, §3)."""

from __future__ import annotations

import asyncio
import plistlib
import subprocess
import time

import pytest
from pymobiledevice3.lockdown import create_using_usbmux
from pymobiledevice3.services.mobile_config import MobileConfigService

from provision.errors import NoAnswer, NotReady, Unplugged
from provision.ios import keybag
from provision.ios.actions import Activate, Erase, Supervise
from provision.ios.keybag import Keybag
from tests.provision.ios.link.conftest import Iphones, Start


def test_nobody_is_asked_unless_that_is_wanted(iphones: Start) -> None:
    bench = iphones("ipad-nosim", {"trust": "ask"})
    with pytest.raises(NotReady, match="The iPad does not trust this computer yet") as caught:
        bench.attach()
    assert "Trust" in caught.value.next_action
    assert bench.state()["dialog"] is None


def test_trust_is_waited_for(iphones: Start) -> None:
    bench = iphones("iphone-17", {"trust": "ask"})
    with bench.person("dialog", "trust"):
        device = bench.attach(trust=20)
    who = device.identity
    assert (who.platform, who.maker, who.model) == ("ios", "Apple", "iPhone 12 (iPhone13,2)")
    assert (who.serial, who.version, who.api, who.build) == (bench.one.serial, "17.7.2", 17, "21H221")
    assert who.properties["UniqueDeviceID"] == bench.one.address == device.address
    assert bench.attach().identity == who  # and from then on nobody is asked


@pytest.mark.parametrize(
    ("preset", "trust", "reason"),
    [
        ("iphone-17", "ask", "Nobody has answered"),
        ("iphone-17", "deny", "“Don't Trust” was tapped"),
        ("iphone-passcode", 0, "is locked with a passcode"),
    ],
)
def test_who_is_not_let_in_is_told_why(iphones: Start, preset: str, trust: object, reason: str) -> None:
    bench = iphones(preset, {"trust": trust})
    begun = time.monotonic()
    with pytest.raises(NotReady, match=reason) as caught:
        bench.attach(trust=1.5)
    assert caught.value.next_action
    assert time.monotonic() - begun < 10


def test_one_that_is_unlocked_and_trusts_meanwhile_is_let_in(iphones: Start) -> None:
    bench = iphones("iphone-passcode", {"trust": 0})
    with bench.person("locked", "unlock"):
        assert bench.attach(trust=20).identity.serial == bench.one.serial


def test_one_that_is_unplugged_meanwhile(iphones: Start) -> None:
    bench = iphones("iphone-17", {"trust": "ask"})
    with bench.person("dialog", "unplug"), pytest.raises(Unplugged):
        bench.attach(trust=30)


def test_one_that_says_nothing(iphones: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.ios.link._OPEN_SECONDS", 0.5)
    bench = iphones("iphone-17", faults=[{"kind": "silent"}])
    with pytest.raises(NoAnswer, match="did not answer in time"):
        bench.attach()


def test_usbmuxd_gone(iphones: Start) -> None:
    bench = iphones("iphone-17")
    place = bench.place()
    bench.order("usbmuxd", on=False)
    with pytest.raises(Unplugged, match="usbmuxd"):
        bench.door.attach(place)


def test_one_that_went_before_it_was_asked(iphone: Iphones) -> None:
    place = iphone.place()
    iphone.order("unplug")
    with pytest.raises(Unplugged, match="unplugged"):
        iphone.door.attach(place)


def test_our_record_is_good_for_other_tools(iphones: Start) -> None:
    """usbmuxd is given it, so that Debian's tools need no pairing of their own; and the root's key stays here."""
    bench = iphones("iphone-15")
    bench.trusted()
    udid = bench.one.address
    asked = ["ideviceinfo", "-u", udid, "-k", "SerialNumber"]
    told = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.strip() == bench.one.serial
    record = plistlib.loads((bench.records / f"{udid}.plist").read_bytes())
    assert record["EscrowBag"]
    assert b"PRIVATE" in record["HostPrivateKey"]


def test_their_record_is_good_for_us(iphone: Iphones) -> None:
    subprocess.run(["idevicepair", "-u", iphone.one.address, "pair"], check=True, capture_output=True, timeout=60)
    assert iphone.attach().identity.serial == iphone.one.serial
    assert not (iphone.records / "this-computer").exists()


def test_all_devices_are_paired_with_the_same_keys(iphones: Start) -> None:
    bench = iphones("iphone-17", count=2)
    for at in range(2):
        bench.trusted(at)
    records = [plistlib.loads((bench.records / f"{device.address}.plist").read_bytes()) for device in bench.devices]
    for shared in ("HostID", "HostCertificate", "RootCertificate", "SystemBUID"):
        assert records[0][shared] == records[1][shared]
    assert records[0]["DeviceCertificate"] != records[1]["DeviceCertificate"]


def test_a_record_of_before_an_erase_is_known_and_made_anew(iphone: Iphones) -> None:
    iphone.trusted()
    before = iphone.place().number
    asyncio.run(_erase_by_another_program(iphone.one.address))
    iphone.place(other_than=before)
    with pytest.raises(NotReady, match="does not trust this computer yet"):
        iphone.attach()
    assert iphone.trusted().identity.serial == iphone.one.serial


async def _erase_by_another_program(udid: str) -> None:
    async with await create_using_usbmux(udid, autopair=False) as client, MobileConfigService(client) as service:
        await service.erase_device(preserve_data_plan=True, disallow_proximity_setup=True)


# Supervised: nobody is asked ----------------------------------------------------------------------------------------


def _supervised(bench: Iphones, keys: Keybag) -> Iphones:
    """The device, erased and put under supervision by another computer with this keybag."""
    bench.keys.append(keys)
    device = bench.trusted()
    device.perform(Erase(), lambda _: None)
    device.perform(Activate(), lambda _: None)
    device.perform(Supervise(), lambda _: None)
    return Iphones(bench.bench, bench.devices, bench.records.with_name("another-computer"), [keys])


@pytest.fixture
def supervised(iphone: Iphones, our_keybag: Keybag) -> Iphones:
    other = _supervised(iphone, our_keybag)
    iphone.order("finish_setup")
    asyncio.run(_forgotten(iphone.one.address))
    return other


async def _forgotten(udid: str) -> None:
    async with await create_using_usbmux(udid, autopair=False) as client:
        await client.unpair()


def test_our_keybag_lets_us_in_without_a_person(supervised: Iphones) -> None:
    supervised.order("unplug")
    supervised.order("plug")
    assert supervised.attach(trust=0).identity.serial == supervised.one.serial
    assert supervised.state()["dialog"] is None


def test_the_keybag_of_another_organisation_has_the_person_asked(supervised: Iphones) -> None:
    supervised.keys[:] = [keybag.create("Somebody else")]
    assert supervised.attach(trust=5).identity.serial == supervised.one.serial


def test_one_that_is_locked_lets_our_keybag_in_for_nothing(supervised: Iphones) -> None:
    supervised.order("lock")
    with pytest.raises(NotReady, match="while it was locked"):
        supervised.attach(trust=0)
    supervised.order("unlock")
    assert supervised.attach(trust=0).identity.serial == supervised.one.serial
