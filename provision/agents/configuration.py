"""The answer to an agent that asks what its phone should be: Headwind's ``ServerConfig`` (facts, Android §3.5).

Pure: from the document of a profile (:mod:`provision.android.agent_document`) and what is to be done to this phone.
Every field that the agent reads is there. ``None`` is its own word for "leave it as it is".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from provision.agents import headwind

DEBUGGING = "no_debugging_features"
"""It ends our way to the phone over USB: only where the server at home has seen it."""

_LOCATION = "no_share_location"
"""The agent tells where it is as long as it may know: its own switches do not stop that, this does."""

_RESET = "no_factory_reset"
"""Android wipes nothing while it is set, whoever asks (facts, Android §6)."""


@dataclass(frozen=True)
class Orders:
    """What is to be done to one phone besides its profile.

    ``lock`` is the message on its locked screen ("" for none), ``None`` unlocks it.
    """

    lock: str | None = None
    reboot: bool = False
    wipe: bool = False
    location_off: bool = False


NO_ORDERS = Orders()
_NONE: Mapping[str, int] = MappingProxyType({})


def answer(
    document: Mapping[str, Any],
    *,
    api: int,
    number: str,
    base: str,
    home: bool,
    orders: Orders = NO_ORDERS,
    new_server: str = "",
    holds: Callable[[str], bool] = lambda _: True,
    stamps: Mapping[str, int] = _NONE,
    wifi: bool = False,
) -> dict[str, Any]:
    """The ``data`` of a full answer, JSON-able.

    ``api`` is the phone's: keys that it does not know are left out. ``base`` is the address by which it reaches us,
    without a slash at the end. ``home``: the server at home has seen it. ``new_server`` has it move there. Of the
    files, by SHA-256, only those that ``holds`` are named: the agent stops, unrestricted, at one it cannot get.

    ``stamps``: ``lastUpdate`` of files by their path, 0 for all others. A new agent fetches what it never fetched, and
    what has a greater one than it has noted, whatever the checksum; an old one goes by the checksum. So a file that is
    another one than the agent has fetched needs a number greater than any that it was told of it.

    ``wifi``: on a mobile network, or on none, it leaves apps and files as they are, those that are to go, too, and goes
    on to the restrictions (read in the source of newer builds; others may fetch at once).
    """
    denied = restrictions(document, api=api, home=home)
    if orders.location_off and _LOCATION not in denied:
        denied.append(_LOCATION)
    if orders.wipe and _RESET in denied:
        denied.remove(_RESET)
    return {
        **_FIXED,
        "password": _nobodys(number),
        "gps": False if orders.location_off else None,
        "disableLocation": orders.location_off,
        "factoryReset": orders.wipe,
        "reboot": orders.reboot,
        "lock": orders.lock is not None,
        "lockMessage": orders.lock or "",
        "timeZone": document["time_zone"],
        "downloadUpdates": "wifi" if wifi else "UNLIMITED",
        "restrictions": ",".join(denied),
        "newServerUrl": new_server,
        "applications": [_app(app, base) for app in document["apps"] if holds(app["sha256"])]
        + [_removal(package) for package in document["removed"]],
        "files": [
            _file(file, base, stamps.get(file["path"], 0)) for file in document["files"] if holds(file["sha256"])
        ],
    }


def restrictions(document: Mapping[str, Any], *, api: int, home: bool) -> list[str]:
    """The keys that the agent is told to enforce, in the order of the profile."""
    known = (key for key, first in document["restrictions"].items() if first <= api)
    return [key for key in known if home or key != DEBUGGING]


def place(sha256: str, name: str) -> str:
    """Where a file is below ``/files/``, which is also what is signed; in letters that no address has to escape."""
    return f"{sha256}/{re.sub(r'[^A-Za-z0-9._-]|^[.]+', '_', name)[-100:] or '_'}"


def _address(base: str, sha256: str, name: str) -> str:
    return f"{base}/{headwind.FILES}/{place(sha256, name)}"


def _nobodys(number: str) -> str:
    """The hash (as of MD5) of the password to the agent's own panel: one to which nobody knows a password."""
    return hashlib.sha256(f"panel of {number}".encode()).hexdigest()[:32].upper()


def _app(app: Mapping[str, Any], base: str) -> dict[str, Any]:
    url = _address(base, app["sha256"], f"{app['pkg']}-{app['code']}.apk")
    known = {"name": app["name"], "pkg": app["pkg"], "version": app["version"] or "0", "code": app["code"], "url": url}
    return {**_FIXED_APP, **known}


def _removal(package: str) -> dict[str, Any]:
    """Version 0 is any."""
    return {**_FIXED_APP, "name": package, "pkg": package, "version": "0", "code": 0, "url": None, "remove": True}


def _file(file: Mapping[str, Any], base: str, stamp: int) -> dict[str, Any]:
    return {
        "url": _address(base, file["sha256"], file["path"].rpartition("/")[2]),
        "path": f"/{file['path']}",
        "lastUpdate": stamp,
        "checksum": file["md5"],
        "remove": False,
        "description": "",
        "varContent": False,
    }


_FIXED: Mapping[str, Any] = {
    "newNumber": None,
    "backgroundColor": "#FFFFFF",
    "textColor": "#000000",
    "backgroundImageUrl": None,
    "phone": None,
    "imei": None,
    "iconSize": 100,
    "title": "none",
    "displayStatus": False,
    "bluetooth": None,
    "wifi": None,
    "mobileData": None,
    "kioskMode": False,  # a stub in the open agent, as is the lock of the status bar
    "mainApp": None,
    "lockStatusBar": False,
    "systemUpdateType": 0,
    "systemUpdateFrom": None,
    "systemUpdateTo": None,
    "appUpdateFrom": None,
    "appUpdateTo": None,
    "passwordReset": None,
    "pushOptions": "polling",
    "keepaliveTime": 300,
    "requestUpdates": "donottrack",
    "appPermissions": None,
    "usbStorage": None,
    "autoBrightness": None,
    "brightness": None,
    "manageTimeout": None,
    "timeout": None,
    "lockVolume": None,
    "manageVolume": None,
    "volume": None,
    "passwordMode": None,
    "allowedClasses": None,
    "orientation": 0,
    "kioskHome": None,
    "kioskRecents": None,
    "kioskNotifications": None,
    "kioskSystemInfo": None,
    "kioskKeyguard": None,
    "kioskLockButtons": None,
    "kioskExit": None,
    "description": None,
    "custom1": None,
    "custom2": None,
    "custom3": None,
    "runDefaultLauncher": True,  # the phone keeps its own home screen
    "lockSafeSettings": False,
    "permissive": True,
    "disableScreenshots": False,
    "autostartForeground": False,
    "showWifi": False,  # else the agent stops at its screen when no network is there, with nothing enforced
    "appName": None,
    "vendor": None,
    "applicationSettings": [],
    "actions": [],
}

_FIXED_APP: Mapping[str, Any] = {
    "type": "app",
    "useKiosk": False,
    "showIcon": True,
    "remove": False,
    "runAfterInstall": False,
    "runAtBoot": False,
    "skipVersion": False,
    "iconText": None,
    "icon": None,
    "screenOrder": None,
    "keyCode": None,
    "bottom": False,
    "longTap": False,
    "intent": None,
}
