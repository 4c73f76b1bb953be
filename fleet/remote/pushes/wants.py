"""Which release each unit should have, and what was read back of it; what is left to do is the difference.

A unit belongs to the site at which it was looked at last, wherever it was before: its last run says so, and what was
read back of it then. What it should have is laid out when a push begins, and again for a site when what it recorded has
come. No record of what happened (that is the ledger), so it may be lost: the next push lays it out anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, literal, select

from fleet.account.filters.sql import Asked
from fleet.home import Home
from fleet.models import push_sites, runs, sites, units, wants
from fleet.remote.releases.manifest import Manifest
from fleet.remote.waves import meant
from fleet.remote.waves.rules import Rules

_FAILED = "failed"


class Stand(StrEnum):
    """Of one unit. ``MET`` was read back as it should be, ``FAILED`` at the last run, ``LEFT`` has not been brought."""

    MET = "met"
    FAILED = "failed"
    LEFT = "left"


@dataclass(frozen=True)
class Wanted:
    """What the units of a push should have: the digests of the profiles by name, ``profile`` where one of them is meant
    for all, and which units are meant, all where ``within`` is None."""

    push: str
    release: int
    digests: Mapping[str, str]
    profile: str
    at: str
    within: Asked | None = None


def wanted_by(
    conn: Connection, home: Home, push: str, release: int, at: str, rules: Rules, manifest: Manifest
) -> Wanted:
    """What the units of a push should have. FilterError for what cannot be asked of units any more."""
    return Wanted(push, release, manifest.profiles, rules.profile, at, meant.within(conn, home, rules.where))


@dataclass(frozen=True)
class UnitStand:
    """One unit: what it should have, and what was read back of it at ``looked_at``."""

    site: str
    unit: str
    tag: str | None
    serial: str
    release: int
    profile: str
    stand: Stand
    has_profile: str
    verdict: str
    looked_at: str
    error: str
    next_action: str


def lay_out(conn: Connection, wanted: Wanted, site: str | None = None) -> int:
    """The units of the sites of a push, or of this one, should have its release from now on; how many of them were last
    looked at elsewhere before."""
    moved = 0
    if site is not None:
        came = select(func.count()).select_from(_SERVED.join(wants, wants.c.unit == runs.c.unit))
        moved = conn.scalar(came.where(sites.c.site == site, wants.c.site != site)) or 0
    for name, digest in wanted.digests.items():
        meant = _meant(wanted, name, site)
        if meant is None:
            continue
        conn.execute(delete(wants).where(wants.c.unit.in_(meant.with_only_columns(runs.c.unit))))
        told = (literal(wanted.push), literal(wanted.release), literal(name), literal(digest), literal(wanted.at))
        rows = meant.with_only_columns(runs.c.unit, sites.c.site, *told)
        conn.execute(insert(wants).from_select(("unit", "site", "push", "release", "profile", "digest", "at"), rows))
    return moved


_SERVED = runs.join(sites, sites.c.bench == runs.c.bench)


def _meant(wanted: Wanted, name: str, site: str | None) -> Select[Any] | None:
    """The units that should have the profile ``name``; ``None`` when none should."""
    for_all = wanted.profile or (name if len(wanted.digests) == 1 else "")
    if for_all not in ("", name):
        return None
    mine = (push_sites.c.push == wanted.push) & (push_sites.c.site == sites.c.site)
    query = select(runs.c.unit).select_from(_SERVED.join(push_sites, mine)).where(sites.c.removed_at.is_(None))
    if site is not None:
        query = query.where(sites.c.site == site)
    if not for_all:
        query = query.where(runs.c.profile == name)
    if wanted.within is not None:
        frame = wanted.within.frame(units)
        query = query.where(runs.c.unit.in_(select(units.c.key).select_from(frame.source).where(frame.where)))
    return query


def serials(conn: Connection, push: str, site: str) -> list[str]:
    """The devices that a push means at a site."""
    query = select(units.c.serial).join(wants, wants.c.unit == units.c.key)
    return list(conn.scalars(query.where(wants.c.push == push, wants.c.site == site).order_by(units.c.serial)))


def left(conn: Connection, push: str, site: str) -> int:
    """How many units of a site are not as a push wants them."""
    return conn.scalar(_of(func.count()).where(wants.c.push == push, wants.c.site == site, ~_MET)) or 0


def counts(conn: Connection, *, push: str) -> dict[str, dict[Stand, int]]:
    """By site, how many units stand how."""
    query = _of(wants.c.site, _MET.label("met"), _BAD.label("bad"), func.count().label("number"))
    query = query.where(wants.c.push == push).group_by(wants.c.site, _MET, _BAD)
    found: dict[str, dict[Stand, int]] = {}
    for row in conn.execute(query):
        stand = _stand(row.met, row.bad)
        told = found.setdefault(row.site, dict.fromkeys(Stand, 0))
        told[stand] += row.number
    return found


def every(conn: Connection, *, push: str, only_left: bool, most: int | None) -> Iterator[UnitStand]:
    """Unit by unit, of a push; with ``only_left`` those that are not as they should be."""
    columns = (units.c.tag, units.c.serial, runs.c.profile.label("has_profile"), runs.c.verdict)
    more = (runs.c.ended, runs.c.error, runs.c.next_action, _MET.label("met"), _BAD.label("bad"))
    query = _of(wants, *columns, *more).where(wants.c.push == push)
    if only_left:
        query = query.where(~_MET)
    for row in conn.execute(query.order_by(wants.c.site, units.c.tag, units.c.serial).limit(most)):
        yield UnitStand(
            site=row.site,
            unit=row.unit,
            tag=row.tag,
            serial=row.serial,
            release=row.release,
            profile=row.profile,
            stand=_stand(row.met, row.bad),
            has_profile=row.has_profile,
            verdict=row.verdict,
            looked_at=row.ended,
            error=row.error,
            next_action=row.next_action,
        )


_SAME = and_(runs.c.digest == wants.c.digest, runs.c.profile == wants.c.profile)
_MET: ColumnElement[bool] = and_(_SAME, runs.c.verdict != _FAILED)
_BAD: ColumnElement[bool] = and_(_SAME, runs.c.verdict == _FAILED)


def _of(*columns: Any) -> Select[Any]:
    source = wants.join(units, units.c.key == wants.c.unit).join(runs, runs.c.unit == wants.c.unit)
    return select(*columns).select_from(source)


def _stand(met: bool, bad: bool) -> Stand:
    if met:
        return Stand.MET
    return Stand.FAILED if bad else Stand.LEFT
