"""One bench of virtual iPhones per test, and our door to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    """A bench and our door to it; ``devices`` are those of the test. ``keys``: the last is the door's keybag."""

    bench: Bench
    devices: Sequence[VirtualDevice]
    records: Path
    keys: list[Keybag] = field(default_factory=list)

    @property
    def door(self) -> UsbmuxDoor:
        return UsbmuxDoor(self.records, lambda: self.keys[-1] if self.keys else None, {}, {})

    @property
    def one(self) -> VirtualDevice:
        return self.devices[0]

    def place(self, at: int = 0, *, other_than: int = 0) -> Place:
        """Where it is, waiting for it where it is not; ``other_than`` the number that it had."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for place in self.door.places():
                if place.address == self.devices[at].address and place.number != other_than:
                    return place
            time.sleep(0.05)
        raise AssertionError("it did not come back")

    def attach(self, at: int = 0, trust: float | None = None) -> Device:
        return self.door.attach(self.place(at), trust=trust)

    def trusted(self, at: int = 0) -> Device:
        """Its user taps Trust."""
        return self.attach(at, trust=10)

    def order(self, do: str, at: int = 0, **more: Any) -> dict[str, Any]:
        answer = self.bench.send({"do": do, "serial": self.devices[at].serial, **more})
        assert answer["event"] != "refused", answer
        return answer

    def state(self, at: int = 0) -> dict[str, Any]:
        return self.bench.state(self.devices[at].serial)

    @contextmanager
    def person(self, sees: str, does: str) -> Iterator[None]:
        """Somebody who waits for something on the screen (``dialog`` or ``waiting``) and does something a moment later.

        Fails where it never shows.
        """
        over = threading.Event()
        did: list[str] = []

        def look() -> None:
            end = time.monotonic() + 60
            while time.monotonic() < end and not over.is_set() and not did:
                if self.state()[sees]:
                    time.sleep(0.2)
                    self.order(does)
                    did.append(does)
                time.sleep(0.05)

        eyes = threading.Thread(target=look)
        eyes.start()
        try:
            yield
        finally:
            over.set()
            eyes.join()
        assert did == [does]


Start = Callable[..., Iphones]
_SHARED = 64


@pytest.fixture(scope="session")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, list[VirtualDevice]]]:
    """One bench of iPhones whose users trust at once; each test takes another of them."""
    device = {"preset": "iphone-17", "state": {"trust": 0, "reboot_seconds": 0.2}}
    bench = Bench(None, {"devices": [device] * _SHARED}, tmp_path_factory.mktemp("shared"))
    yield bench, list(bench.devices)
    bench.close()


@pytest.fixture
def iphone(shared_bench: tuple[Bench, list[VirtualDevice]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iphones:
    """An iPhone of its own for the test, on a bench that others use too."""
    bench, left = shared_bench
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", bench.usbmuxd)
    monkeypatch.setenv("FLEET_ACTIVATION_SERVER", _activation_server(bench))
    return Iphones(bench, [left.pop()], tmp_path / "records")


@pytest.fixture
def iphones(virtual_iphones: Callable[[Any], Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """``iphones("ipad-nosim", {"trust": "ask"}, faults=[…])``: a bench of its own with one of them, or ``count``."""

    def start(preset: str, state: Any = None, *, faults: Any = (), count: int = 1) -> Iphones:
        device = {"preset": preset, "state": {"trust": 0} if state is None else state, "faults": list(faults)}
        bench = virtual_iphones({"devices": [device for _ in range(count)]})
        monkeypatch.setenv("FLEET_ACTIVATION_SERVER", _activation_server(bench))
        return Iphones(bench, bench.devices, tmp_path / "records")

    return start


def _activation_server(bench: Bench) -> str:
    (ready,) = (event for event in bench.events if event["event"] == "ready")
    return str(ready["activation_server"])


def installed(device: Device, ipa: Path) -> None:
    from provision.ios.actions import InstallApp

    device.perform(InstallApp("org.example.reader", ipa, ipa.stat().st_size), lambda _: None)


def one(answers: dict[str, Answer] | Any) -> Answer:
    (answer,) = answers.values()
    assert isinstance(answer, Answer)
    return answer
