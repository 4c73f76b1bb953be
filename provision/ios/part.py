"""One wanted value of a profile, as the configuration of a device has it, and what decides whether it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provision.model import Cannot, Cellular, Strength


@dataclass(frozen=True)
class Situation:
    """What decides which parts a device takes. ``supervised``: by whomever; ``ours``: by the keybag of this bench, so
    that we can install a new configuration whatever the present one bars."""

    version: str
    supervised: bool
    ours: bool
    cellular: Cellular = field(default_factory=Cellular)


@dataclass(frozen=True)
class Part:
    """``content`` has a PayloadType and keys, and holds secrets unrevealed; empty, there is nothing to install.

    ``setting`` and ``key`` are those of the item that it comes to. ``shown`` is what the device's listing the
    configuration shows of it: that it was taken, never what it did.
    """

    setting: str
    key: str
    want: str
    source: str
    place: str = ""
    title: str = ""
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    cannot: Cannot | None = None
    strength: Strength | None = None
    required: bool = False
    shown: str = "the device lists the configuration with this in it; what it makes of it is not told"


def strength(now: Situation, at_best: str = "B") -> Strength:
    """``at_best`` where the user cannot take the configuration away, else C."""
    return Strength(at_best) if now.ours else Strength.C
