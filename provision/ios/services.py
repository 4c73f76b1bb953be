"""Apps, diagnostics and activation of an iPhone, each in a conversation of its own (facts, iOS §3, §4).

pymobiledevice3 carries the bytes. Its own install helpers read the whole IPA and redirect the program's output.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from pymobiledevice3.exceptions import AfcException, PyMobileDevice3Exception
from pymobiledevice3.lockdown import LockdownClient
from pymobiledevice3.service_connection import ServiceConnection

from provision.ios.actions import InstallApp
from provision.ios.files import Files, send
from provision.ios.link import said, service, understood
from provision.ios.loop import Told
from provision.ios.refusals import No

_SILENCE = 60.0
"""Seconds in which a service has to answer."""

_INSTALLING = 600.0
"""Seconds between two signs of life of an install: large apps are checked as a whole."""

_STAGING = "PublicStaging"

_ABOUT_APPS = (
    "CFBundleIdentifier",
    "CFBundleName",
    "CFBundleDisplayName",
    "CFBundleVersion",
    "CFBundleShortVersionString",
    "ApplicationType",
    "SignerIdentity",
    "UIFileSharingEnabled",
)


async def apps(client: LockdownClient) -> dict[str, Any]:
    """See :class:`provision.ios.questions.Apps`."""
    options = {"ApplicationType": "Any", "ReturnAttributes": list(_ABOUT_APPS)}
    async with _installer(client) as connection:
        reply = await said(connection, {"Command": "Lookup", "ClientOptions": options}, _SILENCE)
    if error := reply.get("Error"):
        raise No(str(error), str(reply.get("ErrorDescription", "")))
    return dict(reply.get("LookupResult") or {})


@asynccontextmanager
async def _installer(client: LockdownClient) -> AsyncIterator[ServiceConnection]:
    """One connection per operation: its replies carry nothing that tells whose they are."""
    async with service(client, "com.apple.mobile.installation_proxy") as connection:
        yield connection


class NoApp(No):
    """What installation_proxy says of an app that it does not install or remove; ``number`` is its ErrorDetail."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        super().__init__(str(reply.get("Error", "")), str(reply.get("ErrorDescription", "")))
        self.number = reply.get("ErrorDetail")


async def install_app(client: LockdownClient, action: InstallApp, told: Told) -> None:
    """Send the IPA in pieces and have it installed. Raises NoApp.

    It goes to the same name whenever this app is sent, so that a run that was cut short leaves one file at most.
    """
    name = hashlib.sha256(action.bundle.encode()).hexdigest()[:16]
    remote = f"{_STAGING}/schoolbag-{name}.ipa"
    command = {"Command": "Install", "PackagePath": remote, "ClientOptions": {"CFBundleIdentifier": action.bundle}}
    async with Files(client) as files:
        await files.makedirs(_STAGING)
        try:
            await send(files, action.ipa, remote, told)
            await _operate(client, command)
        except (AfcException, NoApp):
            await _tidy(files, remote)
            raise
        await _tidy(files, remote)


async def _tidy(files: Files, remote: str) -> None:
    with suppress(PyMobileDevice3Exception):  # the installer may have taken it
        await files.rm_single(remote)


async def remove_app(client: LockdownClient, bundle: str) -> None:
    """Raises NoApp."""
    await _operate(client, {"Command": "Uninstall", "ApplicationIdentifier": bundle, "ClientOptions": {}})


async def _operate(client: LockdownClient, command: Mapping[str, Any]) -> None:
    """See it through to ``Complete``; some replies on the way have no status (facts, iOS §4)."""
    async with _installer(client) as connection:
        reply = await said(connection, command, _INSTALLING)
        while reply.get("Status") != "Complete":
            if "Error" in reply:
                raise NoApp(reply)
            async with asyncio.timeout(_INSTALLING):
                reply = understood(await connection.recv_plist())


async def registry(client: LockdownClient, entry_class: str, name: str) -> dict[str, Any]:
    """See :class:`provision.ios.questions.Registry`."""
    which = {key: value for key, value in (("EntryClass", entry_class), ("EntryName", name)) if value}
    async with service(client, "com.apple.mobile.diagnostics_relay") as connection:
        reply = await said(connection, {"Request": "IORegistry", **which}, _SILENCE)
    if reply.get("Status") != "Success":
        raise No(str(reply.get("Status") or "NoStatus"))
    return dict((reply.get("Diagnostics") or {}).get("IORegistry") or {})


async def activation_command(client: LockdownClient, command: Mapping[str, Any]) -> dict[str, Any]:
    """One command to mobileactivationd, which takes one per connection."""
    async with service(client, "com.apple.mobileactivationd") as connection:
        return await said(connection, command, _SILENCE)


async def activation(client: LockdownClient) -> str:
    """See :class:`provision.ios.questions.Activation`."""
    reply = await activation_command(client, {"Command": "GetActivationStateRequest"})
    if error := reply.get("Error"):
        raise No(str(error))
    return str(reply.get("Value", ""))
