"""Operators by name and by number, and their access points.

carriers.yaml of ours first; where it has nothing, mobile-broadband-provider-info, if it is installed on the bench.
SIMs of operators without a network of their own are told apart as facts, Android 4.4, have it: number and provider's
name, IMSI, GID1 or ICCID first, then the number alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from profiles.errors import Problem, ProfileError, meant
from profiles.once import once
from profiles.strict_yaml import Node, plain, read

FILE = Path(__file__).with_name("carriers.yaml")

Auth = Literal["none", "pap", "chap", "either"]
Protocol = Literal["IP", "IPV6", "IPV4V6"]

_SIM_KINDS = ("spn", "imsi", "gid1", "iccid")


@dataclass(frozen=True)
class ApnSettings:
    """An access point. ``name`` is what people see, ``apn`` the access point name; ``types`` as Android has them."""

    name: str
    apn: str
    user: str = ""
    password: str = ""
    auth: Auth = "none"
    protocol: Protocol = "IPV4V6"
    types: tuple[str, ...] = ("default", "supl")


@dataclass(frozen=True)
class Mvno:
    """A SIM with another operator's ``numeric``. ``kind`` is spn, imsi, gid1 or iccid; the SIM's value is ``data``
    (spn) or begins with it."""

    numeric: str
    kind: str
    data: str


@dataclass(frozen=True)
class Carrier:
    """``id`` is its name in profiles, ``numerics`` the MCC and MNC of its SIMs (5 or 6 digits)."""

    id: str
    name: str
    country: str
    numerics: tuple[str, ...]
    apns: tuple[ApnSettings, ...]
    aliases: tuple[str, ...] = ()
    mvno: tuple[Mvno, ...] = field(default=())


def find(carrier: str) -> Carrier | None:
    """The operator of that id, name or alias, however it is spaced and capitalised; None when not exactly one is."""
    wanted = _folded(carrier)
    for ours in own():
        if wanted in {_folded(name) for name in (ours.id, ours.name, *ours.aliases)}:
            return ours
    found = [provider for provider in _installed() if _folded(provider.name) == wanted]
    return found[0] if len(found) == 1 else None


def suggestion(carrier: str) -> str:
    """What to say after "unknown operator": the name that may be meant, or what else to write."""
    countries = sorted({provider.country for provider in _installed() if _folded(provider.name) == _folded(carrier)})
    if countries:
        return f': several have this name ({", ".join(countries)}); write its number instead, as mccmnc: "45204"'
    near = meant(carrier, [name for ours in own() for name in (ours.id, ours.name, *ours.aliases)])
    return near or ': if it is not in carriers.yaml, write its number instead, as mccmnc: "45204"'


def by_numeric(numeric: str, *, spn: str = "", imsi: str = "", gid1: str = "", iccid: str = "") -> Carrier | None:
    """The operator of a SIM with this MCC and MNC. What else is known of the SIM tells guests of a network apart."""
    sim = {"spn": spn, "imsi": imsi, "gid1": gid1, "iccid": iccid}
    for kind in _SIM_KINDS:
        for carrier in own():
            if any(
                rule.kind == kind and rule.numeric == numeric and _matches(rule, sim[kind]) for rule in carrier.mvno
            ):
                return carrier
    for carrier in own():
        if numeric in carrier.numerics:
            return carrier
    return _main([provider for provider in _installed() if numeric in provider.numerics], numeric)


def _matches(rule: Mvno, value: str) -> bool:
    if rule.kind == "spn":
        return value.casefold() == rule.data.casefold()
    return value.casefold().startswith(rule.data.casefold())


def _main(found: list[Carrier], numeric: str) -> Carrier | None:
    from profiles.providers import primary

    owners = [carrier for carrier in found if (carrier.country, carrier.name) in primary(numeric)] or found
    return owners[0] if len(owners) == 1 else None


def _installed() -> tuple[Carrier, ...]:
    from profiles.providers import installed

    return installed()


def _folded(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).casefold()


@once
def own() -> tuple[Carrier, ...]:
    """The operators of carriers.yaml. Raises ProfileError when the file has mistakes."""
    return parse(read(FILE))


def parse(root: Node) -> tuple[Carrier, ...]:
    """The operators of a carriers file. Raises ProfileError with every mistake at its place."""
    problems: list[Problem] = []
    for node in root.entries.values():
        problems.extend(_mistakes(node))
    problems.extend(_claimed_twice(root))
    if problems or not root.entries:
        raise ProfileError(problems or [root.at.problem("must be a map of operators by name")])
    return tuple(_carrier(key, node) for key, node in root.entries.items())


_NEEDED = ("name", "country", "aliases", "numerics", "apns")
_APN_WORDS: Mapping[str, tuple[str, ...]] = {
    "auth": ("none", "pap", "chap", "either"),
    "protocol": ("IP", "IPV6", "IPV4V6"),
}
_APN_KEYS = ("name", "apn", "user", "password", "auth", "protocol", "types")


def _mistakes(node: Node) -> Iterable[Problem]:
    for key in _NEEDED:
        if key not in node.entries:
            yield node.place.problem(f'"{key}" is missing')
    for key, child in node.entries.items():
        if key not in (*_NEEDED, "mvno"):
            yield child.place.problem(f'unknown key "{key}"')
    for item in _list(node, "numerics"):
        if not isinstance(item.value, str) or not re.fullmatch(r"[0-9]{5,6}", item.value):
            yield item.at.problem("must be five or six digits, in quotes")
    for item in _list(node, "apns"):
        yield from _apn_mistakes(item)
    for item in _list(node, "mvno"):
        kinds = [key for key in item.entries if key in _SIM_KINDS]
        if len(kinds) != 1 or set(item.entries) != {"numeric", *kinds}:
            yield item.at.problem(f"must be a map of numeric and one of {', '.join(_SIM_KINDS)}")


def _apn_mistakes(node: Node) -> Iterable[Problem]:
    for key in ("name", "apn"):
        if key not in node.entries:
            yield node.at.problem(f'"{key}" is missing')
    for key, child in node.entries.items():
        if key not in _APN_KEYS:
            yield child.place.problem(f'unknown key "{key}"')
        elif key in _APN_WORDS and child.value not in _APN_WORDS[key]:
            yield child.at.problem(f"must be one of {', '.join(_APN_WORDS[key])}")
        elif key != "types" and not isinstance(child.value, str):
            yield child.at.problem("must be a text")


def _claimed_twice(root: Node) -> Iterable[Problem]:
    owners: dict[str, str] = {}
    for key, node in root.entries.items():
        for item in _list(node, "numerics"):
            if owners.setdefault(item.raw, key) != key:
                yield item.at.problem(f"is the number of {owners[item.raw]}, too")


def _carrier(key: str, node: Node) -> Carrier:
    row = plain(node)
    return Carrier(
        id=key,
        name=row["name"],
        country=row["country"],
        numerics=tuple(row["numerics"]),
        apns=tuple(ApnSettings(**{**apn, **_types(apn)}) for apn in row["apns"]),
        aliases=tuple(row["aliases"]),
        mvno=tuple(_mvno(rule) for rule in row.get("mvno", ())),
    )


def _types(apn: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    types = apn.get("types")
    return {"types": tuple(types)} if isinstance(types, list) else {}


def _mvno(rule: Mapping[str, str]) -> Mvno:
    kind = next(key for key in rule if key in _SIM_KINDS)
    return Mvno(rule["numeric"], kind, rule[kind])


def _list(node: Node, key: str) -> tuple[Node, ...]:
    child = node.entries.get(key)
    return child.items if child else ()
