"""usbmuxd's protocol, byte by byte (facts, iOS §4)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.virtual import spec
from provision.virtual.ios.bench import Iphones
from tests.virtual.ios.wire import Mux, request

LOCKDOWN = socket.htons(62078)


@pytest.fixture
def iphones(tmp_path: Path) -> Iterator[Iphones]:
    wanted = spec.parse({"devices": [{"preset": "iphone-17"}, {"preset": "ipad-cellular"}]})
    party = Iphones(wanted.iphones, tmp_path, {}, lambda _: None)
    party.plug_all()
    yield party
    party.close()


@pytest.fixture
def usbmuxd(iphones: Iphones) -> str:
    return str(iphones.ready()["usbmuxd"])


def test_listed_as_usbmuxd_lists_them(iphones: Iphones, usbmuxd: str) -> None:
    with Mux(usbmuxd) as mux:
        answer = mux.ask("ListDevices")
    assert list(answer) == ["DeviceList"]
    phone, tablet = answer["DeviceList"]
    assert phone["MessageType"] == "Attached"
    assert phone["Properties"] == {
        "ConnectionSpeed": 480000000,
        "ConnectionType": "USB",
        "DeviceID": phone["DeviceID"],
        "LocationID": phone["Properties"]["LocationID"],
        "ProductID": 4776,
        "SerialNumber": iphones.devices[0].address,
    }
    assert tablet["Properties"]["ProductID"] == 4779
    assert tablet["Properties"]["LocationID"] != phone["Properties"]["LocationID"]


def test_refusals(usbmuxd: str) -> None:
    with Mux(usbmuxd) as mux:
        (first, _) = mux.devices().values()
        assert mux.ask("Connect", DeviceID=99, PortNumber=LOCKDOWN) == {"MessageType": "Result", "Number": 2}
        assert mux.ask("Connect", DeviceID=first, PortNumber=socket.htons(1234))["Number"] == 3
        assert mux.ask("Dance")["Number"] == 1
    with Mux(usbmuxd, version=0) as mux:
        assert mux.ask("ListDevices") == {"MessageType": "Result", "Number": 6}


def test_the_port_of_lockdownd_is_in_network_order(usbmuxd: str) -> None:
    assert LOCKDOWN == 32498
    with Mux(usbmuxd) as mux:
        (first, _) = mux.devices().values()
        assert mux.ask("Connect", DeviceID=first, PortNumber=LOCKDOWN)["Number"] == 0
        assert request(mux.sock, "QueryType")["Type"] == "com.apple.mobile.lockdown"


def test_pair_records_are_kept_and_told_of(iphones: Iphones, usbmuxd: str) -> None:
    udid = iphones.devices[0].address
    with Mux(usbmuxd) as mux, Mux(usbmuxd) as listener:
        number = mux.devices()[udid]
        assert mux.ask("ReadPairRecord", PairRecordID=udid) == {"MessageType": "Result", "Number": 2}
        assert listener.ask("Listen")["Number"] == 0
        assert {listener.event()["DeviceID"], listener.event()["DeviceID"]} == set(mux.devices().values())
        saved = mux.ask("SavePairRecord", PairRecordID=udid, PairRecordData=b"\0record", DeviceID=number)
        assert saved["Number"] == 0
        assert listener.event() == {"MessageType": "Paired", "DeviceID": number}
        assert mux.ask("ReadPairRecord", PairRecordID=udid) == {"PairRecordData": b"\0record"}
        assert mux.ask("DeletePairRecord", PairRecordID=udid)["Number"] == 0
        assert mux.ask("ReadPairRecord", PairRecordID=udid)["Number"] == 2
        assert len(mux.ask("ReadBUID")["BUID"]) == 36


def test_plugged_in_anew_it_has_another_number(iphones: Iphones, usbmuxd: str) -> None:
    phone = iphones.devices[0]
    with Mux(usbmuxd) as mux, Mux(usbmuxd) as listener:
        before = mux.devices()
        listener.ask("Listen")
        assert [listener.event()["MessageType"] for _ in before] == ["Attached", "Attached"]
        phone.unplug()
        assert listener.event() == {"MessageType": "Detached", "DeviceID": before[phone.address]}
        assert phone.address not in mux.devices()
        phone.plug()
        back = listener.event()
        assert back["MessageType"] == "Attached"
        assert back["DeviceID"] not in before.values()


def test_unplugging_ends_what_runs_over_the_cable(iphones: Iphones, usbmuxd: str) -> None:
    phone, other = iphones.devices
    with Mux(usbmuxd) as mux, Mux(usbmuxd) as kept:
        for connection, device in ((mux, phone), (kept, other)):
            number = connection.devices()[device.address]
            assert connection.ask("Connect", DeviceID=number, PortNumber=LOCKDOWN)["Number"] == 0
        phone.unplug()
        assert mux.sock.recv(1) == b""
        assert request(kept.sock, "QueryType")["Type"] == "com.apple.mobile.lockdown"


def test_usbmuxd_goes_and_comes_back(iphones: Iphones, usbmuxd: str) -> None:
    with Mux(usbmuxd) as listener:
        listener.ask("Listen")
        iphones.common_orders()["usbmuxd"]({"on": False, "back_after": 0.3})
        while listener.sock.recv(4096):
            pass
    with pytest.raises(ConnectionRefusedError):
        Mux(usbmuxd)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with Mux(usbmuxd) as mux:
                assert set(mux.devices()) == {device.address for device in iphones.devices}
                return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("it did not come back")


@pytest.mark.parametrize(
    "noise", [b"\0" * 16, b"GET / HTTP/1.1\r\n\r\n", b"\x20\0\0\0\x01\0\0\0\x08\0\0\0\x01\0\0\0not a property lis"]
)
def test_noise_harms_nobody(usbmuxd: str, noise: bytes) -> None:
    with Mux(usbmuxd) as mux:
        mux.sock.sendall(noise)
        with contextlib.suppress(ConnectionResetError):
            assert mux.sock.recv(1) == b""
    with Mux(usbmuxd) as mux:
        assert len(mux.devices()) == 2
