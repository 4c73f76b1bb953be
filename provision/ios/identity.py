"""Who the device is to its user: name, language, region, time zone, and where its clock comes from (facts, iOS §1).

All but the clock are values of lockdownd, set and read back with the same key. That the clock follows the network is a
restriction of supervised devices (``forceAutomaticDateAndTime``), and so a part of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from profiles.schema import Identity as Wanted
from profiles.schema import Profile
from profiles.setup_panes import panes
from provision.ios import wanted as configured
from provision.ios.actions import SetValue
from provision.ios.questions import CloudConfiguration, Question, Value
from provision.ios.reading import mapping, value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Unit
from provision.setting import Answer
from provision.text import counted, printable

_INTERNATIONAL = "com.apple.international"
_KEYS: Mapping[str, Value] = {
    "name": Value(key="DeviceName"),
    "language": Value(_INTERNATIONAL, "Language"),
    "locale": Value(_INTERNATIONAL, "Locale"),
    "time_zone": Value(key="TimeZone"),
}
_WORDS = {"name": "name", "language": "language", "locale": "region", "time_zone": "time zone"}


@dataclass(frozen=True)
class Found:
    """What each asked key is now (``None``: the device does not tell), and the panes that its first setup skips."""

    values: Mapping[str, str | None]
    skipped: frozenset[str] = frozenset()


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Only what the profile names is asked."""
    wanted = profile.identity or Wanted()
    setup = {"setup": CloudConfiguration()} if wanted.skip_setup is not None else {}
    return {key: question for key, question in _KEYS.items() if getattr(wanted, key) is not None} | setup


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Found:
    """See :class:`Found`."""
    said = {key: value(answers[key]) for key in _KEYS if key in answers}
    panes = mapping(answers.get("setup")).get("SkipSetup")
    return Found(
        {key: now if isinstance(now, str) else None for key, now in said.items()},
        frozenset(pane for pane in (panes if isinstance(panes, list) else ()) if isinstance(pane, str)),
    )


def plan(profile: Profile, found: Found, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``name``, ``language``, ``locale``, ``time_zone``, ``automatic_time``, ``skip_setup``: those that the
    profile names."""
    wanted = profile.identity or Wanted()
    for key, now in found.values.items():
        want = getattr(wanted, key)
        if key == "name" and "{tag}" in want:
            want = want.replace("{tag}", unit.tag) if unit.tag else None
        text = f"the {_WORDS[key]} {want or wanted.name}"
        state = _value(key, want, now) if want else _NO_TAG
        yield Item("identity", key, text, state, profile.where("identity", key))
    if wanted.automatic_time is not None:
        yield from configured.items("identity", profile, facts, unit)
    if wanted.skip_setup is not None:
        state = _setup(frozenset(panes(wanted.skip_setup, facts.identity.version)), found.skipped, facts)
        panes_wanted = "all panes" if wanted.skip_setup == "all" else counted(len(wanted.skip_setup), "pane")
        source = profile.where("identity", "skip_setup")
        yield Item("identity", "skip_setup", f"{panes_wanted} of the first setup skipped", state, source)


def _setup(wanted: frozenset[str], skipped: frozenset[str], facts: Facts) -> Met | Cannot:
    """Written with the supervision, and moot where the first setup is over."""
    if wanted <= skipped:
        return Met("its cloud configuration skips them")
    if facts.found["supervision"].set_up:
        return Met("its first setup is over")
    return Cannot(
        "only a device that we supervise skips them, and it is written when the supervision is",
        "Where it may be erased: fleet intake, then fleet provision --erase.",
    )


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
