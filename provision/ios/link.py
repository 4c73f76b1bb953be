"""Conversations with one iPhone or iPad through usbmuxd: with lockdownd, and with the services that it starts.

A conversation is opened for one piece of work and closed after it: lockdownd drops whoever is silent for 60 s, and an
erased device knows nobody (facts, iOS §4). The address of usbmuxd is never passed on, since pymobiledevice3 forgets it
when it saves a pair record: ``USBMUXD_SOCKET_ADDRESS`` is what counts (facts, iOS §0.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from pymobiledevice3.exceptions import MuxException, PasswordRequiredError, PyMobileDevice3Exception
from pymobiledevice3.lockdown import SERVICE_PORT, LockdownClient, PlistUsbmuxLockdownClient
from pymobiledevice3.service_connection import ServiceConnection
from pymobiledevice3.usbmux import list_devices

from provision.ios import computer
from provision.ios.keybag import Keybag
from provision.ios.loop import unbroken
from provision.ios.refusals import No

_USB = "USB"

_LOOK_EVERY = 0.5
"""Seconds between two looks at usbmuxd's list while a device is away."""

_OPEN_SECONDS = 20.0
"""For a device that is listed to let a conversation begin: TLS takes a slow one a second or two."""


@asynccontextmanager
async def opened(udid: str, records: Path) -> AsyncIterator[LockdownClient]:
    """A conversation with lockdownd, over USB only; ``.paired`` says whether the device trusts this computer.

    ``records`` is our folder of pair records; usbmuxd's own and the system's are looked at before it. A record that the
    device does not know (it was erased, or its trust was reset) counts as none.
    """
    client = await unbroken(_client(udid, records), _OPEN_SECONDS, LockdownClient.close)
    try:
        yield client
    finally:
        await client.close()


async def _client(udid: str, records: Path) -> LockdownClient:
    await asyncio.to_thread(computer.prepare, records, udid)
    connection = await ServiceConnection.create_using_usbmux(udid, SERVICE_PORT, connection_type=_USB)
    try:
        client: LockdownClient = await PlistUsbmuxLockdownClient.create(
            connection, identifier=udid, autopair=False, pairing_records_cache_folder=records
        )
    except BaseException:
        await connection.close()
        raise
    return client


def device_id(client: LockdownClient) -> int:
    """usbmuxd's number for the device, another one whenever it is attached anew."""
    device = client.service.mux_device
    assert device is not None  # it was reached through usbmuxd
    return device.devid


async def started(client: LockdownClient, name: str) -> ServiceConnection:
    """The service ``name``, started. One that has locked itself meanwhile is shown the escrow bag of its record."""
    return await unbroken(_started(client, name), _OPEN_SECONDS, ServiceConnection.close)


async def _started(client: LockdownClient, name: str) -> ServiceConnection:
    try:
        return await client.start_lockdown_service(name)
    except PasswordRequiredError:
        if not (client.pair_record or {}).get("EscrowBag"):
            raise
        return await client.start_lockdown_service(name, include_escrow_bag=True)


@asynccontextmanager
async def service(client: LockdownClient, name: str) -> AsyncIterator[ServiceConnection]:
    """The service ``name``, closed afterwards."""
    connection = await started(client, name)
    try:
        yield connection
    finally:
        await connection.close()


async def said(connection: ServiceConnection, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The reply to one plist."""
    async with asyncio.timeout(seconds):
        return understood(await connection.send_recv_plist(dict(question)))


def understood(reply: object) -> dict[str, Any]:
    """A reply, which is a dict. Raises No where it is something else."""
    if not isinstance(reply, Mapping):
        raise No("Unreadable")
    return dict(reply)


async def returned(udid: str, before: int, seconds: float) -> int:
    """Wait until the device that had the number ``before`` is attached anew and takes a connection; its number then.

    usbmuxd itself may end while nothing is attached, and be back with the device, counting from the start again.
    """
    async with asyncio.timeout(seconds):
        while True:
            numbers = await unbroken(_numbers(udid), _OPEN_SECONDS)
            anew = [number for number in numbers if number != before]
            answers = bool(anew) and await unbroken(_answers(udid), _OPEN_SECONDS)
            if answers:
                return max(anew)
            if not numbers:
                before = -1
            await asyncio.sleep(_LOOK_EVERY)


async def _numbers(udid: str) -> list[int]:
    """As what usbmuxd lists the device now, over USB."""
    try:
        return [device.devid for device in await list_devices() if device.is_usb and device.matches_udid(udid)]
    except (MuxException, OSError):
        return []


async def _answers(udid: str) -> bool:
    try:
        connection = await ServiceConnection.create_using_usbmux(udid, SERVICE_PORT, connection_type=_USB)
    except (MuxException, OSError, PyMobileDevice3Exception):
        return False
    await connection.close()
    return True


def signed(keybag: Keybag, challenge: bytes) -> bytes:
    """The device's challenge, signed (PKCS#7, DER): the proof that we hold the key that supervises it."""
    key = load_pem_private_key(keybag.key, None, unsafe_skip_rsa_key_validation=True)  # keybag.load has checked it
    assert isinstance(key, RSAPrivateKey)
    certificate = x509.load_der_x509_certificate(keybag.certificate)
    builder = PKCS7SignatureBuilder().set_data(challenge).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(Encoding.DER, [PKCS7Options.Binary])
