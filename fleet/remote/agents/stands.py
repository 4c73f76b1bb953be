"""How the units of a push by way of agents stand: it is wanted of them, they fetched it, they confirmed it.

An agent that told of nothing wrong may still be downloading: only what differs an hour later has failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TIMESTAMP, ColumnElement, Connection, Row, and_, case, cast, false, func, not_, or_, select

from fleet.account.filters.leaves import WAITS
from fleet.models import agent_contacts, agents, units
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen
from fleet.remote.agents.gate import Wave
from fleet.remote.waves.kept import Push
from fleet.remote.waves.rules import stamp

PATIENCE = timedelta(hours=24)
"""After so long without a contact a unit is silent, and holds up no wave."""

AT_WORK = timedelta(hours=1)
"""For so long after it fetched, an agent may tell of what is not there yet: it is being downloaded."""


@dataclass(frozen=True)
class UnitStand:
    """One unit of a push: ``stand`` is wanted, fetched, confirmed or failed. ``drift``: what differs, in words."""

    unit: str
    tag: str | None
    serial: str
    wave: int
    profile: str
    digest: str
    stand: str
    seen_at: str | None
    fetched_at: str | None
    confirmed_at: str | None
    drift: tuple[str, ...]


def waves_of(conn: Connection, push: Push, mine: Chosen, now: datetime, *, only_open: bool = False) -> Sequence[Wave]:
    """How the units of each wave stand. With ``only_open`` those of the others are not counted: they are 0."""
    number, last = agents.c.number, push.rules.thresholds
    where = mine.of(push)
    if only_open:
        where = and_(where, number <= last[push.wave - 1])
    columns: dict[str, ColumnElement[Any]] = {
        "wave": wave_of(push),
        "stand": stand(conn, mine),
        "since": _since(push),
        "silent": is_silent(mine, now),
    }
    inner = select(*(value.label(name) for name, value in columns.items())).select_from(WITH_CONTACTS)
    each = inner.where(where).subquery()
    query: Any = select(*each.c, func.count().label("units")).group_by(*each.c)
    found = {place: Wave(place) for place in range(1, len(last) + 1)}
    for row in conn.execute(query):
        found[row.wave] = _more(found[row.wave], row)
    return list(found.values())


def wave_of(push: Push) -> ColumnElement[int]:
    """In which wave an enrolment is."""
    steps = [(agents.c.number <= last, wave) for wave, last in enumerate(push.rules.thresholds, 1)]
    return case(*steps, else_=len(steps))


def stand(conn: Connection, mine: Chosen) -> ColumnElement[str]:
    """How an enrolment stands: wanted, fetched, confirmed or failed."""
    told, since = agent_contacts.c.told_at, agent_contacts.c.since
    late = _hours(conn, since, told) > AT_WORK.total_seconds() / 3600
    return case(
        (not_(mine.fetched()), "wanted"),
        (and_(agent_contacts.c.owner.is_(False), told > since), "failed"),
        (mine.confirmed(), "confirmed"),
        (and_(agent_contacts.c.drift != "[]", not_(ONLY_WAITS), late), "failed"),
        else_="fetched",
    )


_DRIFT = agent_contacts.c.drift
ONLY_WAITS = and_(
    or_(_DRIFT.startswith(f'["{WAITS}'), _DRIFT.contains(f'", "{WAITS}')),
    not_(or_(_DRIFT.startswith('["app '), _DRIFT.contains('", "app '))),
)
"""Whether all that differs waits for Wi-Fi: where something does, only an app that is newer does not say so. That
another phone has used the number is no difference of this kind."""


def is_silent(mine: Chosen, now: datetime) -> ColumnElement[bool]:
    """Whether it did not come for a day, only waits for Wi-Fi, or fetched it a day ago and told nothing."""
    at_it = and_(mine.fetched(), agent_contacts.c.since < stamp(now - PATIENCE))
    return or_(not_(seen_lately(now)), func.coalesce(or_(ONLY_WAITS, at_it), false()))


def seen_lately(now: datetime) -> ColumnElement[bool]:
    """Whether it came within a day."""
    return func.coalesce(agent_contacts.c.seen_at, "") >= stamp(now - PATIENCE)


def _since(push: Push) -> ColumnElement[bool]:
    return func.coalesce(agent_contacts.c.told_at, "") > push.clock


def _hours(conn: Connection, earlier: ColumnElement[Any], later: ColumnElement[Any]) -> ColumnElement[Any]:
    """Between two moments as records have them."""
    if conn.dialect.name == "sqlite":
        return (func.julianday(later) - func.julianday(earlier)) * 24
    moment = TIMESTAMP(timezone=True)
    return func.extract("epoch", cast(later, moment) - cast(earlier, moment)) / 3600


def _more(wave: Wave, row: Row[Any]) -> Wave:
    names = [row.stand]
    if row.stand == "failed" and row.since:
        names.append("failed_since")
    if row.stand in ("wanted", "fetched") and row.silent:
        names.append(f"silent_{row.stand}")
    return replace(wave, **{name: getattr(wave, name) + row.units for name in names})


def every(conn: Connection, push: Push, mine: Chosen, *, only_left: bool, most: int | None) -> Iterator[UnitStand]:
    """Unit by unit; with ``only_left`` those that have not confirmed it."""
    contact = (agent_contacts.c[name] for name in ("seen_at", "fetched_at", "confirmed_at", "drift"))
    stands = stand(conn, mine)
    told = (wave_of(push).label("wave"), stands.label("stand"), mine.digest().label("digest"))
    query: Any = select(agents.c.unit, units.c.tag, units.c.serial, agents.c.profile, *contact, *told)
    query = query.select_from(WITH_CONTACTS.join(units, units.c.key == agents.c.unit)).where(mine.of(push))
    if only_left:
        query = query.where(stands != "confirmed")
    for row in conn.execute(query.order_by("wave", units.c.tag, units.c.serial).limit(most)):
        has = row.stand != "wanted"
        yield UnitStand(
            unit=row.unit,
            tag=row.tag,
            serial=row.serial,
            wave=row.wave,
            profile=mine.profile or row.profile,
            digest=row.digest,
            stand=row.stand,
            seen_at=row.seen_at,
            fetched_at=row.fetched_at if has else None,
            confirmed_at=row.confirmed_at if row.stand == "confirmed" else None,
            drift=tuple(json.loads(row.drift or "[]")) if has else (),
        )
