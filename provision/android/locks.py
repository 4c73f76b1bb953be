"""Who else holds the phone: accounts, users, an owner, the bootloader, signs of FRP (facts §5.2–§5.4). Reads only.

Accounts never leave the phone by name: the probe cuts the names away there and sends the types only. An owner can be
read from ``dpm list-owners`` (12+) and from ``dumpsys device_policy``; where neither answers, ``owner_known`` is
false. FRP has no sure sign: only ``secure_frp_mode`` of 1 or 0 is taken for an answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from profiles.schema import Profile
from provision.android.command import Command, command, script
from provision.android.reading import plain, text
from provision.android.table import get, value
from provision.model import Identity, Locks
from provision.setting import Answer

_ACCOUNTS = r"s/.*Account {name=.*, type=\([A-Za-z0-9._-]*\)}.*/type=\1/p;s/^ *Accounts: \([0-9]*\) *$/accounts=\1/p"
_POLICY = "Current Device Policy|Encryption Status|Device Owner|Profile Owner|admin=|package="
_OWNER_LINE = re.compile(r"^User +\d+: admin=([\w.$/-]{1,300}),(\w*Owner)", re.MULTILINE)
_OWNER_BLOCK = re.compile(
    r"^ *(Device|Profile) Owner[^\n]{0,60}:[ \t]*\n[ \t]*admin=ComponentInfo\{([\w.$/-]{1,300})\}", re.MULTILINE
)


def probes(_profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile, the same is asked."""
    asked = {
        "accounts": script('dumpsys account 2>/dev/null | tr -d "\\r" | sed -n "$1"', _ACCOUNTS),
        "users": command("pm", "list", "users"),
        "policy": script('dumpsys device_policy | grep -E "$1"', _POLICY),
        "frp": get("global" if identity.api >= 34 else "secure", "secure_frp_mode"),
    }
    if identity.api >= 31:
        asked["owners"] = command("dpm", "list-owners")
    return asked


def parse(answers: Mapping[str, Answer], _profile: Profile, identity: Identity) -> Locks:
    """See :class:`provision.model.Locks`."""
    owner, owner_known = _owner(answers)
    users = len(re.findall(r"^[ \t]*UserInfo\{\d{1,9}:", text(answers, "users"), re.MULTILINE))
    properties = identity.properties
    return Locks(
        accounts=_accounts(text(answers, "accounts")),
        users=users or None,
        owner=owner,
        owner_known=owner_known,
        bootloader_locked=_bootloader(properties),
        verified_boot=plain(properties.get("ro.boot.verifiedbootstate", ""), 20) or None,
        at_frp={"1": True, "0": False}.get(value(answers, "frp") or ""),
    )


def _accounts(said: str) -> Mapping[str, int] | None:
    counts = [int(n) for n in re.findall(r"^accounts=(\d{1,6})$", said, re.MULTILINE)]
    if not counts:
        return None
    types = Counter(re.findall(r"^type=([\w.-]{1,200})$", said, re.MULTILINE))
    if (more := sum(counts) - types.total()) > 0:
        types["of unknown type"] += more
    return dict(types)


def _owner(answers: Mapping[str, Answer]) -> tuple[str | None, bool]:
    """The owner's component and whether this phone tells; a device owner is named before a profile's."""
    listed, policy = text(answers, "owners"), text(answers, "policy")
    found = [(kind, admin) for admin, kind in _OWNER_LINE.findall(listed)] or _OWNER_BLOCK.findall(policy)
    for kind, admin in sorted(found, key=lambda pair: not pair[0].startswith("Device")):
        return f"{admin}" if kind.startswith("Device") else f"{admin} (profile)", True
    if "no owners" in listed:
        return None, True
    readable = "Current Device Policy" in policy or "Encryption Status" in policy
    named = re.search(r"(Device|Profile) Owner|\bowners?:", policy + listed)
    return None, readable and not named


def _bootloader(properties: Mapping[str, str]) -> bool | None:
    state = {"locked": True, "unlocked": False}.get(properties.get("ro.boot.vbmeta.device_state", ""))
    return state if state is not None else {"1": True, "0": False}.get(properties.get("ro.boot.flash.locked", ""))
