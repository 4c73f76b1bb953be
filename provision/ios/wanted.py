"""The one configuration that a device is to have, and the items that come with it (facts, iOS §0.4, §1, §2).

Every wanted value is an item of the setting that it belongs to, but only the setting ``configuration`` installs
anything: one profile, of a stable identifier, so that a new version takes the place of the old one. Whether a device
has a value is read from the UUID that it lists for that profile: the UUID is made of all content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from profiles.schema import Profile
from profiles.secrets import Secret
from provision.ios.mobileconfig import IDENTIFIER, Mobileconfig, Payload, Reveal, build
from provision.ios.part import Part, Situation
from provision.ios.parts import parts
from provision.ios.payloads import check
from provision.ios.questions import Profiles, Question
from provision.ios.reading import value
from provision.model import Cannot, Facts, Item, Met, Step, Unit
from provision.setting import Answer

PROBES: Mapping[str, Question] = {"profiles": Profiles()}
"""What the setting ``configuration`` asks; :func:`installed` reads the answer."""

Installed = Mapping[str, str]
"""The profiles that a device lists: identifier and PayloadUUID."""

UNREAD = Cannot("the device does not tell which configurations it has", "Unlock it and run again.", in_the_way=True)


@dataclass(frozen=True)
class Wanted:
    """``configuration`` is ``None`` where this device can take nothing of the profile."""

    parts: tuple[Part, ...]
    configuration: Mobileconfig | None


def installed(answers: Mapping[str, Answer]) -> Installed | None:
    """What the device lists (``GetProfileList``, facts, iOS §4); ``None`` where it does not tell."""
    said = value(answers.get("profiles"))
    if not isinstance(said, dict):
        return None
    listed = said.get("ProfileMetadata", {})
    about = listed.items() if isinstance(listed, dict) else ()
    return {name: str(row.get("PayloadUUID", "")) for name, row in about if isinstance(row, dict)}


def situation(facts: Facts) -> Situation:
    """What decides which parts this device takes; what is not known to be supervised is not.

    It is ours for as long as our certificate is in it: that the keybag ends one day wants no weaker configuration.
    """
    holder = facts.found["supervision"]
    return Situation(facts.identity.version, holder.supervised is True, holder.known, facts.cellular)


def wanted(profile: Profile, now: Situation, unit: Unit, reveal: Reveal = Secret.reveal) -> Wanted:
    """All parts, and the configuration of those that this device takes."""
    found = parts(profile, now)
    payloads = _payloads(found)
    if not payloads:
        return Wanted(found, None)
    return Wanted(found, build(payloads, _top(profile, now), unit.seal, reveal))


def items(setting: str, profile: Profile, facts: Facts, unit: Unit) -> Iterator[Item]:
    """The items of one setting that come with the configuration. Needs what ``supervision`` and ``configuration``
    found in ``facts``."""
    want = wanted(profile, situation(facts), unit)
    there: Installed | None = facts.found["configuration"]
    for part in want.parts:
        if part.setting == setting:
            yield Item(
                setting=setting,
                key=part.key,
                want=part.want,
                state=_state(part, want.configuration, there),
                source=part.source,
                strength=part.strength,
                required=part.required,
            )


def _state(part: Part, configuration: Mobileconfig | None, there: Installed | None) -> Met | Step | Cannot:
    if part.cannot:
        return part.cannot
    if there is None:
        return UNREAD
    now = there.get(IDENTIFIER)
    if now == (configuration.uuid if configuration else None) or (now is None and not part.content):
        return Met(part.shown if part.content else "nothing of ours forbids it")
    old = "an older one is installed" if now else "none is installed"
    return Step(f"it comes with the configuration; {old}", ())


def _payloads(found: tuple[Part, ...]) -> list[Payload]:
    """Parts of one place in one payload; lists of one key are put together."""
    merged: dict[str, Payload] = {}
    for part in found:
        if part.content:
            before = merged.get(part.place)
            content = _merged(before.content, part.content) if before else part.content
            merged[part.place] = Payload(part.place, part.title, content)
    return list(merged.values())


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], list):
            both[key] = [*one[key], *(item for item in other[key] if item not in one[key])]
    return both


def _top(profile: Profile, now: Situation) -> Mapping[str, Any]:
    """The keys of the profile itself, as far as the device knows them."""
    top: dict[str, Any] = {
        "PayloadDisplayName": "Schoolbag",
        "PayloadDescription": f"What this device is set up for ({profile.profile}).",
        "PayloadOrganization": "Schoolbag",
        "TargetDeviceType": 1,
    }
    if now.ours:
        top["PayloadRemovalDisallowed"] = True
    known = {"PayloadType": "Configuration", "PayloadContent": ()}
    return {key: said for key, said in top.items() if not check({**known, key: said}, now.version, now.supervised)}
