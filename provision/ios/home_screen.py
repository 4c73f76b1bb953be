"""Where icons stand: a part of the configuration, which supervised devices take (facts, iOS §2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from provision.ios import wanted
from provision.ios.questions import Question
from provision.model import Facts, Identity, Item, Unit
from provision.setting import Answer


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Nothing: what is installed is read by the setting ``configuration``."""
    return {}


def parse(_answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> None:
    """Nothing of its own."""


def plan(profile: Profile, _found: None, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Item ``layout``, where the profile has one."""
    yield from wanted.items("home_screen", profile, facts, unit)
