"""Saved Wi-Fi networks, the filtering DNS server, and the web filter that there is none of (facts §2.3).

Wi-Fi: ``cmd wifi`` is open to shell from Android 11. ``list-networks`` tells names and protection, never passwords:
a network with a password that is listed is only known by the seal of our last run. One that is not listed is saved,
whatever the seal says.
DNS: Private DNS, from Android 9; read back. The user can change it in Settings (strength C), unless an owner forbids
that; then shell cannot either: ``settings put`` does nothing and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from profiles.schema import Network, Profile, Wifi
from provision.android import ruled
from provision.android.actions import Run
from provision.android.command import Command, Word, command
from provision.android.reading import lines, plain, text
from provision.android.refusals import NO, unreadable
from provision.android.table import get, put, value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer

_WIFI_API, _DNS_API = 30, 28
_DNS_RULE = "disallow_config_private_dns"
_NO_WEB_FILTER = Cannot("Android has no web filter of its own", "Filter by name: network: filter_dns.")
_ROW = re.compile(r"\d{1,6}[ \t]+(\S.{0,100}?)[ \t]+(\S{1,40})")


@dataclass(frozen=True)
class Found:
    """``wifi``: saved names with what protects them, ``None`` if refused, and ``said`` is how. DNS: as in table."""

    wifi: tuple[tuple[str, str], ...] | None = None
    said: str = ""
    dns_mode: str | None = None
    dns_host: str | None = None


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Only what the profile names, and this Android can tell, is asked."""
    wanted = profile.network or Network()
    asked: dict[str, Command] = {}
    if wanted.wifi and identity.api >= _WIFI_API:
        asked["wifi"] = command("cmd", "wifi", "list-networks")
    if wanted.filter_dns and identity.api >= _DNS_API:
        asked["dns_mode"] = get("global", "private_dns_mode")
        asked["dns_host"] = get("global", "private_dns_specifier")
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    said = text(answers, "wifi")
    listed = "Network Id" in said or "No networks" in said
    return Found(
        wifi=tuple((row[1], row[2]) for row in map(_ROW.fullmatch, lines(answers, "wifi")) if row) if listed else None,
        said=said[:2000],
        dns_mode=value(answers, "dns_mode"),
        dns_host=value(answers, "dns_host"),
    )


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``wifi.<ssid>``, ``filter_dns`` and ``web_filter``."""
    wanted = profile.network or Network()
    for wifi in wanted.wifi:
        key = f"wifi.{wifi.ssid}"
        state = _wifi(wifi, found, facts.identity, unit, f"network.{key}")
        source = profile.where("network", "wifi", wifi.ssid)
        yield Item("network", key, f"Wi-Fi {wifi.ssid} ({wifi.security})", state, source, required=wanted.required)
    if host := wanted.filter_dns:
        want, source = f"names are looked up at {host}", profile.where("network", "filter_dns")
        dns, strength = ruled.guarded(_dns(host, found, facts.identity), _DNS_RULE, profile, facts)
        yield Item("network", "filter_dns", want, dns, source, strength, wanted.required)
    if wanted.web_filter:
        where = profile.where("network", "web_filter")
        yield Item("network", "web_filter", "pages are filtered", _NO_WEB_FILTER, where, required=wanted.required)


def _wifi(wifi: Wifi, found: Found, identity: Identity, unit: Unit, item: str) -> Met | Step | Cannot:
    by_hand = f"Join it by hand: Settings › Wi-Fi › {wifi.ssid}."
    if identity.api < _WIFI_API:
        return Cannot(f"Android {identity.version} has no command to save a Wi-Fi network", by_hand)
    if found.wifi is None:
        return unreadable("its Wi-Fi networks", found.said, identity)
    secret = wifi.password.reveal() if wifi.password else ""
    words: list[Word] = [wifi.ssid, wifi.security, *([wifi.password] if wifi.password else [])]
    if wifi.hidden:
        words.append("-h")
    saving = (
        Run(command("cmd", "wifi", "add-network", *words), refused=(*NO, "Save failed"), expect="Save successful"),
    )
    if not _listed(wifi, found.wifi):
        return Step("this network is not saved", saving)
    if not secret:
        return Met("it is saved already")
    seal = unit.seal(f"{wifi.ssid}\0{wifi.security}\0{secret}")
    if unit.sealed.get(item) == seal:
        return Met("it is saved; its password is that of our last run, and cannot be read back", sealed=seal)
    return Step("it is saved, but its password cannot be read back", saving, sealed=seal)


def _listed(wifi: Wifi, saved: tuple[tuple[str, str], ...]) -> bool:
    """An open network and a protected one of the same name are two networks to the phone."""
    return any(ssid == wifi.ssid.strip() and (wifi.security == "open") == (how == "open") for ssid, how in saved)


def _dns(host: str, found: Found, identity: Identity) -> Met | Step | Cannot:
    if identity.api < _DNS_API:
        return Cannot(f"Android {identity.version} has no Private DNS", "Filter on the router instead.")
    if found.dns_mode is None or found.dns_host is None:
        return unreadable("where it looks up names")
    if (found.dns_mode, found.dns_host) == ("hostname", host):
        return Met("it does so already")
    if found.dns_mode == "hostname":
        was = f"names are looked up at {plain(found.dns_host)}"
    else:
        was = f"Private DNS is {plain(found.dns_mode) or 'not set'}"
    return Step(was, (put("global", "private_dns_specifier", host), put("global", "private_dns_mode", "hostname")))
