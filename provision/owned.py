"""What is known of a phone that has an owner of ours: what it enforces, and how it stands with our servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Enforced:
    """What the system keeps the phone's user from at this moment, by Android's own names, whoever had it set; sorted.

    ``None`` is unknown.
    """

    keys: tuple[str, ...] | None = None


class Heard(StrEnum):
    """How far an agent has come: nothing was heard of it; it signs with another secret than its profile names; it was
    answered what the phone should be; it fetches the files of that; it has told how the phone is after all of it."""

    NOTHING = "nothing"
    MISSIGNED = "missigned"
    ANSWERED = "answered"
    FETCHING = "fetching"
    TOLD = "told"


class Number(StrEnum):
    """How the number stands that a unit was given for its agent: it never had one; those it had have ended; it lives,
    and nobody has come with it yet; the agent has come with it, and keeps it for ever."""

    NONE = "none"
    ENDED = "ended"
    GIVEN = "given"
    HEARD = "heard"


@dataclass(frozen=True)
class BenchServer:
    """The bench's own server for agents, on this computer.

    ``port``: where it listens on 127.0.0.1. ``number`` makes a new enrolment of the unit, records it and then says its
    number; what was enrolled before is dead from then on. ``renew`` records that the living one is set up with the
    profile of this run. ``wait(since, seconds)`` waits (s at most) until the phone, under its present number, has told
    how it is after it was answered with that profile, and fetches nothing any more, all after ``since``
    (``time.monotonic()``); how far it has come.
    """

    port: int
    number: Callable[[], str] = field(repr=False)
    renew: Callable[[], None] = field(repr=False)
    wait: Callable[[float, float], Heard] = field(repr=False)


@dataclass(frozen=True)
class Agent:
    """How a unit stands with the servers that its owner asks.

    ``package``: the owner that we set on this unit, or are to set. ``enrolled``: it is our own doing that this package
    owns the phone. ``number``: how its number stands. ``synced``: under it, it has asked the bench's server what
    to be, and has told how it is since; ``home``: the server at home has seen that number. ``fetched``: the digest of
    the profile with which it was answered last, or "".
    ``server``: None where nothing is to be enrolled (a plan, a look, an agent that asks no server). ``look`` makes this
    value anew.
    """

    package: str
    enrolled: bool = False
    number: Number = Number.NONE
    synced: bool = False
    home: bool = False
    fetched: str = ""
    server: BenchServer | None = None
    look: Callable[[], Agent] | None = field(default=None, repr=False, compare=False)

    def now(self) -> Agent:
        """As it stands now."""
        return self.look() if self.look else self
