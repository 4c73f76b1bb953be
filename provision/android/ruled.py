"""Which rules of a profile are enforced by the phone's owner, and how they stand (facts, Android §3.7, §5.4)."""

from __future__ import annotations

from collections.abc import Iterator

from profiles.restrictions import Restriction, table
from profiles.schema import Owner, Profile, Rule
from provision.agents import headwind, testdpc
from provision.agents.configuration import DEBUGGING
from provision.android.actions import Run
from provision.android.command import command
from provision.android.refusals import NO
from provision.model import Cannot, Facts, Identity, Met, Step, Strength, Unit

FIRST_API = {headwind.PACKAGE: headwind.FIRST_API, testdpc.PACKAGE: testdpc.FIRST_API}
PUSH = "Make a release and run fleet push RELEASE --via agent."
"""What brings a new profile to a phone whose agent asks its server at home."""

ALLOW_FIRST = "Run with a profile that allows it first (at home: fleet push RELEASE --via agent), then with this one."
"""How what a rule keeps is changed: the run that lifts the rule makes the change, too."""

_SYSTEMS = {"no_add_managed_profile", "no_add_clone_profile"}
"""What Android itself forbids on a phone with an owner (facts, Android §3.1)."""

_ITS_OWN = {headwind.PACKAGE: {"no_safe_boot"}}
"""What an agent forbids at each start, whatever it is told [I]."""

_AT_HOME = Cannot(
    "it would end the bench's way to the phone: its server at home sets it once it has seen the phone there",
    "Nothing is to be done where this profile is in a release at home; else build one: fleet release build.",
)
_NO_OTHER_WAY = Cannot("it would end the only way to the phone", "Take headwind for the owner, which has another way.")


def strength(owner: Owner) -> Strength:
    """B: lost on a factory reset. TestDPC shows a screen on which the user can undo everything."""
    return Strength.B if owner.agent == "headwind" else Strength.C


def owned(profile: Profile, facts: Facts) -> bool:
    """Whether the agent of the profile owns the phone."""
    return profile.owner is not None and facts.locks.owner_package == profile.owner.package


def differing(profile: Profile, facts: Facts) -> list[str]:
    """The keys that should be enforced on this phone and are not, or should not and are. Nothing where unread."""
    if facts.enforced.keys is None:
        return []
    return [key for key, deny in _wanted(profile, facts.identity) if deny != (key in facts.enforced.keys)]


def _wanted(profile: Profile, who: Identity) -> Iterator[tuple[str, bool]]:
    """Key by key what a bench has an owner enforce or lift."""
    kept = _SYSTEMS | _ITS_OWN.get(profile.owner.package if profile.owner else "", set())
    for name, rule in profile.restrictions.rules.items():
        owner = table()[name].owner
        if owner and owner.key != DEBUGGING and owner.api <= who.api and (rule.deny or owner.key not in kept):
            yield owner.key, rule.deny


def guarded(
    state: Met | Step | Cannot, key: str, profile: Profile, facts: Facts
) -> tuple[Met | Step | Cannot, Strength]:
    """A setting of the phone that the rule ``key`` guards: under the rule Android silently ignores a change of it, and
    nobody can undo what stands there. Without the rule the user can."""
    if key not in (facts.enforced.keys or ()):
        return state, Strength.C
    if isinstance(state, Step):
        state = Cannot(f"{state.why}, and the phone's owner keeps it so ({key})", ALLOW_FIRST, in_the_way=True)
    return state, strength(profile.owner) if profile.owner and owned(profile, facts) else Strength.C


def state(row: Restriction, rule: Rule, profile: Profile, facts: Facts, unit: Unit) -> Met | Step | Cannot:
    """How a rule stands that only an owner can enforce, in a profile that names one."""
    assert row.owner is not None
    assert profile.owner is not None
    key, agent = row.owner.key, profile.owner
    first, kept = FIRST_API[agent.package], _SYSTEMS | _ITS_OWN.get(agent.package, set())
    if facts.identity.api < first:
        return Cannot(f"needs a device owner, and {agent.agent} takes Android 8", "Do without it on phones like this.")
    if rule.deny and key == DEBUGGING and key not in (facts.enforced.keys or ()):
        return _AT_HOME if agent.agent == "headwind" else _NO_OTHER_WAY
    if not owned(profile, facts):
        return _not_owned(key, rule, facts)
    if facts.enforced.keys is None:
        return Cannot("the phone does not tell what its owner enforces", "Look on the phone itself.")
    if rule.deny == (key in facts.enforced.keys):
        return Met(f"{key} is in force" if rule.deny else "nothing forbids it")
    if not rule.deny and key in kept:
        return Cannot("it is forbidden on every phone with this owner", "Take the rule out of the profile.")
    return _to_do(f"{key} is not in force" if rule.deny else f"{key} is in force", key, rule, agent, unit)


def _not_owned(key: str, rule: Rule, facts: Facts) -> Met | Step | Cannot:
    """Nothing of the owner is there yet: it comes with the items of the setting ``owner``."""
    if rule.deny:
        return Step("the phone does not have the owner yet that enforces it", ())
    if facts.enforced.keys is not None and key not in facts.enforced.keys:
        return Met("nothing forbids it")
    return Cannot("something on the phone forbids it", "Have its present owner removed, then run again.")


def _to_do(why: str, key: str, rule: Rule, agent: Owner, unit: Unit) -> Step | Cannot:
    """TestDPC is told here; headwind asks its server, all at once: the bench's, which is the item ``owner.sync``."""
    if agent.agent == "headwind":
        at_home = unit.agent is not None and unit.agent.home
        return Cannot(f"{why}: it asks its server at home by now", PUSH, in_the_way=True) if at_home else Step(why, ())
    say = command("dumpsys", *testdpc.setting(key, on=rule.deny))
    refused = (*NO, "Error setting", "No services match")
    return Step(why, (Run(say, refused=refused, expect=testdpc.done(key, on=rule.deny)),))
