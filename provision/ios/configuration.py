"""The one configuration profile of the device: installed, replaced by a new version, removed when nothing is left.

Where our keybag supervises the device it goes in without a word; elsewhere it is only queued, and a person installs it
in Settings within eight minutes, the next one queued taking its place (facts, iOS §1). "Acknowledged" is not installed:
the device has to list it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from profiles.versions import at_least
from provision.ios.actions import InstallProfile, RemoveProfile
from provision.ios.mobileconfig import IDENTIFIER, Mobileconfig
from provision.ios.questions import Question
from provision.ios.wanted import PROBES, UNREAD, Installed, installed, situation, wanted
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer

SECONDS = 480
"""After this the device throws a queued profile away (facts, iOS §1)."""

_INSTALL = "Install, then its passcode if it has one, then Install until it is done."
_HANDS = f"On the device: Settings › Profile Downloaded › {_INSTALL}"
_HANDS_AT_ONCE = f"On the device: {_INSTALL}"
"""Before iOS 12.2 the question came up by itself [I]."""


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Whatever the profile, the same is asked: an old configuration may be there."""
    return PROBES


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Installed | None:
    """The profiles that the device lists; ``None`` where it does not tell."""
    return installed(answers)


def plan(profile: Profile, found: Installed | None, facts: Facts, unit: Unit) -> Iterator[Item]:
    """The one item ``profile``."""
    configuration = wanted(profile, situation(facts), unit).configuration
    want = (
        "the configuration of this profile"
        if configuration
        else "no configuration: nothing of this profile goes into one here"
    )
    yield Item("configuration", "profile", want, _state(configuration, found, facts), profile.where("profile"))


def _state(configuration: Mobileconfig | None, found: Installed | None, facts: Facts) -> Met | Step | Cannot:
    if found is None:
        return UNREAD
    now = found.get(IDENTIFIER)
    if configuration is None:
        return Step("an old one is installed", (RemoveProfile(IDENTIFIER),)) if now else Met("none is installed")
    if now == configuration.uuid:
        return Met("the device lists it, with this very content")
    why = "an older one is installed" if now else "it is not installed"
    silent = facts.found["supervision"].ours
    install = InstallProfile(IDENTIFIER, configuration.uuid, configuration.data, silent, SECONDS)
    if silent:
        return Step(why, (install,))
    hands = _HANDS if at_least(facts.identity.version, "12.2") else _HANDS_AT_ONCE
    return Step(why, (install,), hands=hands, seconds=SECONDS)
