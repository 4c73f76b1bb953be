"""Second verb: what of the profile holds, what is to be done, what cannot be had. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiles.schema import Profile
from provision.model import Facts, Item, Step, Unit
from provision.setting import Setting


def plan(settings: Mapping[str, Setting[Any]], profile: Profile, facts: Facts, unit: Unit) -> tuple[Item, ...]:
    """All items of ``profile`` for the device behind ``facts``, in the order of applying."""
    return tuple(
        item for name, setting in settings.items() for item in setting.plan(profile, facts.found[name], facts, unit)
    )


def steps(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The items with work to do, without those that are done after the last read-back; who waits for a person last.

    One without actions of its own comes with another, and is not among them.
    """
    todo = (i for i in items if isinstance(i.state, Step) and i.state.actions and not i.state.parting)
    return tuple(sorted(todo, key=_waits))


def _waits(item: Item) -> bool:
    return isinstance(item.state, Step) and bool(item.state.hands)


def parting(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The items that are done after the last read-back."""
    return tuple(item for item in items if isinstance(item.state, Step) and item.state.parting)
