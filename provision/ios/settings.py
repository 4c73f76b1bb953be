"""What is read from an iPhone or iPad and what is set on it, in the order of applying.

Whose it is comes first, since an erased device is another one; what a person has to install by hand comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from profiles.schema import Profile
from provision.ios import (
    apps,
    bench,
    cellular,
    configuration,
    content,
    erased,
    health,
    home_screen,
    identity,
    makers,
    network,
    restrictions,
    screen_lock,
    setup,
    sim,
)
from provision.ios.cloud import ACTIVATED
from provision.ios.keybag import Keybag
from provision.ios.locks import LocksReader
from provision.ios.questions import Question
from provision.ios.supervision import Supervision, SupervisionSetting
from provision.model import Facts, Identity, Item, Setup, Unit
from provision.setting import Answer, Reader, Setting


def readers(keybag: Keybag | None) -> Mapping[str, Reader[Question]]:
    """``keybag``: the one that this bench supervises with, ``None`` where it has none."""
    return {
        "health": health,
        "locks": LocksReader(keybag),
        "cellular": cellular,
        "makers": makers,
        "setup": setup,
    }


_BEHIND: Mapping[str, Setting[Question]] = MappingProxyType(
    {
        "identity": identity,
        "apps": apps,
        "content": content,
        "network": network,
        "sim": sim,
        "restrictions": restrictions,
        "home_screen": home_screen,
        "screen_lock": screen_lock,
        "configuration": configuration,
        "bench": bench,
    }
)
"""In the order of applying, after the supervision."""


@dataclass(frozen=True)
class Behind:
    """A setting that comes after the supervision: what that has yet to erase is planned as what it will be then."""

    name: str
    setting: Setting[Question]
    supervision: SupervisionSetting

    def probes(self, profile: Profile, identity: Identity, deep: bool) -> Mapping[str, Question]:
        """Those of the setting."""
        return self.setting.probes(profile, identity, deep)

    def parse(self, answers: Mapping[str, Answer], profile: Profile, identity: Identity) -> Any:
        """As the setting does."""
        return self.setting.parse(answers, profile, identity)

    def plan(self, profile: Profile, found: Any, facts: Facts, unit: Unit) -> Iterable[Item]:
        """As the setting does, over what is found now or will be."""
        if self.supervision.to_come(profile, facts, unit):
            facts = _supervised(profile, facts)
            found = facts.found[self.name]
        return self.setting.plan(profile, found, facts, unit)


def _supervised(profile: Profile, facts: Facts) -> Facts:
    """Of the same device when it has just been erased and is supervised by us; how much is free then is not known."""
    who = facts.identity
    found = erased.found(_BEHIND, profile, who, erased.supervised(profile, who))
    ours = Supervision(supervised=True, ours=True, known=True, set_up=False, configured=True, activation=ACTIVATED)
    return replace(
        facts,
        health=replace(facts.health, storage_free=None),
        setup=Setup(screen_locked=False, packages=frozenset()),
        found={**found, "supervision": ours},
    )


def settings(keybag: Keybag | None) -> Mapping[str, Setting[Question]]:
    """See :func:`readers`."""
    supervision = SupervisionSetting(keybag)
    behind = {name: Behind(name, setting, supervision) for name, setting in _BEHIND.items()}
    return {"supervision": supervision, **behind}
