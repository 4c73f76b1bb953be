"""The configuration on virtual iPhones, by the whole run: installed, read back, replaced, removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provision.ios import keybag
from provision.ios.actions import Supervise
from provision.ios.door import UsbmuxDoor
from provision.ios.keybag import Keybag
from provision.ios.mobileconfig import IDENTIFIER
from provision.ios.settings import readers, settings
from provision.model import Report, Result
from provision.run import run
from tests.benches import Bench
from tests.provision.ios.config.cases import UNIT, profile_of

WIDE = """\
apps: [{id: kolibri, ios: {web: "https://learn.example.org", title: Kolibri}}]
sim: {apn: automatic}
network:
  wifi: [{ssid: Trường A, password: !secret wifi}]
  filter_dns: family.example
  web_filter: {deny: ["https://games.example"]}
restrictions: {in_app_purchases: deny, vpn: deny, install_profiles: deny, pair_with_computers: deny,
  remove: [{ios: com.apple.calculator}]}
home_screen: {dock: [{ios: com.apple.Preferences}], pages: [[kolibri]]}
"""


class Iphone:
    """A virtual one that trusts this computer, and our way to it."""

    def __init__(self, bench: Bench, folder: Path, keys: Keybag | None) -> None:
        self.bench = bench
        self.folder = folder
        self.serial = bench.devices[0].serial
        self._door = UsbmuxDoor(folder / "records", lambda: keys, readers(keys), settings(keys))

    def attached(self) -> Any:
        (place,) = self._door.places()
        return self._door.attach(place, trust=10)

    def provision(self, text: str) -> Report:
        return run(self.attached(), profile_of(text, self.folder), UNIT, lambda *_: None)

    @property
    def state(self) -> dict[str, Any]:
        return self.bench.state(self.serial)

    @contextmanager
    def person(self) -> Iterator[None]:
        """Somebody watches the screen, and installs what is queued in Settings."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.1):
                if self.state["waiting"]:
                    self.bench.send({"do": "tap_install", "serial": self.serial})

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            done.set()
            watching.join()


Start = Callable[..., Iphone]


@pytest.fixture
def iphone(virtual_iphones: Callable[[Any], Bench], tmp_path: Path) -> Start:
    def start(preset: str, keys: Keybag | None = None, **state: Any) -> Iphone:
        bench = virtual_iphones({"devices": [{"preset": preset, "state": {"trust": 0, **state}}]})
        return Iphone(bench, tmp_path, keys)

    return start


def results(report: Report, setting: str = "") -> dict[str, Result]:
    return {o.item.id: o.result for o in report.outcomes if o.item.id.startswith(setting)}


def test_by_hand_it_is_installed_once_somebody_taps_and_then_replaced(iphone: Start) -> None:
    phone = iphone("iphone-17")
    with phone.person():
        first = phone.provision("network: {filter_dns: family.example}\nrestrictions: {camera: deny, vpn: deny}\n")
        assert not first.error
        assert results(first, "configuration") == {"configuration.profile": Result.VERIFIED}
        assert results(first, "network") == {"network.filter_dns": Result.VERIFIED}
        assert results(first, "restrictions") == {
            "restrictions.camera": Result.VERIFIED,
            "restrictions.vpn": Result.IMPOSSIBLE,
        }
        assert phone.state["restrictions"] == {"allowCamera": False}
        assert phone.state["effects"]["dns"]["ServerName"] == "family.example"
        before = phone.state["profiles"][IDENTIFIER]

        second = phone.provision("network: {filter_dns: other.example}\n")
        assert results(second, "network") == {"network.filter_dns": Result.VERIFIED}
        assert list(phone.state["profiles"]) == [IDENTIFIER]
        assert phone.state["profiles"][IDENTIFIER] != before
        assert phone.state["restrictions"] == {}

    started = time.monotonic()
    third = phone.provision("network: {filter_dns: other.example}\n")
    assert third.steps == 0
    assert time.monotonic() - started < 20, "nobody was asked to tap"

    gone = phone.provision("screen_lock: {pin: none}\n")
    assert results(gone, "configuration") == {"configuration.profile": Result.VERIFIED}
    assert phone.state["profiles"] == {}


def test_under_our_supervision_nobody_taps_and_all_of_it_is_in_force(iphone: Start) -> None:
    keys = keybag.create("Schoolbag tests")
    phone = iphone("iphone-17", keys, set_up=False)
    phone.attached().perform(Supervise(), lambda _: None)
    phone.bench.send({"do": "finish_setup", "serial": phone.serial})

    first = phone.provision(WIDE)
    assert not first.error
    wrong = {name: found for name, found in results(first).items() if found is not Result.VERIFIED}
    assert set(wrong) <= {"sim.carrier"}, wrong
    state = phone.state
    assert state["restrictions"] == {
        "allowHostPairing": False,
        "allowInAppPurchases": False,
        "allowUIConfigurationProfileInstallation": False,
        "allowVPNCreation": False,
        "blockedAppBundleIDs": ["com.apple.calculator"],
    }
    assert state["effects"]["wifi"] == ["Trường A"]
    assert state["effects"]["apns"] == ["v-internet"]
    assert state["effects"]["web_clips"] == [{"label": "Kolibri", "url": "https://learn.example.org"}]
    assert state["effects"]["home_screen"] == [[{"Type": "WebClip", "URL": "https://learn.example.org"}]]

    assert phone.provision(WIDE).steps == 0

    gone = phone.provision("screen_lock: {pin: none}\n")
    assert results(gone, "configuration") == {"configuration.profile": Result.VERIFIED}, gone.outcomes
    assert phone.state["profiles"] == {}


@pytest.mark.parametrize("preset", ["iphone-12", "ipad-nosim"])
def test_whatever_a_device_cannot_have_is_told_before_and_the_rest_is_installed(iphone: Start, preset: str) -> None:
    phone = iphone(preset)
    with phone.person():
        report = phone.provision(WIDE)
    assert not report.error
    failed = [f"{o.item.id}: {o.why}" for o in report.outcomes if o.result is Result.FAILED]
    assert not failed
    assert results(report, "configuration") == {"configuration.profile": Result.VERIFIED}
