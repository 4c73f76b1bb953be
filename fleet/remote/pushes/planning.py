"""What a push would do: which sites, how many units, setting by setting; how many bytes, how long. Nothing is asked of
any site: it goes by what each reported last, so the bytes are at most that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, select

from fleet.account.filters.sql import Asked
from fleet.models import contacts, runs, sites, units
from fleet.remote.errors import PushError
from fleet.remote.releases.difference import Changes
from fleet.remote.releases.manifest import Manifest
from fleet.remote.releases.store import Store
from fleet.remote.sites.records import Site


@dataclass
class Planned:
    """One site. ``bytes`` that it has not, ``seconds`` at its last rate (None: never measured). ``units`` were last
    served there; ``settings``: of how many of them each setting changes, ``other`` how many have a profile that is not
    in the release."""

    site: str
    wave: int
    reported: int | None
    bytes: int
    seconds: int | None
    units: int = 0
    other: int = 0
    settings: dict[str, int] = field(default_factory=dict)


def with_units(conn: Connection, within: Asked) -> set[str]:
    """The sites where a unit of ``within`` was served last."""
    query = select(sites.c.site).join(runs, sites.c.bench == runs.c.bench).where(_are(within)).distinct()
    return set(conn.scalars(query))


def _are(within: Asked) -> ColumnElement[bool]:
    frame = within.frame(units)
    return runs.c.unit.in_(select(units.c.key).select_from(frame.source).where(frame.where))


def plan(
    conn: Connection,
    store: Store,
    manifest: Manifest,
    chosen: Iterable[Site],
    waves: Mapping[str, int],
    within: Asked | None = None,
) -> list[Planned]:
    """What the release would change, by wave and site: of all units, or those ``within``.

    Raises ReleaseError and ProfileError.
    """
    rates = {row.site: row.rate for row in conn.execute(select(contacts.c.site, contacts.c.rate))}
    changed = Changes(store, manifest)
    found = {}
    for site in chosen:
        left = changed.bytes(site.reported)
        rate = rates.get(site.name)
        seconds = None if left and not rate else left // rate if rate else 0
        found[site.name] = Planned(site.name, waves[site.name], site.reported, left, seconds)
    releases = {site.name: site.reported for site in chosen}
    query = (
        select(sites.c.site, units.c.last_profile, func.count().label("number"))
        .select_from(runs.join(sites, sites.c.bench == runs.c.bench).join(units, units.c.key == runs.c.unit))
        .group_by(sites.c.site, units.c.last_profile)
    )
    if within is not None:
        query = query.where(_are(within))
    for row in conn.execute(query):
        if (planned := found.get(row.site)) is None:
            continue
        planned.units += row.number
        if row.last_profile not in manifest.profiles:
            planned.other += row.number
            continue
        for setting in changed.settings(releases[row.site], row.last_profile):
            planned.settings[setting] = planned.settings.get(setting, 0) + row.number
    return sorted(found.values(), key=lambda one: (one.wave, one.site))


def check_profile(manifest: Manifest, profile: str) -> None:
    """PushError when devices cannot be brought to the release as it is said."""
    names = ", ".join(sorted(manifest.profiles))
    if profile and profile not in manifest.profiles:
        raise PushError(f"Release {manifest.number} has no profile {profile}.", f"It has: {names}.")
    if not profile and len(manifest.profiles) > 1:
        raise PushError(
            f"Release {manifest.number} has several profiles: {names}.",
            "Say which attached devices are brought to: --profile NAME; or send it alone: --no-bring.",
        )
