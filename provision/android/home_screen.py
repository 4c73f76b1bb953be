"""Where icons stand: nothing that a computer can arrange on Android.

Each launcher keeps its layout in a database of its own, which shell may not read or write (facts §0.1: no root).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles.schema import Profile
from provision.android.command import Command
from provision.model import Cannot, Facts, Identity, Item, Unit
from provision.setting import Answer


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Command]:
    return {}


def parse(_answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> None:
    return None


def plan(profile: Profile, _found: None, _facts: Facts, _unit: Unit) -> Iterator[Item]:
    """Item ``layout``, where the profile has one."""
    if wanted := profile.home_screen:
        yield Item(
            "home_screen",
            "layout",
            "icons where the profile has them",
            Cannot("Android's launchers let no computer arrange their icons", "Arrange them by hand."),
            profile.where("home_screen"),
            required=wanted.required,
        )
