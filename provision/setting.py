"""What a reader and a setting are: plain modules that satisfy these protocols, listed in one dict per platform.

A question ``Q`` is what the platform's device can be asked (a shell command on Android). All questions of all
readers go to the device together, so every parser is a pure function of the answers, and every plan a pure function
of profile and facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from profiles.schema import Profile
from provision.model import Facts, Identity, Item, Unit

Q_co = TypeVar("Q_co", covariant=True)


@dataclass(frozen=True)
class Answer:
    """What the device said to one question: output and errors together, and the exit status where there is one."""

    text: str
    code: int | None = 0


class Reader(Protocol[Q_co]):
    """Asks a device and parses the answer. ``deep`` asks for full hashes where size and time would do."""

    def probes(self, profile: Profile, identity: Identity, deep: bool, /) -> Mapping[str, Q_co]: ...

    def parse(self, answers: Mapping[str, Answer], profile: Profile, identity: Identity, /) -> Any: ...


class Setting(Reader[Q_co], Protocol[Q_co]):
    """A reader that also plans. ``found`` is what its own ``parse`` returned; it imports no other setting."""

    def plan(self, profile: Profile, found: Any, facts: Facts, unit: Unit, /) -> Iterable[Item]: ...
