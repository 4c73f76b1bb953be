"""One bench of virtual iPhones per test, and our door to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provision.device import Device, Place
from provision.ios import keybag
from provision.ios.door import UsbmuxDoor
from provision.ios.keybag import Keybag
from provision.setting import Answer
from tests.benches import Bench, VirtualDevice
from tests.ipas import make_ipa

MEGABYTES = 3_000_000
"""More than one piece."""


@pytest.fixture(scope="session")
def our_keybag() -> Keybag:
    return keybag.create("Schoolbag tests")


@pytest.fixture(scope="session")
def ipa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app that shares its documents, signed for all devices."""
    path = tmp_path_factory.mktemp("ipa") / "app.ipa"
    return make_ipa(path, "org.example.reader", size=MEGABYTES, shares_files=True)


@dataclass
class Iphones:
    """A bench and our door to it. ``keys`` is what the door's keybag loader gives."""

    bench: Bench
    records: Path
    keys: list[Keybag]

    @property
    def door(self) -> UsbmuxDoor:
        return UsbmuxDoor(self.records, lambda: self.keys[-1] if self.keys else None, {}, {})

    @property
    def one(self) -> VirtualDevice:
        return self.bench.devices[0]

    def place(self, at: int = 0) -> Place:
        udid = self.bench.devices[at].address
        return next(place for place in self.door.places() if place.address == udid)

    def attach(self, at: int = 0, trust: float | None = None) -> Device:
        return self.door.attach(self.place(at), trust=trust)

    def trusted(self, at: int = 0) -> Device:
        """Its user taps Trust."""
        return self.attach(at, trust=10)

    def order(self, do: str, at: int = 0, **more: Any) -> dict[str, Any]:
        answer = self.bench.send({"do": do, "serial": self.bench.devices[at].serial, **more})
        assert answer["event"] != "refused", answer
        return answer

    def state(self, at: int = 0) -> dict[str, Any]:
        return self.bench.state(self.bench.devices[at].serial)


Start = Callable[..., Iphones]


@pytest.fixture
def iphones(virtual_iphones: Callable[[Any], Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """``iphones("iphone-17", {"trust": 0}, faults=[…])``: a bench with one of them; ``count`` for more."""

    def start(preset: str, state: Any = None, *, faults: Any = (), count: int = 1) -> Iphones:
        device = {"preset": preset, "state": {"trust": 0} if state is None else state, "faults": list(faults)}
        bench = virtual_iphones({"devices": [device for _ in range(count)]})
        (ready,) = (event for event in bench.events if event["event"] == "ready")
        monkeypatch.setenv("FLEET_ACTIVATION_SERVER", ready["activation_server"])
        return Iphones(bench, tmp_path / "records", [])

    return start


def installed(device: Device, ipa: Path) -> None:
    from provision.ios.actions import InstallApp

    device.perform(InstallApp("org.example.reader", ipa, ipa.stat().st_size), lambda _: None)


def one(answers: dict[str, Answer] | Any) -> Answer:
    (answer,) = answers.values()
    assert isinstance(answer, Answer)
    return answer
