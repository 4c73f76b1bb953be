"""The values that a run passes on, all frozen: who the device is, what was found, what is wanted, what came of it.

They move one way: Identity, Facts -> Item -> Outcome -> Report.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from provision.owned import Agent, Enforced


@dataclass(frozen=True)
class Identity:
    """What the device says of itself. ``version`` is the marketing one ("13"), ``api`` the number behind it (33)."""

    platform: str
    serial: str
    maker: str
    model: str
    version: str
    api: int
    build: str = ""
    skin: str = ""
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Health:
    """``None`` is unknown, never a default. Percentages 0–100, storage in bytes, temperature in °C."""

    battery_level: int | None = None
    battery_worn: int | None = None
    battery_cycles: int | None = None
    battery_temperature: float | None = None
    battery_faked: bool = False
    storage_total: int | None = None
    storage_free: int | None = None
    patch: str | None = None
    encrypted: bool | None = None


@dataclass(frozen=True)
class Locks:
    """Who else holds the device. Accounts as counts by type, never by name. ``None`` is unknown.

    ``find_my`` and ``activation`` (in the device's own word, such as Activated) are of iPhones and iPads only;
    ``activation_lock`` is what Apple's server says of one that is not activated, where an intake asked it.
    """

    accounts: Mapping[str, int] | None = None
    users: int | None = None
    owner: str | None = None
    owner_known: bool = True
    bootloader_locked: bool | None = None
    verified_boot: str | None = None
    at_frp: bool | None = None
    find_my: bool | None = None
    activation: str | None = None
    activation_lock: bool | None = None

    @property
    def owner_package(self) -> str:
        """The package that owns an Android device; "" for none, for the owner of a mere profile, an organisation."""
        package, found, name = (self.owner or "").partition("/")
        return package if found and not name.endswith(" (profile)") else ""


@dataclass(frozen=True)
class SimCard:
    """One slot. ``state`` in adb's own words (READY, LOADED, ABSENT, …); identifiers only where the device tells."""

    slot: int
    state: str
    operator: str = ""
    operator_name: str = ""
    iccid: str = ""


@dataclass(frozen=True)
class Cellular:
    """The radio side: slots in order, and the IMEI where this device tells it to us ("" where not)."""

    cards: tuple[SimCard, ...] = ()
    imei: str = ""


Words = Mapping[str, str]
"""A short text for people, by language (en, zh, vi)."""

Taps = Mapping[str, tuple[str, ...]]
"""What to tap on the device, in order, by language."""


class SwitchState(StrEnum):
    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Quirk:
    """A switch of a maker's system that decides what the bench may do.

    ``key`` is stable, ``switch`` its name on the screen, ``wanted`` how it has to stand ("" where nothing can be
    switched), ``failures`` the words of the refusals that come otherwise.
    """

    name: str
    key: str
    switch: Words
    state: SwitchState
    wanted: str
    taps: Taps = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def stands_right(self) -> bool | None:
        """``None`` when the device does not tell."""
        if not self.wanted:
            return True
        return None if self.state is SwitchState.UNKNOWN else self.state == self.wanted


@dataclass(frozen=True)
class Makers:
    """What the maker made of the system: its peculiarities, and the taps for what people have to do, by task."""

    systems: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    ways: Mapping[str, Taps] = field(default_factory=dict)

    def taps(self, task: str) -> tuple[str, ...]:
        """What to tap for a task on this very device, in English; none where nobody has said it."""
        return self.ways.get(task, {}).get("en", ())


@dataclass(frozen=True)
class Setup:
    """How somebody left the device. ``None`` is unknown.

    ``packages`` are the names of all that is installed, ``own_apps`` how many of them are not of the system.
    ``starts`` counts the starts since the data was last erased; ``installation`` is a number that the device makes
    anew when it is erased ("" unknown).
    """

    screen_locked: bool | None = None
    packages: frozenset[str] | None = field(default=None, repr=False)
    own_apps: int | None = None
    starts: int | None = None
    installation: str = field(default="", repr=False)


@dataclass(frozen=True)
class Facts:
    """What the readers found. ``found`` holds each setting's own facts; ``evidence`` the raw answers, scrubbed."""

    identity: Identity
    health: Health = Health()
    locks: Locks = Locks()
    cellular: Cellular = Cellular()
    makers: Makers = Makers()
    setup: Setup = Setup()
    enforced: Enforced = field(default_factory=Enforced)
    found: Mapping[str, Any] = field(default_factory=dict, repr=False)
    evidence: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    @property
    def quirks(self) -> tuple[Quirk, ...]:
        return self.makers.quirks


@dataclass(frozen=True)
class Unit:
    """What the caller knows of the device as an asset.

    ``sealed`` are the keyed hashes of the wanted values of the last run whose outcome could not be read back, by
    item id; ``seal_key`` is the registry's key for them. ``erase``: the technician said that it may be erased, and an
    intake in this same attachment accepted it; ``again``: also where it is under our supervision already, with all that
    its user has put on it. ``erased``: this very run has erased it. ``agent``: where the profile names an owner.
    """

    tag: str | None = None
    ignored: bool = False
    erase: bool = False
    again: bool = False
    erased: bool = False
    agent: Agent | None = None
    sealed: Mapping[str, str] = field(default_factory=dict, repr=False)
    seal_key: bytes = field(default=b"", repr=False)

    def seal(self, value: str) -> str:
        """The keyed hash (HMAC-SHA-256, hex) under which a value that cannot be read back is remembered."""
        return hmac.new(self.seal_key, value.encode(), hashlib.sha256).hexdigest()

    def now(self) -> Unit:
        """With its agent looked at anew."""
        return replace(self, agent=self.agent.now()) if self.agent else self

    def owns(self, locks: Locks) -> bool:
        """Whether the device has an owner, and it is one that we set ourselves."""
        agent = self.agent
        return agent is not None and agent.enrolled and agent.package == locks.owner_package


class Strength(StrEnum):
    """How long a restriction holds: A survives a factory reset, B is lost on one, C the user can undo."""

    A = "A"
    B = "B"
    C = "C"


class Effect(StrEnum):
    """What a step does to the device as a whole. After all but the first it is looked at anew, and planned anew.

    ANEW: nothing is lost, but it is another device to a plan from then on (activated, supervised).
    """

    NONE = "none"
    RESTART = "restart"
    ERASE = "erase"
    ANEW = "anew"


class Action(Protocol):
    """One thing done to a device. ``masked`` is its printable form, without secrets; ``size`` the bytes it sends.

    ``leaves`` names what it switches on for as long as the work lasts ("" for most).
    """

    @property
    def masked(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def leaves(self) -> str: ...


@dataclass(frozen=True)
class Met:
    """Nothing to do, and ``why``. With ``sealed`` it is only known from our last run, not read from the device."""

    why: str
    sealed: str = ""


@dataclass(frozen=True)
class Step:
    """Work to do; without ``actions`` it is done by another item's.

    ``sealed`` marks what cannot be read back; ``parting`` what is done after the last read-back.

    ``overlaps``: it needs nothing of the items beside it, so that it may be under way together with one of them.
    ``hands``: what a person has to do on the device meanwhile, within ``seconds``; such steps come last, so that
    nothing else waits for a person.
    """

    why: str
    actions: tuple[Action, ...]
    effect: Effect = Effect.NONE
    sealed: str = ""
    parting: bool = False
    overlaps: bool = False
    hands: str = ""
    seconds: float = 0


@dataclass(frozen=True)
class Cannot:
    """It cannot be had on this device, and why; ``next_action`` is what a person can do about it, if anything.

    ``in_the_way``: what stands in the way is on this very device and can be taken away, so it has failed until then.
    ``holds``: it has failed, and nothing else is done to the device until then either.
    """

    why: str
    next_action: str = ""
    in_the_way: bool = False
    holds: bool = False


@dataclass(frozen=True)
class Item:
    """One wanted value. ``key`` is unique in its setting and stable between runs; ``want`` is for people.

    ``leaves`` names what stays switched on for as long as this item's step is not done.
    """

    setting: str
    key: str
    want: str
    state: Met | Step | Cannot
    source: str = ""
    strength: Strength | None = None
    required: bool = False
    leaves: str = ""

    @property
    def id(self) -> str:
        return f"{self.setting}.{self.key}"


class Result(StrEnum):
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True)
class Outcome:
    """What came of an item. ``changed``: an action of it was carried out in this run."""

    item: Item
    result: Result
    why: str
    next_action: str = ""
    changed: bool = False


NOT_BEGUN = "not begun: what has to come first failed"
"""Why an item was left alone; told once for all of them."""


class Verdict(StrEnum):
    """``planned`` is the verdict of a run that was asked to change nothing."""

    VERIFIED = "verified"
    PARTIAL = "partial"
    FAILED = "failed"
    PLANNED = "planned"


@dataclass(frozen=True)
class Stop:
    """Why the gate let nothing be written: ``kind`` is one of account, find_my, owner, users, ignored, or
    intake (of a plan only)."""

    kind: str
    what: str
    next_action: str


@dataclass(frozen=True)
class Report:
    """All that a run has to tell. ``identity`` is None where nobody could be asked.

    ``steps`` counts the items that were applied; times are UTC, ISO 8601. ``lost``: the device went away meanwhile.
    ``held``: it stands well, and waits for what ``error`` says.
    """

    address: str
    port: str
    identity: Identity | None
    tag: str | None
    profile: str
    profile_digest: str
    facts: Facts | None
    plan: tuple[Item, ...]
    outcomes: tuple[Outcome, ...]
    verdict: Verdict
    steps: int
    started: str
    ended: str
    error: str = ""
    next_action: str = ""
    stops: tuple[Stop, ...] = ()
    allowed: str = ""
    left_on: tuple[str, ...] = ()
    lost: bool = False
    held: bool = False
