"""Apps that are removed or blocked, and rules (facts §0.1, §2.1, §3.7, §5.5).

remove  ``pm uninstall --user 0``, read back by ``pm list packages``. Strength C: as long as installing is not barred,
        which takes an owner, somebody can install it again.
block   from Android 9 ``pm suspend``: strength B [I], since no screen of the phone lifts what shell suspended, and a
        factory reset does. Up to 8.1 ``pm disable-user``: strength C, Settings has a button "Enable". Both are read
        back from ``dumpsys package``; either of them found in force is enough.
rules   a user restriction takes a device owner: shell has not had the right since Android 7. What the owner of the
        profile enforces is read back key by key (:mod:`provision.android.ruled`). Without one the few rules with a
        setting that shell may write (restrictions.yaml, ``shell``) are written there, strength C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from profiles.restrictions import Restriction, table
from profiles.schema import Owner, Profile, Rule
from provision.android import ruled
from provision.android.actions import Run
from provision.android.command import Command, command, script
from provision.android.reading import number, plain, text
from provision.android.refusals import NO, unreadable
from provision.android.table import get, put, value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Strength, Unit
from provision.setting import Answer

_SUSPEND_API = 28
_DISABLED = (2, 3)
_STATE = re.compile(r"^[ \t]*User 0:.{0,400}?\binstalled=(true|false)\b(.{0,600})$", re.MULTILINE)
_RATINGS = Cannot("Android has no age limits beyond those of a Google account", "Deny install_apps instead.")
_NO_OWNER = Cannot("needs a device owner, and the profile names none", 'Say "owner:" in the profile, or do without it.')
_NO_KIOSK = Cannot("neither agent can do it on Android", "Remove or block the apps that are not wanted.")


@dataclass(frozen=True)
class Blocked:
    """How a package stands for the phone's user. ``enabled`` is Android's number; 2 and 3 are switched off."""

    installed: bool
    suspended: bool = False
    enabled: int = 0


@dataclass(frozen=True)
class Found:
    """``installed``: those to remove that are there, ``None`` if unread. What is not in ``blocked`` is unread."""

    installed: frozenset[str] | None = None
    blocked: Mapping[str, Blocked] = field(default_factory=dict)
    values: Mapping[str, str | None] = field(default_factory=dict)


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """What is to be removed in one list, each package to block, and each rule that is a setting."""
    asked: dict[str, Command] = {}
    if names := _packages(profile, "remove"):
        pattern = f"^package:({'|'.join(map(re.escape, names))})$"
        # The count tells a phone without these packages from one that does not answer.
        counted = 'all=$(pm list packages --user 0 2>&1); echo "$all" | grep -c ^package:; echo "$all" | grep -E "$1"'
        asked["installed"] = script(counted, pattern)
    for name in _packages(profile, "block"):
        asked[f"block {name}"] = script('dumpsys package "$1" | grep -E "User 0:|Unable to find"', name)
    for name, row in _rows(profile).items():
        if row.shell:
            asked[f"rule {name}"] = get(row.shell.namespace, row.shell.key)
    return asked


def parse(answers: Mapping[str, Answer], profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    listed = text(answers, "installed")
    count = number(next(iter(listed.splitlines()), ""))
    blocked = {name: _blocked(text(answers, f"block {name}")) for name in _packages(profile, "block")}
    return Found(
        installed=frozenset(re.findall(r"^package:([\w.]{1,223})$", listed, re.MULTILINE)) if count else None,
        blocked={name: state for name, state in blocked.items() if state is not None},
        values={name: value(answers, f"rule {name}") for name, row in _rows(profile).items() if row.shell},
    )


def _blocked(said: str) -> Blocked | None:
    if found := _STATE.search(said):
        enabled = re.search(r"\benabled=(\d{1,3})\b", found[2])
        return Blocked(found[1] == "true", "suspended=true" in found[2], int(enabled[1]) if enabled else 0)
    return Blocked(installed=False) if "Unable to find" in said else None


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``remove.<package>``, ``block.<package>``, ``allow_only``, ``ratings`` and ``<rule>``."""
    for name in _packages(profile, "remove"):
        source = profile.where("restrictions", "remove", name)
        yield Item("restrictions", f"remove.{name}", f"{name} removed", _remove(name, found), source, Strength.C)
    for name in _packages(profile, "block"):
        state, strength = _block(name, found, facts.identity)
        source = profile.where("restrictions", "block", name)
        yield Item("restrictions", f"block.{name}", f"{name} blocked", state, source, strength)
    if profile.restrictions.allow_only:
        source = profile.where("restrictions", "allow_only")
        yield Item("restrictions", "allow_only", "no apps but those that are listed", _NO_KIOSK, source)
    if profile.restrictions.ratings:
        source = profile.where("restrictions", "ratings")
        yield Item("restrictions", "ratings", "age limits of the stores", _RATINGS, source)
    rows = _rows(profile)
    for name, rule in profile.restrictions.rules.items():
        state, strength = _rule(rows[name], rule, profile, found, facts, unit)
        meaning = rows[name].meaning[:1].lower() + rows[name].meaning[1:]
        want = f"{'may not' if rule.deny else 'may'}: {meaning}"
        yield Item("restrictions", name, want, state, profile.where("restrictions", name), strength, rule.required)


def _remove(name: str, found: Found) -> Met | Step | Cannot:
    if found.installed is None:
        return unreadable("which apps it has")
    if name not in found.installed:
        return Met("not on this phone")
    uninstall = command("pm", "uninstall", "--user", 0, name)
    return Step("it is installed", (Run(uninstall, refused=NO, expect="Success"),))


def _block(name: str, found: Found, identity: Identity) -> tuple[Met | Step | Cannot, Strength | None]:
    state = found.blocked.get(name)
    if state is None:
        return unreadable(f"how {name} stands"), None
    if not state.installed:
        return Met("not on this phone"), None
    if state.suspended:
        return Met("it is suspended already"), Strength.B
    if state.enabled in _DISABLED:
        return Met("it is switched off already"), Strength.C
    if identity.api >= _SUSPEND_API:
        suspend = command("pm", "suspend", "--user", 0, name)
        done = f"Package {name} new suspended state: true"
        return Step("it can be opened", (Run(suspend, (*NO, "new suspended state: false"), done),)), Strength.B
    disable = command("pm", "disable-user", "--user", 0, name)
    return Step("it can be opened", (Run(disable, NO, "new state: disabled-user"),)), Strength.C


def _rule(
    row: Restriction, rule: Rule, profile: Profile, found: Found, facts: Facts, unit: Unit
) -> tuple[Met | Step | Cannot, Strength | None]:
    if profile.owner and _by_owner(row, rule, profile.owner, facts.identity):
        state = ruled.state(row, rule, profile, facts, unit)
        return state, ruled.strength(profile.owner) if rule.deny and not isinstance(state, Cannot) else None
    if row.shell:
        want = row.shell.deny if rule.deny else row.shell.allow
        now = found.values.get(row.name)
        if now is None:
            return unreadable(f"its {row.shell.key}"), None
        if now == want:
            return Met("it is so already"), Strength.C
        was = f"{row.shell.key} is {plain(now) or 'not set'}"
        return Step(was, (put(row.shell.namespace, row.shell.key, want),)), Strength.C
    if row.owner is None:
        return Cannot(row.limits or "Android has no such rule"), None
    if rule.deny:
        known = facts.identity.api >= row.owner.api
        return _NO_OWNER if known else Cannot(f"Android {facts.identity.version} does not know this rule"), None
    if facts.enforced.keys is not None and row.owner.key not in facts.enforced.keys:
        return Met("nothing forbids it"), None
    locks = facts.locks
    if locks.owner or not locks.owner_known:
        who = f"{locks.owner} manages the phone" if locks.owner else "it is not known whether the phone has an owner"
        return Cannot(f"{who}, so it may be forbidden", "Have the owner removed, then run again."), None
    return Met("nothing forbids it: the phone has no owner"), None


def _by_owner(row: Restriction, rule: Rule, owner: Owner, who: Identity) -> bool:
    """Whether the owner has to do with it: what shell may set is shell's to allow, and on phones that take no owner."""
    if row.owner is None or who.api < row.owner.api:
        return False
    return row.shell is None or (rule.deny and who.api >= ruled.FIRST_API[owner.package])


def _packages(profile: Profile, which: str) -> tuple[str, ...]:
    refs = profile.restrictions.remove if which == "remove" else profile.restrictions.block
    return tuple(dict.fromkeys(ref.android for ref in refs if ref.android))


def _rows(profile: Profile) -> Mapping[str, Restriction]:
    """The rows of the rules in the profile; loading has refused unknown names."""
    return {name: table()[name] for name in profile.restrictions.rules}
