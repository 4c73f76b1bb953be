"""Being let in by an iPhone or iPad: with the Trust dialog, or without it where our own keybag supervises it.

Making RSA keys takes a tenth of a second each and holds up every other device on the loop (facts, iOS §3), so that root
and host key are made once per computer and kept beside the pair records; per device only its certificate is signed. The
private keys stay here: unlike pymobiledevice3, we send no device the root's.
"""

from __future__ import annotations

import asyncio
import plistlib
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pymobiledevice3 import ca
from pymobiledevice3.exceptions import FatalPairingError, PairingError
from pymobiledevice3.lockdown import LockdownClient
from pymobiledevice3.usbmux import PlistMuxConnection, create_mux

from provision.ios import computer
from provision.ios.keybag import Keybag
from provision.ios.link import device_id, opened, said, signed
from provision.ios.refusals import No

_PRIVATE = ("RootPrivateKey", "HostPrivateKey")

_ASK_EVERY = 0.5
"""Seconds between two questions whether somebody has answered the Trust dialog."""

_REPLY_SECONDS = 20.0

_WAITING = frozenset({"PairingDialogResponsePending", "PasswordProtected"})
"""What the device says until somebody has unlocked it and tapped Trust."""

_making = threading.Lock()


async def let_in(udid: str, records: Path, keybag: Keybag | None, seconds: float) -> None:
    """Pair with the device unless it trusts this computer already, waiting up to ``seconds`` for a person.

    With the keybag that supervises it nobody is asked. The record is saved in ``records`` and with usbmuxd, over any
    that an erased device has forgotten. Raises No with lockdownd's word where it lets nobody in.
    """
    end = time.monotonic() + seconds
    async with opened(udid, records) as client:
        if client.paired:
            return
        record = await asyncio.to_thread(_record, records, await _public_key(client))
        record["SystemBUID"] = await _system_buid() or client.system_buid
        bag = await _pair(client, record, keybag, end)
        client.pair_record = record = record | ({} if bag is None else {"EscrowBag": bag})
        await _keep(client, records, plistlib.dumps(record))
        if not await client.validate_pairing():
            raise FatalPairingError


async def _keep(client: LockdownClient, records: Path, record: bytes) -> None:
    """Save the record for us, and with usbmuxd for all others. pymobiledevice3 would let everybody read it at first."""
    udid = str(client.identifier)
    await asyncio.to_thread(computer.keep, records, udid, record)
    async with await create_mux() as mux:
        if isinstance(mux, PlistMuxConnection):
            await mux.save_pair_record(udid, device_id(client), record)


async def _public_key(client: LockdownClient) -> bytes:
    key = await client.get_value(key="DevicePublicKey")
    if not isinstance(key, bytes):
        raise PairingError
    return key


async def _system_buid() -> str:
    """usbmuxd's identifier of this computer."""
    async with await create_mux() as mux:
        return await mux.get_buid() if isinstance(mux, PlistMuxConnection) else ""


# The conversation -------------------------------------------------------------------------------------------------


async def _pair(client: LockdownClient, record: Mapping[str, Any], keybag: Keybag | None, end: float) -> bytes | None:
    """The escrow bag that the device gives. A device that our keybag does not supervise takes its certificate for none,
    and asks its user."""
    shown = {"SupervisorCertificate": keybag.certificate} if keybag else {}
    while True:
        reply = await _request(client, record, shown)
        word = reply.get("Error", "")
        if word == "MCChallengeRequired" and keybag:
            return await _prove(client, record, keybag, _challenge(reply))
        if not word:
            return reply.get("EscrowBag")
        if word not in _WAITING or time.monotonic() + _ASK_EVERY > end:
            raise No(word)
        await asyncio.sleep(_ASK_EVERY)


def _challenge(reply: Mapping[str, Any]) -> bytes:
    more = reply.get("ExtendedResponse")
    challenge = more.get("PairingChallenge") if isinstance(more, Mapping) else None
    if not isinstance(challenge, bytes):
        raise PairingError
    return challenge


async def _prove(client: LockdownClient, record: Mapping[str, Any], keybag: Keybag, challenge: bytes) -> bytes:
    """A device that is locked accepts, but gives no escrow bag, and the record is then of no use (facts, iOS §1)."""
    answer = await asyncio.to_thread(signed, keybag, challenge)
    reply = await _request(client, record, {"ChallengeResponse": answer})
    if word := reply.get("Error", ""):
        raise No(word)
    bag = reply.get("EscrowBag")
    if not isinstance(bag, bytes):
        raise No("LockedWhilePairing")
    return bag


async def _request(client: LockdownClient, record: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    question = {
        "Label": client.label,
        "Request": "Pair",
        "HostName": socket.gethostname(),
        "PairRecord": {key: value for key, value in record.items() if key not in _PRIVATE},
        "ProtocolVersion": "2",
        "PairingOptions": {"ExtendedPairingErrors": True, **options},
    }
    return await said(client.service, question, _REPLY_SECONDS)


# Keys and certificates --------------------------------------------------------------------------------------------


def _record(records: Path, device_key: bytes) -> dict[str, Any]:
    """A new pair record for the device with this public key (PEM), all but SystemBUID and EscrowBag."""
    with _making:
        computer.have_keys(records, _made)
    ours = computer.keys(records)
    # Our own file; checking the key would hold up all threads for 70 ms, and for every device.
    root_key = load_pem_private_key(ours["RootPrivateKey"], None, unsafe_skip_rsa_key_validation=True)
    try:
        public = load_pem_public_key(device_key)
    except ValueError as error:
        raise PairingError from error
    if not isinstance(root_key, rsa.RSAPrivateKey) or not isinstance(public, rsa.RSAPublicKey):
        raise PairingError
    root = x509.load_pem_x509_certificate(ours["RootCertificate"])
    certificate = ca.build_device_certificate(public, root, root_key, hashes.SHA256())
    return ours | {"DeviceCertificate": ca.serialize_cert_pem(certificate)}


def _made() -> dict[str, Any]:
    root_key, host_key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    root = ca.build_root_certificate(root_key, hashes.SHA256())
    host = ca.build_host_certificate(host_key, root, root_key, hashes.SHA256())
    return {
        "HostID": str(uuid.uuid4()).upper(),
        "RootPrivateKey": ca.serialize_private_key_pkcs8_pem(root_key),
        "RootCertificate": ca.serialize_cert_pem(root),
        "HostPrivateKey": ca.serialize_private_key_pkcs8_pem(host_key),
        "HostCertificate": ca.serialize_cert_pem(host),
    }
