"""Apps: what is there is compared with the IPA of the profile before a byte is sent (facts, iOS §1).

iOS tells an app's version and who signed it, not its bytes: equal versions are taken for equal apps. What a device
would only say after the whole upload is said here: another device list, an ended profile, an older iOS, another kind of
device, no room. Pages on the home screen come with the configuration; their items are made from its parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from profiles.schema import App, IosApp, Profile
from profiles.versions import at_least
from provision.ios import ipa, wanted
from provision.ios.actions import InstallApp
from provision.ios.ipa import Ipa, IpaError
from provision.ios.questions import Apps, Question
from provision.ios.reading import mapping
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.text import amount, printable

_TEAM = re.compile(r"\(([0-9A-Z]{10})\)$")
_IPHONE = 1


@dataclass(frozen=True)
class Installed:
    """One app on the device. ``team`` is that of its signer, where the certificate's name tells it ("" where not)."""

    version: str
    shown: str
    team: str = ""


@dataclass(frozen=True)
class Found:
    """The apps on the device by bundle identifier; ``refused``: the device's word, where it does not list them."""

    apps: Mapping[str, Installed]
    refused: str = ""


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """The list of apps, where the profile names one for iOS."""
    return {"apps": Apps()} if any(_app(app) for app in profile.apps) else {}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    said = answers.get("apps")
    if said is not None and said.code != 0:
        return Found({}, printable(said.text) or "no reason")
    listed = mapping(said)
    return Found({name: _installed(about) for name, about in listed.items() if isinstance(about, dict)})


def _installed(about: Mapping[str, Any]) -> Installed:
    team = _TEAM.search(_text(about, "SignerIdentity"))
    version = _text(about, "CFBundleVersion")
    return Installed(version, _text(about, "CFBundleShortVersionString") or version, team[1] if team else "")


def _text(about: Mapping[str, Any], key: str) -> str:
    found = about.get(key)
    return printable(found[:200]) if isinstance(found, str) else ""


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """One item per app that is one on iOS, under its id; then the pages."""
    free = facts.health.storage_free
    for app in profile.apps:
        if (entry := _app(app)) is None:
            continue
        want, state = _planned(entry, found, facts.identity, free)
        if free is not None and isinstance(state, Step):
            free -= ipa.read(entry.file).unpacked if entry.file else 0
        yield Item("apps", app.id, want, state, source=profile.where("apps", app.id), required=app.required)
    if any(app.ios and app.ios.web for app in profile.apps):
        yield from wanted.items("apps", profile, facts, unit)


def _app(app: App) -> IosApp | None:
    """The entry, where it is an app on iOS and no page."""
    return app.ios if app.ios and (app.ios.bundle or app.ios.file) else None


def _planned(entry: IosApp, found: Found, who: Identity, free: int | None) -> tuple[str, Met | Step | Cannot]:
    if entry.file is None:
        return entry.bundle or "", _kept(entry.bundle or "", found)
    try:
        app = ipa.read(entry.file)
    except IpaError as error:
        return entry.bundle or entry.file.name, Cannot(error.what.rstrip("."), error.next_action)
    return f"{app.bundle} {app.shown} ({app.version})", _state(app, found, who, free)


def _kept(bundle: str, found: Found) -> Met | Cannot:
    if found.refused:
        return _unlisted(found)
    if there := found.apps.get(bundle):
        return Met(f"version {there.shown} is on this device")
    return Cannot("it is not on this device, and the profile names no file", "Name its file in the profile.")


def _unlisted(found: Found) -> Cannot:
    return Cannot(f"the device does not list its apps ({found.refused})", "Unlock it and run again.")


def _state(app: Ipa, found: Found, who: Identity, free: int | None) -> Met | Step | Cannot:
    there = found.apps.get(app.bundle)
    if no := _unusable(app):
        return no
    if found.refused:
        return _unlisted(found)
    if there and (there.version, there.shown) == (app.version, app.shown):
        return Met(f"version {there.shown} ({there.version}) is there{_by_hand(app)}")
    if no := _unfit(app, who) or _barred(app, there) or _no_room(app, free):
        return no
    why = f"version {there.shown} ({there.version}) is on this device" if there else "it is not on this device"
    return Step(f"{why}{_by_hand(app)}", (InstallApp(app.bundle, app.path, app.size),), overlaps=True)


def _by_hand(app: Ipa) -> str:
    """An organisation's own app opens when its user trusts who made it [I]."""
    if app.signing.devices is not None:
        return ""
    return (
        f"; before it first opens, its developer ({app.signing.developer}) has to be trusted on the device: Settings › "
        "General › VPN & Device Management"
    )


def _unusable(app: Ipa) -> Cannot | None:
    if not app.ended(datetime.now(UTC)):
        return None
    return Cannot(
        f"{app.path.name}: its provisioning profile ended on {app.signing.ends:%Y-%m-%d}, so it does not open",
        "Have its maker sign it anew.",
    )


def _unfit(app: Ipa, who: Identity) -> Cannot | None:
    """What of the app does not go with this device."""
    if not at_least(who.version, app.minimum_os):
        return Cannot(
            f"it needs iOS {app.minimum_os}, this is {who.version}", "Update the device, or take an older version."
        )
    kind = who.properties.get("DeviceClass", "")
    if kind in ("iPhone", "iPod") and _IPHONE not in app.families:
        return Cannot(f"it is made for iPads, this is an {kind}", "Leave it out for this device.")
    udid = who.properties.get("UniqueDeviceID", "")
    if udid and not app.allows(udid):
        return Cannot(
            f"{app.path.name} is signed for other devices: {printable(udid)} is not in its provisioning profile",
            "Give its maker this UDID, and have the app signed anew.",
        )
    return None


def _barred(app: Ipa, there: Installed | None) -> Cannot | None:
    if there is None or not there.team or there.team == app.signing.team:
        return None
    return Cannot(
        f"the one on this device is signed by another developer ({there.team}), so iOS will not replace it",
        "Delete the app on the device (its data is lost), then run again.",
        in_the_way=True,
    )


def _no_room(app: Ipa, free: int | None) -> Cannot | None:
    """It is there twice for a while: as it was sent, and unpacked."""
    need = app.size + app.unpacked
    if free is None or need <= free:
        return None
    return Cannot(
        f"it needs {amount(need)} while it is installed, and {amount(free)} are free",
        "Make room first.",
        in_the_way=True,
    )
