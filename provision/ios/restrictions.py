"""Apps that are removed or blocked, the only apps, age limits and rules (facts, iOS §1, §2).

All are parts of the configuration, which bars an app by its bundle identifier: removed and blocked ones are barred
alike, on supervised devices. An app that somebody installed is also uninstalled, over USB and on any device; those of
the system cannot be. Without a bar somebody can install it again: strength C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from profiles.schema import Profile
from provision.ios import wanted
from provision.ios.actions import RemoveApp
from provision.ios.questions import Apps, Question
from provision.ios.reading import value
from provision.model import Cannot, Facts, Identity, Item, Met, Step, Strength, Unit
from provision.setting import Answer

Kinds = Mapping[str, str]
"""Of the installed apps, by bundle identifier: User or System."""


def probes(profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """The apps, where the profile wants some removed."""
    return {"apps": Apps()} if any(ref.ios for ref in profile.restrictions.remove) else {}


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Kinds | None:
    """See :data:`Kinds`; ``None`` where the device does not tell."""
    said = value(answers.get("apps"))
    if not isinstance(said, dict):
        return None
    return {name: str(app.get("ApplicationType", "")) for name, app in said.items() if isinstance(app, dict)}


def plan(profile: Profile, found: Kinds | None, facts: Facts, unit: Unit) -> Iterator[Item]:
    """Items ``<rule>``, ``remove.<bundle>``, ``block.<bundle>``, ``allow_only`` and ``ratings``."""
    for item in wanted.items("restrictions", profile, facts, unit):
        section, _, name = item.key.partition(".")
        yield _removal(item, name, found) if section == "remove" else item


def _removal(item: Item, bundle: str, found: Kinds | None) -> Item:
    """What the configuration does about it, and the uninstalling on top."""
    barred = not isinstance(item.state, Cannot)
    if found is None:
        return replace(item, state=Cannot("the device does not tell which apps it has", "Unlock it and run again."))
    if bundle not in found:
        state = item.state if barred else Met("not on this device")
    elif found[bundle] == "User":
        state = Step("it is installed", (RemoveApp(bundle),))
    else:
        state = item.state
    return replace(item, state=state, strength=item.strength if barred else _loose(state))


def _loose(state: Met | Step | Cannot) -> Strength | None:
    return None if isinstance(state, Cannot) else Strength.C
