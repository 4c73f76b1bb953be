"""lockdownd, pairing and the cable, with pymobiledevice3 as the computer (facts, iOS §3 and §4)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pymobiledevice3 import exceptions, usbmux
from pymobiledevice3.ca import create_keybag_file
from pymobiledevice3.lockdown import UsbmuxLockdownClient, create_using_usbmux
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.mobile_config import MobileConfigService

from tests.benches import Bench
from tests.virtual.ios.wire import Mux, request

Start = Callable[[Any], Bench]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""The computer's, once for all tests: making one takes long."""
AFC = "com.apple.afc"


def one(start: Start, preset: str = "iphone-17", **state: object) -> tuple[Bench, str]:
    """A bench of one phone whose person taps Trust at once, and its UDID."""
    bench = start({"devices": [{"preset": preset, "state": {"trust": 0, "reboot_seconds": 0.2, **state}}]})
    return bench, bench.devices[0].address


@asynccontextmanager
async def reached(udid: str) -> AsyncIterator[UsbmuxLockdownClient]:
    """A connection that does not pair by itself; it is in a session where a pair record is good."""
    client = await create_using_usbmux(serial=udid, autopair=False)
    try:
        yield client
    finally:
        await client.close()


async def pair(client: UsbmuxLockdownClient, timeout: float = 0) -> None:
    await client.pair(timeout=timeout, private_key=KEY)
    assert await client.validate_pairing()


def using(udid: str, work: Callable[[UsbmuxLockdownClient], Awaitable[Any]]) -> Any:
    """What ``work`` makes of a connection."""

    async def run() -> Any:
        async with reached(udid) as client:
            return await work(client)

    return asyncio.run(run())


# Without trust ----------------------------------------------------------------------------------------------------


def test_what_it_tells_whom_it_does_not_trust(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        assert not client.paired
        assert await client.query_type() == "com.apple.mobile.lockdown"
        assert (await client.get_value("", "DevicePublicKey")).startswith(b"-----BEGIN RSA PUBLIC KEY-----\n")
        values = await client.get_value()
        assert values["UniqueDeviceID"] == udid
        assert "PhoneNumber" not in values
        for domain, key in (("", "PhoneNumber"), ("com.apple.fmip", "IsAssociated"), ("com.apple.disk_usage", None)):
            with pytest.raises(exceptions.GetProhibitedError):
                await client.get_value(domain, key)
        with pytest.raises(exceptions.SetProhibitedError):
            await client.set_value("mine", "", "DeviceName")
        with pytest.raises(exceptions.NotPairedError):
            await client.start_lockdown_service(AFC)

    using(udid, work)
    assert bench.state(udid)["hosts"] == []


def test_trust_deny_and_neither(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, trust="ask")

    async def work(client: UsbmuxLockdownClient) -> None:
        with pytest.raises(exceptions.PairingDialogResponsePendingError):
            await pair(client)
        assert bench.state(udid)["dialog"]["name"]
        bench.send({"do": "deny", "serial": udid})
        with pytest.raises(exceptions.UserDeniedPairingError):
            await pair(client)
        assert bench.state(udid)["dialog"] is None
        bench.send({"do": "lock", "serial": udid})
        bench.send({"do": "unplug", "serial": udid})
        bench.send({"do": "plug", "serial": udid})

    async def again(client: UsbmuxLockdownClient) -> None:
        with pytest.raises(exceptions.PasswordRequiredError):
            await pair(client)
        bench.send({"do": "unlock", "serial": udid})
        with pytest.raises(exceptions.PairingDialogResponsePendingError):
            await pair(client)
        bench.send({"do": "trust", "serial": udid})
        await pair(client)
        assert client.paired

    using(udid, work)
    using(udid, again)
    assert len(bench.state(udid)["hosts"]) == 1


def test_the_person_takes_a_moment(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, trust=0.5)

    async def work(client: UsbmuxLockdownClient) -> None:
        with pytest.raises(exceptions.PairingDialogResponsePendingError):
            await pair(client, timeout=0)
        await pair(client, timeout=5)

    using(udid, work)
    assert len(bench.state(udid)["hosts"]) == 1


def test_a_record_for_another_phone_is_none(virtual_iphones: Start) -> None:
    """The certificate that the computer made for it must be for its own key."""
    bench = virtual_iphones({"devices": [{"preset": "iphone-17", "state": {"trust": 0}} for _ in range(2)]})
    first, second = (device.address for device in bench.devices)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        record = {key: value for key, value in (client.pair_record or {}).items() if "Private" not in key}
        async with reached(second) as other:
            for wrong in (record, {**record, "HostCertificate": b"x"}, {"HostID": "1"}):
                with pytest.raises(exceptions.LockdownError, match="InvalidPairRecord"):
                    await other._request("Pair", {"PairRecord": wrong, "ProtocolVersion": "2"})

    using(first, work)
    assert bench.state(second)["hosts"] == []


# In a session -----------------------------------------------------------------------------------------------------


def test_values_are_read_set_and_removed(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        assert (await client.get_value("com.apple.fmip", "IsAssociated")) is False
        assert (await client.get_value("com.apple.mobile.battery"))["BatteryCurrentCapacity"] == 84
        with pytest.raises(exceptions.MissingValueError):
            await client.get_value("", "NoSuchKey")
        with pytest.raises(exceptions.SetProhibitedError):
            await client.set_value("X", "", "SerialNumber")
        await client.set_value("S-0042", "", "DeviceName")
        await client.set_value("en", "com.apple.international", "Language")
        await client.remove_value("com.apple.international", "Keyboard")
        assert await client.get_value("", "DeviceName") == "S-0042"

    using(udid, work)
    values = bench.state(udid)["values"]
    assert values[""]["DeviceName"] == "S-0042"
    assert values["com.apple.international"]["Language"] == "en"
    assert "Keyboard" not in values["com.apple.international"]


def test_services_of_a_locked_phone_need_the_escrow_bag(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        with pytest.raises(exceptions.InvalidServiceError):
            await client.start_lockdown_service("com.apple.no.such.service")
        bench.send({"do": "lock", "serial": udid})
        with pytest.raises(exceptions.PasswordRequiredError):
            await client.start_lockdown_service(AFC)
        await (await client.start_lockdown_service(AFC, include_escrow_bag=True)).close()
        bench.send({"do": "unlock", "serial": udid})
        await (await client.start_lockdown_service(AFC)).close()

    using(udid, work)
    assert bench.state(udid)["opened"][AFC] == 2


def test_connections_close_at_once(virtual_iphones: Start) -> None:
    """pymobiledevice3 waits a second for each that the phone does not close."""
    _, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> float:
        await pair(client)
        start = time.monotonic()
        for _ in range(8):
            await (await client.start_lockdown_service(AFC)).close()
        return time.monotonic() - start

    assert using(udid, work) < 6


def test_a_forgotten_computer_is_told_so(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        await client.unpair()

    using(udid, work)
    assert bench.state(udid)["hosts"] == []

    async def again(client: UsbmuxLockdownClient) -> None:
        assert not client.paired
        with pytest.raises(exceptions.InvalidHostIDError):
            await client._request("StartSession", {"HostID": client.host_id, "SystemBUID": "x"})

    using(udid, again)


def test_a_port_is_for_one_connection_of_the_computer_that_asked(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> int:
        await pair(client)
        port: int = (await client.get_service_connection_attributes(AFC))["Port"]
        return port

    port = socket.htons(using(udid, work))
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    stranger.maximum_version = ssl.TLSVersion.TLSv1_2  # where a missing certificate is seen in the handshake
    with Mux(bench.usbmuxd) as mux:
        assert mux.ask("Connect", DeviceID=mux.devices()[udid], PortNumber=port)["Number"] == 0
        with pytest.raises(OSError, match=r"(?i)handshake|eof|reset"):
            stranger.wrap_socket(mux.sock).close()
    with Mux(bench.usbmuxd) as mux:
        assert mux.ask("Connect", DeviceID=mux.devices()[udid], PortNumber=port)["Number"] == 3


# Supervision and erase --------------------------------------------------------------------------------------------


def test_a_supervisor_pairs_without_anybody_tapping(virtual_iphones: Start, tmp_path: Path) -> None:
    bench, udid = one(virtual_iphones, trust="deny", set_up=False)
    ours, other = tmp_path / "ours.pem", tmp_path / "other.pem"
    for keybag in (ours, other):
        create_keybag_file(keybag, keybag.stem)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        async with MobileConfigService(client) as service:
            await service.supervise("Ours", ours)
        await client.unpair()
        bench.send({"do": "finish_setup", "serial": udid})
        with pytest.raises(exceptions.UserDeniedPairingError):
            await pair(client)
        with pytest.raises(exceptions.UserDeniedPairingError):
            await client.pair_supervised(other, timeout=0)
        assert bench.state(udid)["hosts"] == []
        await client.pair_supervised(ours, timeout=0)
        assert "EscrowBag" in (client.pair_record or {})

    async def again(client: UsbmuxLockdownClient) -> None:
        assert client.paired

    using(udid, work)
    using(udid, again)
    assert [host["supervisor"] for host in bench.state(udid)["hosts"]] == [True]


def test_locked_it_lets_its_supervisor_in_but_gives_no_escrow_bag(virtual_iphones: Start, tmp_path: Path) -> None:
    bench, udid = one(virtual_iphones, set_up=False)
    keybag = tmp_path / "ours.pem"
    create_keybag_file(keybag, "Ours")

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        async with MobileConfigService(client) as service:
            await service.supervise("Ours", keybag)
        await client.unpair()
        bench.send({"do": "finish_setup", "serial": udid})
        bench.send({"do": "lock", "serial": udid})
        with pytest.raises(exceptions.PasswordRequiredError):
            await pair(client)
        await client.pair_supervised(keybag, timeout=0)
        assert "EscrowBag" not in (client.pair_record or {})

    using(udid, work)
    assert bench.state(udid)["hosts"]


def test_what_a_supervisor_signed_must_be_what_the_phone_gave_it(virtual_iphones: Start) -> None:
    _, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        record = {key: value for key, value in (client.pair_record or {}).items() if "Private" not in key}
        with pytest.raises(exceptions.LockdownError, match="MCChallengeFailed"):
            await client._request("Pair", {"PairRecord": record, "PairingOptions": {"ChallengeResponse": b"x"}})

    using(udid, work)


def test_all_is_forgotten_by_an_erase(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, "iphone-findmy")
    before = bench.state(udid)

    async def work(client: UsbmuxLockdownClient) -> Any:
        await pair(client)
        await client.set_value("S-0042", "", "DeviceName")
        key = await client.get_value("", "DevicePublicKey")
        with contextlib.suppress(exceptions.ConnectionTerminatedError):
            async with MobileConfigService(client) as service:
                await service.erase_device(preserve_data_plan=True, disallow_proximity_setup=True)
        return key

    key = using(udid, work)
    bench.wait_for(lambda event: event["event"] == "plugged" and event["number"] > before["number"])
    after = bench.state(udid)
    assert after["erased"] == 1
    assert after["values"][""]["DeviceName"] == "iPhone"
    assert (after["activation"], after["set_up"], after["find_my"]) == ("Unactivated", False, False)
    assert after["activation_lock"]
    assert after["hosts"] == []
    assert after["free"] > before["free"]

    async def again(client: UsbmuxLockdownClient) -> None:
        assert not client.paired
        assert await client.get_value("", "DevicePublicKey") != key
        await pair(client)

    using(udid, again)


# Faults -----------------------------------------------------------------------------------------------------------


async def upload(client: UsbmuxLockdownClient, size: int) -> None:
    async with AfcService(client) as afc:
        await afc.set_file_contents("Downloads/big", b"x" * size)


def test_the_cable_is_pulled_in_a_transfer_and_comes_back(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)
    fault = {"kind": "unplug", "after_bytes": 1_000_000, "service": AFC, "replug_after": 0.5}

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        bench.send({"do": "fault", "serial": udid, "fault": fault})
        with pytest.raises((exceptions.ConnectionTerminatedError, ConnectionError)):
            await upload(client, 3_000_000)
        state = bench.state(udid)
        assert state["received"][AFC] == 1_000_000
        with pytest.raises(exceptions.DeviceNotFoundError):
            await client.get_value("", "DeviceName")
        for _ in range(100):
            if any(found.serial == udid for found in await usbmux.list_devices()):
                break
            await asyncio.sleep(0.05)
        await upload(client, 3_000_000)

    using(udid, work)
    assert bench.state(udid)["files"]["media/Downloads/big"]["size"] == 3_000_000


def test_a_full_phone_says_so(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones, "iphone-full")

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        await upload(client, 1_000_000)
        bench.send({"do": "fault", "serial": udid, "fault": {"kind": "storage_full"}})
        with pytest.raises(exceptions.AfcException, match=r"NO_SPACE|space"):
            await upload(client, 1_000_000)
        bench.send({"do": "clear_faults", "serial": udid})
        await upload(client, 1_000_000)
        assert (await client.get_value("com.apple.disk_usage"))["TotalDataAvailable"] < 40_000_000

    using(udid, work)


def test_slow_links_share_their_bus(virtual_iphones: Start) -> None:
    phone = {"preset": "iphone-17", "link": "hub", "state": {"trust": 0}}
    bench = virtual_iphones({"bus": {"hub": {"rate": 2_000_000}}, "devices": [phone, phone]})

    async def one_of_them(udid: str) -> None:
        async with reached(udid) as client:
            await upload(client, 1_000_000)

    async def run() -> float:
        for device in bench.devices:
            async with reached(device.address) as client:
                await pair(client)
        start = time.monotonic()
        await asyncio.gather(*(one_of_them(device.address) for device in bench.devices))
        return time.monotonic() - start

    assert 0.9 < asyncio.run(run()) < 15


def test_it_locks_itself_under_way(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)

    async def work(client: UsbmuxLockdownClient) -> None:
        await pair(client)
        bench.send({"do": "fault", "serial": udid, "fault": {"kind": "locks", "at_service": 2, "service": AFC}})
        await upload(client, 10)
        assert not (await client.get_value("", "PasswordProtected"))
        await upload(client, 10)
        assert await client.get_value("", "PasswordProtected")
        with pytest.raises(exceptions.PasswordRequiredError):
            await upload(client, 10)
        bench.send({"do": "unlock", "serial": udid})

    using(udid, work)
    assert [event["what"] for event in bench.events if event["event"] == "fault"] == [AFC]


def test_it_stays_listed_and_says_nothing(virtual_iphones: Start) -> None:
    bench, udid = one(virtual_iphones)
    with Mux(bench.usbmuxd) as mux:
        assert mux.ask("Connect", DeviceID=mux.devices()[udid], PortNumber=socket.htons(62078))["Number"] == 0
        assert request(mux.sock, "QueryType")
        bench.send({"do": "fault", "serial": udid, "fault": {"kind": "silent"}})
        mux.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            request(mux.sock, "QueryType")
        with Mux(bench.usbmuxd) as other:
            assert udid in other.devices()
        bench.send({"do": "clear_faults", "serial": udid})
        mux.sock.settimeout(10)
        assert mux.sock.recv(1) == b""
    with Mux(bench.usbmuxd) as mux:
        mux.ask("Connect", DeviceID=mux.devices()[udid], PortNumber=socket.htons(62078))
        assert request(mux.sock, "QueryType")
