"""Wi-Fi networks, the filtering DNS server and the web filter: parts of the configuration (facts, iOS §2).

Which networks a device knows otherwise is not told over USB, and passwords never are.
"""

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
    """Items ``wifi.<ssid>``, ``filter_dns`` and ``web_filter``."""
    yield from wanted.items("network", profile, facts, unit)
