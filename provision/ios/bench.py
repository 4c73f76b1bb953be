"""How the device leaves the bench: nothing is switched on it for the work, so there is nothing to put back.

What comes nearest to USB debugging is the Developer Mode of iOS 16 and later (``DeveloperModeStatus``, facts, iOS §1).
Only a person can switch it, on the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from provision.ios.questions import Question, Value
from provision.ios.reading import switch
from provision.model import Cannot, Facts, Identity, Item, Met, Unit
from provision.setting import Answer

_SINCE = 16


def probes(profile: Profile, identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Asked only where it has to be off and there can be one."""
    if profile.bench.debugging == "keep" or identity.api < _SINCE:
        return {}
    return {"developer": Value("com.apple.security.mac.amfi", "DeveloperModeStatus")}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> bool | None:
    """Whether Developer Mode is on; ``None`` where it was not asked or not told."""
    return switch(answers.get("developer"))


def plan(profile: Profile, found: bool | None, facts: Facts, _unit: Unit) -> Iterator[Item]:
    """The one item ``debugging``."""
    off = profile.bench.debugging == "off"
    state = _off(found, facts.identity.api) if off else Met("iOS has no USB debugging, and nothing was switched on")
    yield Item("bench", "debugging", "off" if off else "kept as it is", state, profile.where("bench", "debugging"))


def _off(on: bool | None, version: int) -> Met | Cannot:
    if version < _SINCE:
        return Met("this iOS has no debugging over USB to switch off")
    if on is None:
        return Cannot("the device does not tell whether its Developer Mode is on", "Look on the device itself.")
    if not on:
        return Met("its Developer Mode is off")
    return Cannot(
        "its Developer Mode is on, and only a person can switch it off",
        "On the device: Settings › Privacy & Security › Developer Mode: off, then run again.",
        in_the_way=True,
    )
