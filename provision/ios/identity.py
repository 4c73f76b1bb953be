"""Who the device is to its user: name, language, region, time zone, and where its clock comes from (facts, iOS §1).

All but the clock are values of lockdownd, set and read back with the same key. That the clock follows the network is a
restriction of supervised devices (``forceAutomaticDateAndTime``), and so a part of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Identity as Wanted
from profiles.schema import Profile
from provision.ios import wanted as configured
from provision.ios.actions import SetValue
from provision.ios.questions import Question, Value
from provision.ios.reading import value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.text import printable

_INTERNATIONAL = "com.apple.international"
_KEYS: Mapping[str, Value] = {
    "name": Value(key="DeviceName"),
    "language": Value(_INTERNATIONAL, "Language"),
    "locale": Value(_INTERNATIONAL, "Locale"),
    "time_zone": Value(key="TimeZone"),
}
_WORDS = {"name": "name", "language": "language", "locale": "region", "time_zone": "time zone"}


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Only what the profile names is asked."""
    wanted = profile.identity or Wanted()
    return {key: question for key, question in _KEYS.items() if getattr(wanted, key) is not None}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Mapping[str, str | None]:
    """What each asked key is now; ``None`` where the device does not tell."""
    said = {key: value(answer) for key, answer in answers.items()}
    return {key: now if isinstance(now, str) else None for key, now in said.items()}


def plan(profile: Profile, found: Mapping[str, str | None], facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``name``, ``language``, ``locale``, ``time_zone``, ``automatic_time``: those that the profile names."""
    wanted = profile.identity or Wanted()
    for key in _KEYS:
        if key not in found:
            continue
        want = getattr(wanted, key)
        if key == "name" and "{tag}" in want:
            want = want.replace("{tag}", unit.tag) if unit.tag else None
        text = f"the {_WORDS[key]} {want or wanted.name}"
        state = _value(key, want, found[key]) if want else _NO_TAG
        yield Item("identity", key, text, state, profile.where("identity", key))
    if wanted.automatic_time is not None:
        yield from configured.items("identity", profile, facts, unit)


_NO_TAG = Cannot("no tag", "Give it one: fleet unit tag SERIAL TAG, or --tags PREFIX.")


def _value(key: str, want: str, now: str | None) -> Met | Step | Cannot:
    if now is None:
        return Cannot(f"the device does not tell its {_WORDS[key]}", "Look on the device itself.")
    if _same(key, want, now):
        return Met(f"its {_WORDS[key]} is {printable(now)} already")
    question = _KEYS[key]
    was = f"its {_WORDS[key]} is {printable(now)}" if now else f"it has no {_WORDS[key]}"
    return Step(was, (SetValue(question.domain, question.key, want.strip()),))


def _same(key: str, want: str, now: str) -> bool:
    """iOS may add the region to a language (vi-VN) and a calendar to a region (vi_VN@calendar=gregorian)."""
    if key == "language":
        return now == want or now.startswith(f"{want}-")
    if key == "locale":
        return now.partition("@")[0].replace("-", "_") == want.replace("-", "_")
    return now == want.strip()
