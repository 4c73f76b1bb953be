"""What of a profile goes into the one configuration of an iPhone or iPad: one part per wanted value (facts, iOS §2).

A part is either content of a payload, which the device takes as it is now (its iOS, supervised or not), or the reason
why it cannot be had there. Parts with one ``place`` make one payload together. How long it holds: where we supervise
the device its user cannot remove the configuration (B), elsewhere they can, in Settings (C).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from profiles.schema import Network, Profile, WebFilter, Wifi
from profiles.versions import at_least
from provision.ios import access_point, restricted
from provision.ios.layout import layout
from provision.ios.part import Part, Situation, strength
from provision.ios.payloads import Kind, Problem, check
from provision.model import Cannot


def parts(profile: Profile, now: Situation) -> tuple[Part, ...]:
    """All parts, those that this device would refuse or ignore as what cannot be had."""
    found = (part for of in _OF for part in of(profile, now))
    return tuple(_taken(part, now) for part in found)


def _taken(part: Part, now: Situation) -> Part:
    if part.cannot or not part.content:
        return part
    problems = check(_shown(part.content), now.version, now.supervised)
    return replace(part, cannot=_refused(problems), content={}, strength=None) if problems else part


def _shown(content: Any) -> Any:
    """With texts in the place of secrets, which the check need not see."""
    if isinstance(content, Mapping):
        return {key: _shown(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_shown(value) for value in content]
    return content if isinstance(content, str | int | bytes) else str(content)


_ORDER = (Kind.MDM, Kind.VERSION, Kind.VALUE, Kind.SUPERVISED)
_NEXT = {
    Kind.SUPERVISED: "Supervise it, where it may be erased: fleet provision --erase.",
    Kind.MDM: "Do without it, or set it on the device by hand.",
    Kind.VERSION: "Update the device, where it can be, or do without it.",
    Kind.VALUE: "Correct the profile.",
}


def _refused(problems: tuple[Problem, ...]) -> Cannot:
    """The problem that is hardest to overcome is told: no supervision helps against an old system."""
    first = min(problems, key=lambda problem: _ORDER.index(problem.kind))
    return Cannot(first.what if first.kind is not Kind.VALUE else f"{first.where} {first.what}", _NEXT[first.kind])


def _wifi(profile: Profile, _now: Situation) -> Iterator[Part]:
    wanted = profile.network or Network()
    for wifi in wanted.wifi:
        yield Part(
            setting="network",
            key=f"wifi.{wifi.ssid}",
            want=f"Wi-Fi {wifi.ssid} ({wifi.security})",
            source=profile.where("network", "wifi", wifi.ssid),
            place=f"wifi.{_digest(wifi.ssid)}",
            title=f"Wi-Fi {wifi.ssid}",
            content=_wifi_content(wifi),
            required=wanted.required,
        )


_SECURITY = {"open": "None", "wpa2": "WPA2", "wpa3": "WPA3"}


def _wifi_content(wifi: Wifi) -> Mapping[str, Any]:
    password = {"Password": wifi.password} if wifi.password else {}
    return {
        "PayloadType": "com.apple.wifi.managed",
        "SSID_STR": wifi.ssid,
        "EncryptionType": _SECURITY[wifi.security],
        "AutoJoin": True,
        "HIDDEN_NETWORK": wifi.hidden,
        **password,
    }


def _filters(profile: Profile, now: Situation) -> Iterator[Part]:
    wanted = profile.network or Network()
    if host := wanted.filter_dns:
        guard = {"ProhibitDisablement": True} if now.supervised else {}
        yield Part(
            setting="network",
            key="filter_dns",
            want=f"names are looked up at {host}",
            source=profile.where("network", "filter_dns"),
            place="dns",
            title="Filtering DNS",
            content={
                "PayloadType": "com.apple.dnsSettings.managed",
                "DNSSettings": {"DNSProtocol": "TLS", "ServerName": host},
                **guard,
            },
            strength=strength(now),
            required=wanted.required,
        )
    if wanted.web_filter:
        yield Part(
            setting="network",
            key="web_filter",
            want="pages are filtered",
            source=profile.where("network", "web_filter"),
            place="web-filter",
            title="Web filter",
            content=_web_filter(wanted.web_filter, now),
            strength=strength(now),
            required=wanted.required,
        )


def _web_filter(wanted: WebFilter, now: Situation) -> Mapping[str, Any]:
    renamed = at_least(now.version, "14.5")
    content: dict[str, Any] = {
        "PayloadType": "com.apple.webcontent-filter",
        "FilterType": "BuiltIn",
        "AutoFilterEnabled": wanted.auto,
    }
    if wanted.deny:
        content["DenyListURLs" if renamed else "BlacklistedURLs"] = wanted.deny
    if wanted.allow_only:
        pages = [{"URL": page.url, "Title": page.title} for page in wanted.allow_only]
        content["AllowListBookmarks" if renamed else "WhitelistedBookmarks"] = pages
    return content


def _web_clips(profile: Profile, now: Situation) -> Iterator[Part]:
    """Web pages as icons. Full screen, they open without the browser's own controls [I: also where it is blocked]."""
    for app in profile.apps:
        if app.ios is None or app.ios.web is None:
            continue
        yield Part(
            setting="apps",
            key=app.id,
            want=f"the web page {app.ios.title or app.id} on the home screen",
            source=profile.where("apps", app.id),
            place=f"web.{app.id}",
            title=app.ios.title or app.id,
            content={
                "PayloadType": "com.apple.webClip.managed",
                "URL": app.ios.web,
                "Label": app.ios.title or app.id,
                "IsRemovable": False,
                "FullScreen": True,
                **({"IgnoreManifestScope": True} if at_least(now.version, "14.0") else {}),
            },
            required=app.required,
        )


def _home_screen(profile: Profile, now: Situation) -> Iterator[Part]:
    if wanted := profile.home_screen:
        yield Part(
            setting="home_screen",
            key="layout",
            want="icons where the profile has them",
            source=profile.where("home_screen"),
            place="home-screen",
            title="Home screen",
            content=layout(wanted, {app.id: app for app in profile.apps}),
            strength=strength(now),
            required=wanted.required,
        )


def _digest(name: str) -> str:
    """A short name of plain letters for one of any letters."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


_OF: tuple[Callable[[Profile, Situation], Iterator[Part]], ...] = (
    _web_clips,
    _wifi,
    _filters,
    access_point.parts,
    restricted.rules,
    restricted.lists,
    restricted.clock,
    _home_screen,
)
