"""What is known of a phone that has an owner of ours: what it enforces, and how it stands with our servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Enforced:
    """What the system keeps the phone's user from at this moment, by Android's own names, whoever had it set; sorted.

    ``None`` is unknown.
    """

    keys: tuple[str, ...] | None = None


@dataclass(frozen=True)
class BenchServer:
    """The bench's own server for agents, on this computer.

    ``port``: where it listens on 127.0.0.1. ``number`` makes a new enrolment of the unit, records it and then says its
    number; what was enrolled before is dead from then on. ``wait(since, seconds)`` waits (s at most) until the phone,
    under its present number, has been answered what it should be and has told how it is, both after ``since``
    (``time.monotonic()``); whether it has.
    """

    port: int
    number: Callable[[], str] = field(repr=False)
    wait: Callable[[float, float], bool] = field(repr=False)


@dataclass(frozen=True)
class Agent:
    """How a unit stands with the servers that its owner asks.

    ``package``: the owner that we set on this unit, or are to set. ``enrolled``: it is our own doing that this package
    owns the phone. ``synced``: it has asked the bench's server what to be, under its present number; ``home``: the
    server at home has seen that number. ``fetched``: the digest of the profile with which it was answered last, or "".
    ``server``: None where nothing is to be enrolled (a plan, a look, an agent that asks no server). ``look`` makes this
    value anew.
    """

    package: str
    enrolled: bool = False
    synced: bool = False
    home: bool = False
    fetched: str = ""
    server: BenchServer | None = None
    look: Callable[[], Agent] | None = field(default=None, repr=False, compare=False)

    def now(self) -> Agent:
        """As it stands now."""
        return self.look() if self.look else self
