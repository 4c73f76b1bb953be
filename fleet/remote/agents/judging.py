"""Whether pushes by way of agents go on: by what the agents told, how many failed, and the time.

Any number of processes may ask at once: whatever follows is written where nobody has written it meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    cast,
    func,
    not_,
    select,
)

from fleet.account.filters.parse import FilterError
from fleet.db import snapshot, transaction
from fleet.models import agent_contacts, agents
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen, chosen
from fleet.remote.agents.gate import Wave, gate
from fleet.remote.agents.orders import settle
from fleet.remote.waves import kept
from fleet.remote.waves.kept import Push, State, Via
from fleet.remote.waves.rules import stamp
from fleet.units import Registry

PATIENCE = timedelta(hours=24)
"""After so long without a contact a unit is silent, and holds up no wave."""

AT_WORK = timedelta(hours=1)
"""For so long after it fetched, an agent may tell of what is not there yet: it is being downloaded."""

_OFTEN = 3.0
_SHARE = 20
"""Judging takes at most the 20th part of a processor."""


def judge(registry: Registry) -> float:
    """Open the next wave of pushes whose last one is well, end and pause others; in how many seconds to ask again.

    Orders that are done by having been told are done. Raises RegistryError.
    """
    begun = time.perf_counter()
    settle(registry)
    with snapshot(registry.engine) as conn:
        running = [one for one in kept.active(conn, Via.AGENT) if one.state is State.RUNNING]
    for push in running:
        state, wave, why = _verdict(registry, push, datetime.now(UTC))
        if (state, wave) != (push.state, push.wave):
            _settle(registry, push, state, wave, why)
    return max(_OFTEN, _SHARE * (time.perf_counter() - begun))


def _verdict(registry: Registry, push: Push, now: datetime) -> tuple[State, int, str]:
    if push.rules.expired(stamp(now)):
        return State.EXPIRED, push.wave, f"its time was up at {push.rules.until}"
    with snapshot(registry.engine) as conn:
        try:
            mine = chosen(conn, registry.home, push)
        except FilterError as error:
            return State.PAUSED, push.wave, f"its filter cannot be asked any more: {error.what}"
        waves = waves_of(conn, push, mine, now, only_open=True)
    found = gate(waves, push.wave, push.rules.stop_at, waited=push.changed <= stamp(now - PATIENCE))
    if found.stop:
        return State.PAUSED, push.wave, found.stop
    return State.DONE if found.over else State.RUNNING, found.wave, ""


def _settle(registry: Registry, push: Push, state: State, wave: int, why: str) -> None:
    """Write it, unless somebody changed the push since it was looked at."""
    with transaction(registry.engine) as conn:
        if kept.one_of(conn, push.name) == push:
            kept.change(conn, registry.ledger, push, state, why, wave=wave if wave != push.wave else 0)


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
        "silent": is_silent(now),
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
    told, since = agent_contacts.c.told_at, agent_contacts.c.fetched_at
    late = _hours(conn, since, told) > AT_WORK.total_seconds() / 3600
    return case(
        (not_(mine.fetched()), "wanted"),
        (and_(agent_contacts.c.owner.is_(False), told > since), "failed"),
        (mine.confirmed(), "confirmed"),
        (and_(agent_contacts.c.drift != "[]", late), "failed"),
        else_="fetched",
    )


def is_silent(now: datetime) -> ColumnElement[bool]:
    """Whether it did not come for a day."""
    return func.coalesce(agent_contacts.c.seen_at, "") < stamp(now - PATIENCE)


def _since(push: Push) -> ColumnElement[bool]:
    return func.coalesce(agent_contacts.c.told_at, "") > push.changed


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
