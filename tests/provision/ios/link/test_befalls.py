"""What befalls a device in the middle of something, or between two things."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from provision.device import Device
from provision.errors import NoAnswer, Refused, Unplugged
from provision.ios.actions import Erase, InstallApp, SendFiles, Sent
from tests.provision.ios.link.conftest import MEGABYTES, Iphones, Start, installed

_APP = "org.example.reader"
_AFC, _HOUSE_ARREST = "com.apple.afc", "com.apple.mobile.house_arrest"


def _nothing(_: int) -> None:
    pass


def _install(device: Device, ipa: Path) -> None:
    device.perform(InstallApp(_APP, ipa, ipa.stat().st_size), _nothing)


def _content(device: Device) -> None:
    device.perform(SendFiles(_APP, (Sent(b"a" * MEGABYTES, "film.mp4", MEGABYTES),)), _nothing)


def test_usbmuxd_goes_in_the_middle(iphones: Start, ipa: Path) -> None:
    """Nothing comes through any more, and the device's thread knows it at once."""
    bench = iphones("iphone-17", faults=[{"kind": "slow_link", "rate": 300_000}])
    device = bench.trusted()
    told: list[int] = []
    ended: list[float] = []

    def sent(count: int) -> None:
        if not told:
            bench.bench.send({"do": "usbmuxd", "on": False})
            ended.append(time.monotonic())
        told.append(count)

    with pytest.raises(Unplugged):
        device.perform(InstallApp(_APP, ipa, ipa.stat().st_size), sent)
    assert time.monotonic() - ended[0] < 6, "the rest would have taken longer than that"
    assert bench.state()["received"][_AFC] < ipa.stat().st_size
    with pytest.raises(Unplugged, match="usbmuxd"):
        _install(device, ipa)
    bench.bench.send({"do": "usbmuxd", "on": True})
    bench.order("clear_faults")
    _install(device, ipa)
    assert _APP in bench.state()["apps"]


def test_it_locks_itself_in_the_middle(iphone: Iphones, ipa: Path) -> None:
    """What is under way goes on; what comes next shows the escrow bag that it gave when it was unlocked."""
    device = iphone.trusted()
    iphone.order("fault", fault={"kind": "locks", "after_bytes": 1_500_000, "service": _AFC})
    _install(device, ipa)
    state = iphone.state()
    assert state["locked"]
    assert _APP in state["apps"]


@pytest.mark.parametrize(
    ("service", "after"), [(_AFC, 60), (_AFC, 1_000_000), (_HOUSE_ARREST, 60), (_HOUSE_ARREST, 2500)]
)
def test_it_falls_silent(iphone: Iphones, ipa: Path, monkeypatch: pytest.MonkeyPatch, service: str, after: int) -> None:
    """Whatever it was doing: to take a connection, to open a file, to take a piece."""
    device = iphone.trusted()
    installed(device, ipa)
    monkeypatch.setattr("provision.ios.files._SILENCE", 0.5)
    iphone.order("fault", fault={"kind": "silent", "after_bytes": after, "service": service})
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="did not answer in time"):
        _install(device, ipa) if service == _AFC else _content(device)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("sends", [_content, _install])
def test_it_takes_a_little_now_and_then(
    iphone: Iphones, ipa: Path, monkeypatch: pytest.MonkeyPatch, sends: Any
) -> None:
    """It never falls silent, and is given up all the same."""
    device = iphone.trusted()
    installed(device, ipa)
    monkeypatch.setattr("provision.ios.device._DO_SECONDS", 0.5)
    monkeypatch.setattr("provision.ios.device._INSTALLING_SECONDS", 0.0)
    monkeypatch.setattr("provision.ios.device._SLOWEST", 2_000_000)
    iphone.order("fault", fault={"kind": "slow_link", "rate": 100_000})
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="did not answer in time"):
        sends(device) if sends is _content else sends(device, ipa)
    assert time.monotonic() - begun < 10


def test_one_that_left_is_not_erased(iphone: Iphones) -> None:
    """Whoever pulled the cable to stop it did stop it."""
    device = iphone.trusted()
    number = iphone.place().number
    iphone.order("unplug")
    iphone.order("plug")
    iphone.place(other_than=number)
    with pytest.raises(Unplugged, match="nothing was done to it"):
        device.perform(Erase(), _nothing)
    assert iphone.state()["erased"] == 0
    iphone.attach().perform(Erase(), _nothing)
    assert iphone.state()["erased"] == 1


def test_one_that_says_something_else_of_its_owner_is_not_erased(iphone: Iphones) -> None:
    device = iphone.trusted()
    iphone.order("sign_in")
    with pytest.raises(Refused, match="nothing was erased") as caught:
        device.perform(Erase(), _nothing)
    assert "'IsAssociated': True" in caught.value.evidence
    assert not device.away
    assert iphone.state()["erased"] == 0
    iphone.order("sign_out")
    device.perform(Erase(), _nothing)
    assert iphone.state()["erased"] == 1
    assert device.number == iphone.place().number, "it is the one that came back"
