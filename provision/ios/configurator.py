"""MCInstall of an iPhone: configuration profiles, supervision, erasing (facts, iOS §1, §4).

pymobiledevice3's own helpers lose the device's reasons, so that only its connection is used.
"""

from __future__ import annotations

import asyncio
import plistlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from pymobiledevice3.exceptions import ConnectionTerminatedError
from pymobiledevice3.lockdown import LockdownClient
from pymobiledevice3.service_connection import ServiceConnection

from provision.ios.actions import InstallProfile
from provision.ios.files import Files
from provision.ios.keybag import Keybag
from provision.ios.link import said, service, signed
from provision.ios.refusals import No

_REPLY_SECONDS = 60.0

_LOOK_EVERY = 1.0
"""Seconds between two looks whether somebody has installed the configuration."""


@asynccontextmanager
async def _configurator(client: LockdownClient) -> AsyncIterator[ServiceConnection]:
    async with service(client, "com.apple.mobile.MCInstall") as connection:
        yield connection


async def _told(connection: ServiceConnection, request: str, **fields: Any) -> dict[str, Any]:
    """The reply of MCInstall. Raises No: the word is the domain and code of the innermost error, or the status."""
    reply = await said(connection, {"RequestType": request, **fields}, _REPLY_SECONDS)
    status = str(reply.get("Status", ""))
    if status == "Acknowledged":
        return reply
    chain = [link for link in reply.get("ErrorChain") or () if isinstance(link, Mapping)]
    if not chain:
        raise No(status or "NoStatus")
    codes = ", ".join(f"{link.get('ErrorDomain')} {link.get('ErrorCode')}" for link in chain)
    texts = (str(link.get("USEnglishDescription") or link.get("LocalizedDescription") or "") for link in chain)
    raise No(codes, " ".join(dict.fromkeys(text for text in texts if text)))


async def profiles(client: LockdownClient) -> dict[str, Any]:
    """See :class:`provision.ios.questions.Profiles`."""
    async with _configurator(client) as connection:
        return _profile_list(await _told(connection, "GetProfileList"))


def _profile_list(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key not in ("Request", "RequestType", "Status")}


async def cloud_configuration(client: LockdownClient) -> dict[str, Any]:
    """See :class:`provision.ios.questions.CloudConfiguration`."""
    async with _configurator(client) as connection:
        return dict((await _told(connection, "GetCloudConfiguration")).get("CloudConfiguration") or {})


async def passcode(client: LockdownClient, keybag: Keybag | None) -> bool:
    """See :class:`provision.ios.questions.Passcode`. Raises No where it is not supervised by ``keybag``."""
    async with _configurator(client) as connection:
        await _escalate(connection, keybag)
        present = ((await _told(connection, "SecurityInfo")).get("SecurityInfo") or {}).get("PasscodePresent")
    if not isinstance(present, bool):
        raise No("MissingValue")
    return present


async def install_profile(client: LockdownClient, action: InstallProfile, keybag: Keybag | None) -> None:
    """Silently, or queued and then waited for: "acknowledged" is not installed (facts, iOS §1).

    Raises No: ``ProfileNotInstalled`` with the minutes that a person was waited for.
    """
    async with _configurator(client) as connection:
        if action.silent:
            await _escalate(connection, keybag)
            await _told(connection, "InstallProfileSilent", Payload=action.data)
        else:
            await _told(connection, "InstallProfile", Payload=action.data)
        try:
            async with asyncio.timeout(action.seconds):
                while not await _is_installed(connection, action):
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            raise No("ProfileNotInstalled", str(round(action.seconds / 60))) from None


async def _is_installed(connection: ServiceConnection, action: InstallProfile) -> bool:
    known = (await _told(connection, "GetProfileList")).get("ProfileMetadata") or {}
    return bool((known.get(action.identifier) or {}).get("PayloadUUID") == action.uuid)


async def _escalate(connection: ServiceConnection, keybag: Keybag | None) -> None:
    """Prove that we supervise the device."""
    if keybag is None:
        raise No("NoKeybag")
    reply = await _told(connection, "Escalate", SupervisorCertificate=keybag.certificate)
    challenge = reply.get("Challenge")
    if not isinstance(challenge, bytes):
        raise No("Unreadable")
    answer = await asyncio.to_thread(signed, keybag, challenge)
    await _told(connection, "EscalateResponse", SignedRequest=answer)
    await _told(connection, "ProceedWithKeybagMigration")


async def remove_profile(client: LockdownClient, identifier: str) -> None:
    """Nothing happens where it is not installed."""
    async with _configurator(client) as connection:
        known = (await _told(connection, "GetProfileList")).get("ProfileMetadata") or {}
        if identifier not in known:
            return
        which = {
            "PayloadType": "Configuration",
            "PayloadIdentifier": identifier,
            "PayloadUUID": known[identifier].get("PayloadUUID", ""),
            "PayloadVersion": known[identifier].get("PayloadVersion", 1),
        }
        await _told(connection, "RemoveProfile", ProfileIdentifier=plistlib.dumps(which))


async def supervise(client: LockdownClient, skip: Iterable[str], keybag: Keybag | None) -> None:
    """Write the cloud configuration, and the mark that has the Setup Assistant skipped (facts, iOS §1).

    The device's being supervised is read back afterwards: it may acknowledge and not be.
    """
    if keybag is None:
        raise No("NoKeybag")
    configuration = {
        "AllowPairing": True,
        "CloudConfigurationUIComplete": True,
        "ConfigurationSource": 2,
        "IsMandatory": True,
        "IsMDMUnremovable": False,
        "IsSupervised": True,
        "OrganizationMagic": str(uuid.uuid4()),
        "OrganizationName": keybag.organisation,
        "SkipSetup": list(skip),
        "SupervisorHostCertificates": [keybag.certificate],
    }
    async with _configurator(client) as connection:
        await _told(connection, "SetCloudConfiguration", CloudConfiguration=configuration)
    async with Files(client) as files:
        await files.makedirs("iTunes_Control/iTunes")
        await files.fclose(await files.fopen("iTunes_Control/iTunes/SkipSetup", "w"))


async def erase(client: LockdownClient, check: Callable[[], Awaitable[None]]) -> None:
    """Have it erase itself, with the data plan of an eSIM kept. It may go without a word (facts, iOS §1).

    ``check`` is awaited when nothing is left to do but to give the order, and raises where it may not be given.
    """
    async with _configurator(client) as connection:
        await check()
        with suppress(ConnectionTerminatedError):
            await _told(connection, "EraseDevice", PreserveDataPlan=True, DisallowProximitySetup=True)
