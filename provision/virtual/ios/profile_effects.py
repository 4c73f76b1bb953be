"""What the installed profiles make of a phone: what it may not do any more, and what it knows since.

Restrictions of several profiles add up to the strictest. A web clip is on the home screen unless Safari is gone or the
lists of apps leave out ``com.apple.webapp`` (facts, iOS §0 and §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provision.virtual.ios import payload_types
from provision.virtual.ios.payload_types import RESTRICTIONS
from provision.virtual.ios.phone import Phone

_WEB_CLIPS = "com.apple.webapp"
_ALLOWED = ("allowListedAppBundleIDs", "whitelistedAppBundleIDs")
_BLOCKED = ("blockedAppBundleIDs", "blacklistedAppBundleIDs")


def restrictions(phone: Phone) -> dict[str, Any]:
    """The restrictions in force, by key."""
    found: dict[str, Any] = {}
    for payload in _payloads(phone, RESTRICTIONS):
        obeyed = payload_types.restrictions(payload, phone.version, supervised=phone.supervised)
        for key, value in obeyed.items():
            found[key] = value if key not in found else _stricter(key, found[key], value)
    return found


def _stricter(key: str, one: Any, other: Any) -> Any:
    if key in _ALLOWED:
        return [bundle for bundle in one if bundle in other]
    if isinstance(one, list):
        return [*one, *(bundle for bundle in other if bundle not in one)]
    if key.startswith("force") or key in ("safariForceFraudWarning", "enforcedSoftwareUpdateDelay"):
        return max(one, other)
    return other if isinstance(one, str) else min(one, other)


def effects(phone: Phone) -> dict[str, Any]:
    """All else that installed profiles do, to look at: lists are empty and values ``None`` where none does anything.

    ``wifi`` are names of known networks, ``apns`` the access points for data and ``attach_apn`` the one for attaching,
    ``web_clips`` what is on the home screen (``label``, ``url``), ``web_filter`` and ``dns`` the payloads' own keys.
    """
    cellular = _one(phone, "com.apple.cellular") if phone.tree["slots"] else None
    single = _one(phone, "com.apple.app.lock")
    return {
        "wifi": [str(payload["SSID_STR"]) for payload in _payloads(phone, "com.apple.wifi.managed")],
        "apns": [str(apn["Name"]) for apn in (cellular or {}).get("APNs", [])],
        "attach_apn": (cellular or {}).get("AttachAPN", {}).get("Name"),
        "dns": (_one(phone, "com.apple.dnsSettings.managed") or {}).get("DNSSettings"),
        "web_filter": _one(phone, "com.apple.webcontent-filter"),
        "web_clips": _web_clips(phone),
        "home_screen": (_one(phone, "com.apple.homescreenlayout") or {}).get("Pages"),
        "single_app": single["App"]["Identifier"] if single else None,
    }


def _web_clips(phone: Phone) -> list[dict[str, str]]:
    rules = restrictions(phone)
    hidden = rules.get("allowSafari", True) in (False, 0)
    hidden |= any(_WEB_CLIPS not in rules[key] for key in _ALLOWED if key in rules)
    hidden |= any(_WEB_CLIPS in rules[key] for key in _BLOCKED if key in rules)
    clips = [] if hidden else _payloads(phone, "com.apple.webClip.managed")
    return [{"label": str(clip["Label"]), "url": str(clip["URL"])} for clip in clips]


def _payloads(phone: Phone, kind: str) -> list[Mapping[str, Any]]:
    """The payloads of a type that this phone knows, of all profiles in the order of installing."""
    return [
        payload
        for profile in phone.profiles.values()
        for payload in profile.content["PayloadContent"]
        if payload["PayloadType"] == kind and payload_types.kind(payload, phone.version) is not None
    ]


def _one(phone: Phone, kind: str) -> dict[str, Any] | None:
    """The newest payload of a type, without the keys that name it."""
    found = _payloads(phone, kind)
    return {key: value for key, value in found[-1].items() if not key.startswith("Payload")} if found else None
