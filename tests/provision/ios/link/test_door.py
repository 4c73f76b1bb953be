"""usbmuxd is listed and followed with its own module only, and its absence is no fault."""

from __future__ import annotations

import os
import plistlib
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from provision.device import READY
from provision.errors import NoServer
from provision.ios.door import UsbmuxDoor
from tests.benches import ROOT
from tests.provision.ios.link.conftest import Iphones, Start

_LIST = """
import sys
from pathlib import Path
from provision.ios.door import UsbmuxDoor
door = UsbmuxDoor(Path("records"), lambda: None, {}, {})
listed = door.places()
with door.track() as tracker:
    assert next(tracker) == listed
print(len(listed), *sorted(name for name in sys.modules if name.split(".")[0] == "pymobiledevice3"))
"""
_ALONE = """
import sys
import pymobiledevice3.usbmux
print(*sorted(name for name in sys.modules if name.split(".")[0] == "pymobiledevice3"))
"""


def _python(code: str) -> list[str]:
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout.split()


def test_listing_and_tracking_import_its_usbmux_module_only(iphones: Start) -> None:
    iphones("iphone-17", count=2)
    number, *modules = _python(_LIST)
    assert number == "2"
    assert modules == _python(_ALONE)


@pytest.mark.skipif(Path("/var/run/usbmuxd").exists(), reason="this computer has a usbmuxd")
def test_where_none_runs_nothing_is_listed_and_nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USBMUXD_SOCKET_ADDRESS", raising=False)
    assert _python(_LIST) == ["0"]
    door = UsbmuxDoor(Path("records"), lambda: None, {}, {})
    with pytest.raises(NoServer, match="does not run"):
        door.ensure()
    with door.track() as tracker:
        assert next(tracker) == ()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "UNIX:/nowhere", "/nowhere/usbmuxd"])
def test_one_that_is_named_has_to_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", address)
    door = UsbmuxDoor(Path("records"), lambda: None, {}, {})

    def follow() -> None:
        with door.track() as tracker:
            next(tracker)

    for use in (door.places, door.ensure, follow):
        with pytest.raises(NoServer, match=r"usbmuxd at .* does not answer") as caught:
            use()
        assert "USBMUXD_SOCKET_ADDRESS" in caught.value.next_action


def test_all_are_listed_by_their_udid(iphones: Start) -> None:
    bench = iphones("iphone-17", count=3)
    bench.door.ensure()
    places = bench.door.places()
    assert [place.address for place in places] == [device.address for device in bench.bench.devices]
    assert {place.platform for place in places} == {"ios"}
    assert {place.state for place in places} == {READY}
    assert len({place.number for place in places}) == 3


def test_who_comes_and_goes_is_told(iphones: Start) -> None:
    bench = iphones("iphone-17", count=2)
    first, second = (device.address for device in bench.bench.devices)
    with bench.door.track() as tracker:
        assert {place.address for place in next(tracker)} == {first, second}
        number = bench.place().number
        bench.order("unplug")
        assert {place.address for place in next(tracker)} == {second}
        bench.order("plug")
        back = next(tracker)
        assert {place.address for place in back} == {first, second}
        assert number not in {place.number for place in back}


def test_it_ends_with_its_server(iphones: Start) -> None:
    bench = iphones("iphone-17")
    with bench.door.track() as tracker:
        assert len(next(tracker)) == 1
        bench.order("usbmuxd", on=False)
        with pytest.raises(NoServer):
            list(tracker)
    with pytest.raises(NoServer):
        bench.door.places()


def test_it_ends_when_it_is_closed(iphone: Iphones) -> None:
    seen: list[Any] = []
    with iphone.door.track() as tracker:
        seen.append(next(tracker))
        reader = threading.Thread(target=lambda: seen.extend(tracker))
        reader.start()
    reader.join(5)
    assert not reader.is_alive()
    assert len(seen) == 1


def test_a_device_on_the_same_wi_fi_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with _TwoWays() as server:
        monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", server.address)
        (place,) = UsbmuxDoor(Path("records"), lambda: None, {}, {}).places()
    assert (place.address, place.number) == ("00008101-000A", 7)


class _TwoWays:
    """A usbmuxd, on the wire, that has one device twice: over Wi-Fi and on a cable (facts, iOS §3)."""

    def __enter__(self) -> _TwoWays:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as stream:
                while head := stream.read(16):
                    size, _version, _kind, tag = struct.unpack("<IIII", head)
                    answer = plistlib.dumps(self._answer(plistlib.loads(stream.read(size - 16))))
                    stream.write(struct.pack("<IIII", 16 + len(answer), 1, 8, tag) + answer)
                    stream.flush()

    @staticmethod
    def _answer(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["MessageType"] == "ReadBUID":
            return {"BUID": "0"}
        ways = enumerate(("Network", "USB"), start=6)
        return {
            "DeviceList": [
                {
                    "DeviceID": number,
                    "MessageType": "Attached",
                    "Properties": {"ConnectionType": way, "DeviceID": number, "SerialNumber": "00008101-000A"},
                }
                for number, way in ways
            ]
        }


def test_home_stays_clean(iphone: Iphones) -> None:
    """pymobiledevice3 would keep pair records in the user's home."""
    iphone.trusted()
    assert not [*Path(os.environ["HOME"]).rglob("*")]
    assert {path.name for path in iphone.records.iterdir()} == {"this-computer", f"{iphone.one.address}.plist"}
    assert not any(path.stat().st_mode & 0o77 for path in (iphone.records, *iphone.records.iterdir()))
