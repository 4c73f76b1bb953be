"""Who the phone is, and its setting: name, time zone, automatic time, language (facts §5.2, §1; [I] where marked).

Reads ``getprop`` whole, once. The name is Settings.Global ``device_name``, read back. The time zone goes through
``cmd alarm set-timezone`` [I]; shell has had SET_TIME_ZONE since about Android 10 (facts §1), so on 8 and 9 the phone
is asked what shell holds, and on 7 the answer is no. Read back is ``persist.sys.timezone``.
The language is read (``persist.sys.locale``) and never set: shell may not change the configuration of the system. The
panes of a setup assistant are Apple's; Android's is behind a phone that answers over USB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from profiles.schema import Identity as Wanted
from profiles.schema import Profile
from provision.android import ruled
from provision.android.actions import Run
from provision.android.command import Command, command, script
from provision.android.reading import number, plain, text
from provision.android.refusals import NO, unreadable
from provision.android.table import get, put, value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer

QUESTIONS: Mapping[str, Command] = MappingProxyType({"properties": command("getprop")})
"""Asked once, when the phone is attached; :func:`identify` reads the answer."""

_PROPERTY = re.compile(r"^\[([^]\n]{1,256})\]: \[([^\n]{0,4096})\]$", re.MULTILINE)
_MOST_PROPERTIES = 5000
_SKINS = (
    ("ro.mi.os.version.name", "HyperOS"),
    ("ro.miui.ui.version.name", "MIUI"),
    ("ro.build.version.oneui", "One UI"),
    ("ro.build.version.realmeui", "realme UI"),
    ("ro.oxygen.version", "OxygenOS"),
    ("ro.build.version.oplusrom", "ColorOS"),
    ("ro.build.version.opporom", "ColorOS"),
    ("hw_sc.build.platform.version", "HarmonyOS"),
    ("ro.build.version.magic", "MagicOS"),
    ("ro.build.version.emui", "EMUI"),
    ("ro.vivo.os.version", "OriginOS/Funtouch"),
)
"""Property and skin, the more telling first [I]."""


@dataclass(frozen=True)
class Found:
    """ "" is unset, ``None`` unreadable. ``may_set_zone``: shell holds the right; ``None`` where it was not asked."""

    name: str | None = None
    time_zone: str | None = None
    automatic: tuple[str | None, str | None] = (None, None)
    may_set_zone: bool | None = None


def identify(answers: Mapping[str, Answer]) -> Identity:
    """Read the answers to :data:`QUESTIONS`. What the phone does not say is "" or 0."""
    said = _PROPERTY.findall(text(answers, "properties"))[:_MOST_PROPERTIES]
    properties = MappingProxyType(dict(said))

    def prop(*keys: str) -> str:
        return next((found for key in keys if (found := plain(properties.get(key, "")))), "")

    return Identity(
        platform="android",
        serial=prop("ro.serialno", "ro.boot.serialno"),
        maker=prop("ro.product.manufacturer", "ro.product.brand").lower(),
        model=prop("ro.product.model"),
        version=prop("ro.build.version.release"),
        api=number(prop("ro.build.version.sdk")) or 0,
        build=prop("ro.build.display.id", "ro.build.id"),
        skin=_skin(properties),
        properties=properties,
    )


def _skin(properties: Mapping[str, str]) -> str:
    for key, name in _SKINS:
        said = plain(properties.get(key, ""), 40)
        if not said:
            continue
        if name == "One UI":
            code = number(said)
            return f"One UI {code // 10000}.{code // 100 % 100}" if code else name
        if name == "MIUI":
            said = re.sub(r"^V(\d\d)(\d)$", r"\1.\2", said)  # V125 is 12.5, V14 is 14
        release = re.search(r"\d+(\.\d+)*", said)
        return f"{name} {release[0]}" if release else name
    return ""


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Only what the profile names is asked."""
    wanted = profile.identity or Wanted()
    asked: dict[str, Command] = {}
    if wanted.name is not None:
        asked["name"] = get("global", "device_name")
    if wanted.time_zone is not None:
        asked["time_zone"] = command("getprop", "persist.sys.timezone")
        if 26 <= identity.api < 29:
            asked["shell"] = script('dumpsys package com.android.shell | grep "SET_TIME_ZONE: granted="')
    if wanted.automatic_time is not None:
        asked["auto_time"] = get("global", "auto_time")
        asked["auto_time_zone"] = get("global", "auto_time_zone")
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    return Found(
        name=value(answers, "name"),
        time_zone=value(answers, "time_zone"),
        automatic=(value(answers, "auto_time"), value(answers, "auto_time_zone")),
        may_set_zone="granted=true" in text(answers, "shell") if "shell" in answers else None,
    )


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``name``, ``time_zone``, ``automatic_time``, ``language``, ``locale``, ``skip_setup``: those that the
    profile names."""
    wanted = profile.identity or Wanted()
    if wanted.name is not None:
        want, state = _name(wanted.name, found, unit)
        yield Item("identity", "name", want, state, profile.where("identity", "name"))
    if wanted.time_zone is not None:
        state = _time_zone(wanted.time_zone, found, facts.identity)
        source = profile.where("identity", "time_zone")
        yield Item("identity", "time_zone", f"time zone {wanted.time_zone}", state, source)
    if wanted.automatic_time is not None:
        want = "time from the network" if wanted.automatic_time else "time set by hand"
        state, _ = ruled.guarded(_automatic(wanted, found), "no_config_date_time", profile, facts)
        yield Item("identity", "automatic_time", want, state, profile.where("identity", "automatic_time"))
    now = facts.identity.properties.get("persist.sys.locale", "")
    for key, tag in (("language", wanted.language), ("locale", (wanted.locale or "").replace("_", "-"))):
        if tag:
            yield Item("identity", key, f"the {key} {tag}", _language(tag, now), profile.where("identity", key))
    if wanted.skip_setup:
        state = Met("its setup is done: only then does a phone answer over USB")
        yield Item(
            "identity", "skip_setup", "no panes of the first setup", state, profile.where("identity", "skip_setup")
        )


def _name(template: str, found: Found, unit: Unit) -> tuple[str, Met | Step | Cannot]:
    if "{tag}" in template and not unit.tag:
        return f"the name {template}", Cannot("no tag", "Give it one: fleet unit tag SERIAL TAG, or --tags PREFIX.")
    name = template.replace("{tag}", unit.tag or "")
    want = f"the name {name}"
    if found.name is None:
        return want, unreadable("its name")
    if found.name == name.strip():
        return want, Met(f"its name is {name} already")
    was = f"its name is {plain(found.name)}" if found.name else "it has no name"
    return want, Step(was, (put("global", "device_name", name),))


def _time_zone(zone: str, found: Found, identity: Identity) -> Met | Step | Cannot:
    if found.time_zone == zone:
        return Met(f"its time zone is {zone} already")
    if identity.api < 29 and not found.may_set_zone:
        return Cannot(
            f"Android {identity.version} does not let the computer set the time zone",
            f"On the phone: Settings › System › Date and time › choose {zone}.",
        )
    was = f"its time zone is {plain(found.time_zone)}" if found.time_zone else "its time zone is not known"
    return Step(was, (Run(command("cmd", "alarm", "set-timezone", zone), refused=NO),))


def _language(tag: str, now: str) -> Met | Cannot:
    """``now`` is a tag such as vi-VN or zh-Hans-CN; a wanted tag may leave out what stands at its end."""
    if now == tag or now.startswith(f"{tag}-"):
        return Met(f"it is {plain(now)} already")
    was = f"; it is {plain(now)}" if now else ""
    by_hand = f"On the phone: Settings › System › Languages › put {tag} first."
    return Cannot(f"Android does not let the computer set the language{was}", by_hand)


def _automatic(wanted: Wanted, found: Found) -> Met | Step | Cannot:
    clock = "1" if wanted.automatic_time else "0"
    # A zone that the profile names is not left to the network.
    zone = "0" if wanted.time_zone is not None else clock
    tables = (("auto_time", found.automatic[0], clock), ("auto_time_zone", found.automatic[1], zone))
    if any(now is None for _, now, _ in tables):
        return unreadable("where its time comes from")
    wrong = [(key, want) for key, now, want in tables if now != want]
    if not wrong:
        return Met("it is so already")
    return Step(
        " and ".join(f"{key} is not {want}" for key, want in wrong),
        tuple(put("global", key, want) for key, want in wrong),
    )
