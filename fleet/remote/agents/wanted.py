"""What each device at home should have: the newest push that means it, else what a bench set it up with.

No row is written for a unit when a push begins: a wave is all enrolments whose number is not above its threshold, and
numbers are hashes, so that any part of them is as good as another. What a bench set up later than a push stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, Connection, select

from fleet.account.filters.parse import FilterError
from fleet.account.filters.sql import Asked
from fleet.home import Home
from fleet.models import agent_contacts, agents, units
from fleet.remote.waves import kept, meant
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import Rules, stamp

_MOST = 200
"""Filters that are asked of a unit at each contact: each is a column, and databases have bounds on these."""


@dataclass(frozen=True)
class Wanted:
    """Which profile a device should have. ``release`` and ``push`` are None where it is what a bench set it up with."""

    digest: str
    profile: str
    release: int | None = None
    push: str | None = None


@dataclass(frozen=True)
class Going:
    """A push as enrolments are asked of it: ``digests`` by name of the profile, and which units are meant, all where
    ``within`` is None. ``closed``: it is given to nobody who did not fetch it already. ``later``: who was set up with
    one of these digests was so after it began."""

    push: Push
    digests: Mapping[str, str]
    within: Asked | None
    closed: bool
    later: frozenset[str] = frozenset()

    @property
    def column(self) -> str:
        """What tells of a unit whether the filter means it; "" where that need not be asked."""
        return f"wanted_in_{self.push.number}" if self.within is not None and not self.closed else ""

    def profile_for(self, profile: str) -> tuple[str, str]:
        """Name and digest for a device that was set up with ``profile``; the digest is "" where it is not meant."""
        name = self.push.rules.profile or profile
        return name, self.digests.get(name, "")


@dataclass(frozen=True)
class Standing:
    """The pushes by way of agents of which it may depend what a device should have, newest first. A server keeps it
    for two seconds at most."""

    pushes: tuple[Going, ...]


def read(conn: Connection, home: Home) -> Standing:
    """How the pushes stand now. One whose filter cannot be asked any more is closed, as is one that a newer one covers,
    and what is older than the newest 200 with filters: who fetched these keeps them."""
    made = meant.made(conn)
    found: list[Going] = []
    covered, filtered = set[str](), list[Going]()
    for push in kept.every(conn, Via.AGENT):
        digests = {name: digest for name, digest in made[push.release].profiles.items() if name not in covered}
        if not digests:
            continue
        going = _going(conn, home, push, digests, filtered)
        if not going.closed:
            going = replace(going, later=meant.made_after(made.values(), push.at))
        found.append(going)
        if going.column:
            filtered.append(going)
        if push.state is State.DONE and not push.rules.where and not push.rules.hours:
            if push.rules.profile:
                break
            covered |= digests.keys()
    return Standing(tuple(found))


def _covers(newer: Going, push: Push, digests: Mapping[str, str]) -> bool:
    """Whether the newer one, which is asked of each unit, is given to all whom this one means."""
    rules = newer.push.rules
    same = (rules.where, rules.profile) == (push.rules.where, push.rules.profile)
    whole = newer.push.state is State.DONE and not rules.hours
    return whole and same and digests.keys() <= newer.digests.keys()


def columns(standing: Standing) -> list[ColumnElement[Any]]:
    """What :func:`of` needs of an enrolment: columns of a select from agents, outer joined with agent_contacts by the
    number. Their labels begin with ``wanted_``."""
    told: list[ColumnElement[Any]] = [
        agents.c.number.label("wanted_number"),
        agents.c.at.label("wanted_at"),
        agents.c.profile.label("wanted_profile"),
        agents.c.digest.label("wanted_digest"),
        agent_contacts.c.fetched.label("wanted_fetched"),
    ]
    return told + [fits(one.within, agents.c.unit).label(one.column) for one in standing.pushes if one.column]


def fits(within: Asked | None, unit: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the filter means this one ``unit``, a column of agents: its rows alone are looked at.

    Not by EXISTS: for that PostgreSQL may gather all units that fit, to look this one up among them.
    """
    assert within is not None
    frame = replace(within, few=True).frame(units)
    mine = select(frame.key).select_from(frame.source).where(frame.where, frame.key == unit).limit(1)
    return mine.correlate(agents).scalar_subquery().is_not(None)


def of(standing: Standing, row: Any, now: datetime) -> Wanted:
    """What the enrolment should have, of which ``row`` has the :func:`columns`. ``now`` is aware of its zone.

    Who fetched a push keeps it, whatever became of the push, until a newer one means it.
    """
    for one in standing.pushes:
        if row.wanted_at > one.push.at:
            continue
        name, digest = one.profile_for(row.wanted_profile)
        if digest and (digest == row.wanted_fetched or _given(one, row, name, now)):
            return Wanted(digest, name, one.push.release, one.push.name)
    return Wanted(row.wanted_digest, row.wanted_profile)


def _given(one: Going, row: Any, name: str, now: datetime) -> bool:
    rules = one.push.rules
    if one.closed or row.wanted_digest in one.later or (one.push.state is State.RUNNING and rules.expired(stamp(now))):
        return False
    if one.column and not getattr(row, one.column):
        return False
    return rules.wave_of(row.wanted_number) <= one.push.wave and is_open(rules, name, now)


def is_open(rules: Rules, profile: str, now: datetime) -> bool:
    """Whether devices with this profile take something now: by the clock that the profile sets, else by this
    computer's."""
    return rules.open_at(now, _east(rules.zones.get(profile, ""), now)) if rules.hours else True


def _east(zone: str, now: datetime) -> int:
    """Minutes east of UTC."""
    found = _zone(zone) if zone else None
    offset = now.astimezone(found).utcoffset()
    return int(offset.total_seconds()) // 60 if offset is not None else 0


@lru_cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _going(conn: Connection, home: Home, push: Push, digests: Mapping[str, str], filtered: Sequence[Going]) -> Going:
    """``filtered``: the newer ones that are asked of each unit."""
    over = any(_covers(newer, push, digests) for newer in filtered) or (push.rules.where and len(filtered) >= _MOST)
    if over or push.state not in (State.RUNNING, State.DONE):
        return Going(push, digests, None, closed=True)
    try:
        return Going(push, digests, meant.within(conn, home, push.rules.where), closed=False)
    except FilterError:
        return Going(push, digests, None, closed=True)
