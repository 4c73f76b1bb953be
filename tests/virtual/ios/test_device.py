"""A virtual iPhone on its cable, without the process around it: what takes long otherwise, or hardly ever happens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.virtual.faults import Faults
from provision.virtual.ios import faults, lockdownd
from provision.virtual.ios.device import Device
from provision.virtual.ios.muxer import Muxer
from provision.virtual.ios.phone import Phone
from tests.virtual.ios.wire import Mux, request

LOCKDOWN = socket.htons(62078)


@pytest.fixture
def muxer() -> Iterator[Muxer]:
    made = Muxer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def device(muxer: Muxer, tmp_path: Path) -> Iterator[Device]:
    phone = Phone("iphone-17", {"trust": 0, "reboot_seconds": 0.1, "installs": 0.1}, tmp_path / "phone")
    made = Device(phone, muxer, lambda _: None)
    made.plug()
    yield made
    made.unplug()


def lockdown(muxer: Muxer) -> Mux:
    """A connection to the phone's lockdownd."""
    mux = Mux(muxer.address)
    (number,) = mux.devices().values()
    assert mux.ask("Connect", DeviceID=number, PortNumber=LOCKDOWN)["Number"] == 0
    return mux


def test_after_a_minute_of_silence_lockdownd_hangs_up(
    muxer: Muxer, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lockdownd.IDLE_SECONDS == 60
    monkeypatch.setattr(lockdownd, "IDLE_SECONDS", 1.5)
    with lockdown(muxer) as mux:
        time.sleep(0.3)
        start = time.monotonic()
        assert request(mux.sock, "QueryType")
        assert mux.sock.recv(1) == b""
        assert 1.4 < time.monotonic() - start < 8


def test_requests_that_lockdownd_does_not_know(muxer: Muxer, device: Device) -> None:
    with lockdown(muxer) as mux:
        assert request(mux.sock, "Dance")["Error"] == "InvalidRequest"
        assert request(mux.sock, "StartService", Service="com.apple.afc")["Error"] == "SessionInactive"
        assert request(mux.sock, "StopSession", SessionID="x")["Error"] == "SessionInactive"
        assert request(mux.sock, "StartSession", HostID="x")["Error"] == "InvalidHostID"
        assert request(mux.sock, "Pair")["Error"] == "InvalidPairRecord"
        assert request(mux.sock, "Unpair", PairRecord={"HostID": "x"})["Error"] == "InvalidHostID"
        assert request(mux.sock, "ValidatePair")["Error"] == "InvalidHostID"
        refused = request(mux.sock, "GetValue", Domain="com.apple.fmip", Key="IsAssociated")
        assert refused["Error"] == "GetProhibited"
        assert "Result" not in refused


ODD = st.sampled_from([False, -5, 10**15, "x", b"x", {"HostID": "x"}, ["x"]])
RECORD = st.dictionaries(st.sampled_from(["HostID", "DeviceCertificate", "HostCertificate", "RootCertificate"]), ODD)
OPTIONS = st.dictionaries(st.sampled_from(["SupervisorCertificate", "ChallengeResponse"]), ODD)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.sampled_from(["GetValue", "SetValue", "RemoveValue", "Pair", "Unpair", "StartSession", "StartService"]),
    said=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("Domain", "Key", "Value", "HostID", "Service", "EscrowBag", "HostName"), ODD)
        | {"PairRecord": ODD | RECORD, "PairingOptions": ODD | OPTIONS},
    ),
)
def test_whatever_it_is_asked_it_answers(muxer: Muxer, device: Device, asked: str, said: Mapping[str, Any]) -> None:
    with lockdown(muxer) as mux:
        assert request(mux.sock, asked, **said)["Request"] == asked
        assert request(mux.sock, "QueryType")["Type"] == "com.apple.mobile.lockdown"
    assert device.phone.hosts == {}


def test_a_restart_ends_connections_and_brings_it_back(muxer: Muxer, device: Device) -> None:
    with lockdown(muxer) as mux, Mux(muxer.address) as other:
        (before,) = other.devices().values()
        device.phone.restart()
        assert mux.sock.recv(1) == b""
        end = time.monotonic() + 60
        while not other.devices() and time.monotonic() < end:
            time.sleep(0.02)
        (after,) = other.devices().values()
    assert after != before


def test_people_install_by_themselves(device: Device) -> None:
    tapped = threading.Event()
    device.phone.tap_install = tapped.set
    device.phone.on_waiting()
    assert tapped.wait(60)


def test_unplugged_while_somebody_sends(muxer: Muxer, device: Device) -> None:
    """Many at once, so that the ends of connections meet the end of the cable in every order."""
    gone: list[bool] = []

    def ask() -> None:
        try:
            with lockdown(muxer) as mux:
                while True:
                    request(mux.sock, "GetValue")
        except (AssertionError, OSError, ValueError):
            gone.append(True)

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(6)]
    for thread in asking:
        thread.start()
    time.sleep(0.2)
    device.unplug()
    for thread in asking:
        thread.join(60)
    assert len(gone) == len(asking)
    assert not device.state()["plugged"]


def struck(tree: Mapping[str, Any], *services: str) -> list[bool]:
    """Whether the fault strikes at each of these services, one after the other."""
    found = Faults([faults.parse(tree)])
    return [found.on_service(service) is not None for service in services]


def test_faults_strike_at_services_of_their_name() -> None:
    assert struck({"kind": "locks", "at_service": 2}, "a", "b", "c") == [False, True, False]
    assert struck({"kind": "locks", "at_service": 2, "service": "b"}, "b", "a", "b", "b") == [False, False, True, False]
    assert struck({"kind": "locks", "at_service": 1, "times": 0}, "a", "b") == [True, True]


@pytest.mark.parametrize("making", [lambda m, d: m.unplug(77), lambda m, d: d.plug(), lambda m, d: m.start()])
def test_what_is_so_already_stays_so(muxer: Muxer, device: Device, making: Callable[[Muxer, Device], object]) -> None:
    making(muxer, device)
    with Mux(muxer.address) as mux:
        assert mux.devices() == {device.udid: 1}
