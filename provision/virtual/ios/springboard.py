"""The home screen: where the icons are, and what moves them (facts, iOS §1, §2).

A layout is a list: the dock, then the pages, each a list of icons; a folder is an icon with ``iconLists``. A
``com.apple.homescreenlayout`` of an installed profile settles it, and then nobody moves anything.
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterator, Mapping
from typing import Any

from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Stream

Icon = dict[str, Any]

_DOCK = ("com.apple.MobileSMS", "com.apple.mobilesafari", "com.apple.facetime", "com.apple.camera")
_PAGE = 24
_CLIP, _LAYOUT = "com.apple.webClip.managed", "com.apple.homescreenlayout"
_SAVED = "home-screen.plist"


def serve(stream: Stream, phone: Phone) -> None:
    """The service com.apple.springboardservices."""
    while True:
        asked = stream.recv_plist()
        command = asked.get("command") if isinstance(asked, dict) else None
        if command == "getIconState":
            stream.send_plist(icon_state(phone))
        elif command == "setIconState":
            _arrange(phone, asked.get("iconState"))
            stream.send(bytes(4))
        elif command == "getInterfaceOrientation":
            stream.send_plist({"interfaceOrientation": 1})
        else:
            stream.send_plist({"error": "unknown command"})


def icon_state(phone: Phone) -> list[list[Icon]]:
    """The dock, then the pages."""
    with phone.lock:
        icons = _icons(phone)
        forced = [payload for payload in _payloads(phone) if payload.get("PayloadType") == _LAYOUT]
        if forced:
            wanted = [forced[-1].get("Dock", []), *forced[-1].get("Pages", [])]
            return _placed([[_key(entry) for entry in page] for page in wanted], icons)
        try:
            saved = plistlib.loads((phone.home / _SAVED).read_bytes())
        except FileNotFoundError:
            saved = [list(_DOCK)]
        return _placed(saved, icons)


def _icons(phone: Phone) -> dict[str, Icon]:
    """Everything that has an icon, by what stands for it in a layout."""
    found: dict[str, Icon] = {
        app.bundle: {"bundleIdentifier": app.bundle, "displayIdentifier": app.bundle, "displayName": app.name}
        for app in phone.apps.values()
    }
    for clip in _payloads(phone):
        if clip.get("PayloadType") == _CLIP:
            url = str(clip.get("URL"))
            found[url] = {
                "displayIdentifier": str(clip.get("PayloadUUID")),
                "displayName": str(clip.get("Label")),
                "webClipIdentifier": str(clip.get("PayloadUUID")),
                "webClipURL": url,
            }
    return found


def _payloads(phone: Phone) -> Iterator[Mapping[str, Any]]:
    for profile in phone.profiles.values():
        yield from profile.content.get("PayloadContent", [])


def _placed(wanted: list[list[Any]], icons: dict[str, Icon]) -> list[list[Icon]]:
    """The layout with what there is: what it does not name comes on the last pages."""
    left = dict(icons)
    placed = [[left.pop(key) for key in page if key in left] for page in wanted] or [[]]
    rest = list(left.values())
    return placed + [rest[at : at + _PAGE] for at in range(0, len(rest), _PAGE)]


def _key(entry: Any) -> str:
    """What stands for an icon: an app's bundle identifier, a web clip's address."""
    if not isinstance(entry, dict):
        return ""
    if entry.get("Type") == "Application":
        return str(entry.get("BundleID"))
    return str(entry.get("URL") or entry.get("webClipURL") or entry.get("bundleIdentifier") or "")


def _arrange(phone: Phone, wanted: Any) -> None:
    """A layout as it was asked for; what is none changes nothing [inferred]."""
    if not isinstance(wanted, list) or not all(isinstance(page, list) for page in wanted):
        return
    with phone.lock:
        keys = [[key for entry in page if (key := _key(entry))] for page in wanted]
        (phone.home / _SAVED).write_bytes(plistlib.dumps(keys, fmt=plistlib.FMT_BINARY))
