"""What a push by way of agents would do: how many units in each wave, what changes, how much they fetch, and by which
way. Nobody is asked: it goes by what each agent fetched last, or told to wait for Wi-Fi with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from fleet.bulk import streamed
from fleet.home import Home
from fleet.models import agent_contacts, agents
from fleet.remote.agents import pushing, quota, stands
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen
from fleet.remote.agents.configurations import Document, NoDocument, of_release, stored
from fleet.remote.errors import PushError
from fleet.remote.releases.difference import Changes
from fleet.remote.releases.manifest import Manifest
from fleet.remote.releases.records import every
from fleet.remote.releases.store import Store
from fleet.remote.waves.rules import Rules, ends
from profiles.schema import Profile
from provision.android.agent_document import document


@dataclass
class Planned:
    """One wave. ``settings``: of how many units each section of the profile changes. ``bytes`` are fetched by all of
    them together, ``most`` by one at most. Of how many ``known`` the quota of a day is known, and how many of these
    would fetch more than a quarter of it (``above``). ``waits``: at how many units each app or file is too heavy for
    the SIM; all else that these are to fetch waits for Wi-Fi with it."""

    wave: int
    units: int = 0
    settings: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    most: int = 0
    known: int = 0
    above: int = 0
    waits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """``without_agent``: units that left their bench without an agent that lives, and are not reached. ``left_out``:
    packages of the profiles that an agent cannot install."""

    waves: tuple[Planned, ...]
    without_agent: int
    left_out: tuple[str, ...]


def check(conn: Connection, home: Home, mine: Chosen) -> Mapping[str, str]:
    """The time zone of each profile that names one. PushError for a profile by which phones would lose their agent."""
    found = {name: _profile(home, mine.digests[name]) for name in _names(conn, mine)}
    for name, profile in found.items():
        if profile.owner is None or profile.owner.agent != "headwind":
            raise PushError(
                f"The profile {name} has no agent that asks a server: phones at home could not be given it.",
                "Say so in it (owner: {agent: headwind, …}), build a release, or leave it out: --profile NAME.",
            )
    zones = {name: profile.identity.time_zone for name, profile in found.items() if profile.identity}
    return {name: zone for name, zone in zones.items() if zone}


def plan(conn: Connection, home: Home, manifest: Manifest, rules: Rules, mine: Chosen) -> Plan:
    """What the release would do. Raises PushError, ReleaseError, ProfileError."""
    numbers = ends(rules.waves, pushing.number_of(conn, mine))
    thresholds = pushing.thresholds(conn, mine, numbers, datetime.now(UTC))
    look = _Look(conn, Changes(Store(home), manifest), home, mine.profile)
    found = {wave: Planned(wave) for wave, _ in enumerate(numbers, 1)}
    for row in streamed(conn, _kinds(mine, thresholds)):
        look.add(found[row.wave], row)
    left_out = {one for name in _names(conn, mine) for one in look.document(mine.digests[name])["left_out"]}
    return Plan(tuple(found.values()), pushing.without_agent(conn, mine), tuple(sorted(left_out)))


def _names(conn: Connection, mine: Chosen) -> list[str]:
    """The profiles that would be given."""
    if mine.profile:
        return [mine.profile]
    return sorted(conn.scalars(select(agents.c.profile).where(mine.now()).distinct()))


def _kinds(mine: Chosen, thresholds: tuple[str, ...]) -> Any:
    """Units by wave, what they have and should have, and their quota: a row for all that are alike.

    ``carries``: what the apps and files of their phones are of; who waits for Wi-Fi still has those of the bench.
    """
    steps = [(agents.c.number <= last, wave) for wave, last in enumerate(thresholds, 1)]
    has = func.coalesce(agent_contacts.c.fetched, agents.c.digest)
    carries = case((stands.ONLY_WAITS, agents.c.digest), else_=has)
    columns = {"wave": case(*steps, else_=len(steps)), "name": agents.c.profile, "has": has, "digest": mine.digest()}
    labelled = [column.label(name) for name, column in {**columns, "carries": carries}.items()]
    each = select(*labelled, *quota.columns()).select_from(WITH_CONTACTS).where(mine.now()).subquery()
    return select(*each.c, func.count().label("units")).group_by(*each.c)


class _Look:
    """What changes from one profile to another; every pair is looked into once."""

    def __init__(self, conn: Connection, changes: Changes, home: Home, profile: str) -> None:
        """``profile``: the one that is for all, "" none."""
        self._conn, self._changes, self._home, self._profile = conn, changes, home, profile
        self._releases = {digest: one.number for one in every(conn) for digest in one.profiles.values()}
        self._documents: dict[str, Document] = {}
        self._new: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, wave: Planned, row: Row[Any]) -> None:
        """Units that are alike."""
        wave.units += row.units
        new = self._contents(row.carries, row.digest)
        total, daily = sum(new.values()), quota.of(row)
        wave.bytes += total * row.units
        wave.most = max(wave.most, total)
        if daily is not None:
            wave.known += row.units
            wave.above += row.units if quota.waits_for_wifi(total, daily) else 0
        for name, size in new.items():
            if quota.waits_for_wifi(size, daily):
                wave.waits[name] = wave.waits.get(name, 0) + row.units
        for setting in self._settings(row):
            wave.settings[setting] = wave.settings.get(setting, 0) + row.units

    def document(self, digest: str) -> Document:
        """What agents are told of a profile; made of the release where no server has made it yet."""
        if digest not in self._documents:
            found = stored(self._conn, [digest])
            self._documents[digest] = found.get(digest) or document(_profile(self._home, digest))
        return self._documents[digest]

    def _settings(self, row: Row[Any]) -> frozenset[str]:
        if row.has == row.digest:
            return frozenset()
        if self._profile not in ("", row.name):
            return frozenset({"all"})
        return self._changes.settings(self._releases.get(row.has), row.name)

    def _contents(self, has: str, digest: str) -> dict[str, int]:
        """Bytes of what is to be fetched, by package or path."""
        if (has, digest) not in self._new:
            try:
                before = self._sizes(has)
            except PushError:  # what it has is of no release that is here: all of it counts
                before = {}
            self._new[has, digest] = {
                name: size for name, (sha256, size) in self._sizes(digest).items() if (sha256, size) != before.get(name)
            }
        return self._new[has, digest]

    def _sizes(self, digest: str) -> dict[str, tuple[str, int]]:
        found = self.document(digest)
        apps = {one["pkg"]: (one["sha256"], one["size"]) for one in found["apps"]}
        return apps | {one["path"]: (one["sha256"], one["size"]) for one in found["files"]}


def _profile(home: Home, digest: str) -> Profile:
    try:
        return of_release(home, digest)
    except NoDocument as error:
        raise PushError(error.what, error.next_action) from error
