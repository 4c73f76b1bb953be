"""What a device at home is ordered to do: given by somebody, with a reason; taken back; done when its agent says so.

Nothing here is ordered by the program itself. What was ordered ends with the enrolment (fleet.projections_agents).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from fleet.account.programme.in_force import current
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.ledger import Ledger
from fleet.models import agent_contacts, agents, orders, sites
from fleet.remote.agents import records
from fleet.remote.errors import OrderError
from fleet.remote.releases import keys
from fleet.tags import Named
from fleet.units import Registry
from fleet.values import Json, storable

_LONGEST = 1000
"""Characters of a text that is shown on a phone."""


class Kind(StrEnum):
    """``UNLOCK`` and ``LOCATE_ON`` take back what their opposites order, and are done when the agent was told."""

    MESSAGE = "message"
    LOCK = "lock"
    UNLOCK = "unlock"
    LOCATE_OFF = "locate_off"
    LOCATE_ON = "locate_on"
    REBOOT = "reboot"
    WIPE = "wipe"

    @property
    def words(self) -> str:
        """As people say it."""
        return self.value.replace("_", " ")


_OPPOSITE: Mapping[Kind, Kind] = {
    Kind.UNLOCK: Kind.LOCK,
    Kind.LOCATE_ON: Kind.LOCATE_OFF,
    Kind.LOCK: Kind.UNLOCK,
    Kind.LOCATE_OFF: Kind.LOCATE_ON,
}
_ONCE_TOLD = (Kind.UNLOCK, Kind.LOCATE_ON)


@dataclass(frozen=True)
class Order:
    """``state``: asked, open, begun (of a wipe), done or withdrawn; ``by`` who changed it last, at ``changed``.
    ``told_at``: when its agent asked last what it should be; "" where it has not since the order, or since a wipe
    began."""

    id: str
    kind: Kind
    text: str
    why: str
    at: str
    actor: str
    state: str
    changed: str
    by: str
    told_at: str


def check_here(conn: Connection, home: Home) -> None:
    """OrderError at a site: its hub would not believe it, and its server at home would never hear of it."""
    hub = keys.trusted(home)
    if hub is not None and conn.execute(select(sites.c.site).limit(1)).first() is None:
        raise OrderError(
            f"This computer belongs to a site of {hub.hub or 'a hub'}: orders are given there.",
            "Ask the hub; its fleet serve is what the device asks.",
        )


def of_unit(conn: Connection, unit: str, *, left: bool = False) -> Iterator[Order]:
    """What a unit was ordered, newest first; with ``left`` what is asked, open or begun while its number lives."""
    source = orders.outerjoin(agent_contacts, agent_contacts.c.number == orders.c.number)
    query = select(orders, agent_contacts.c.fetched_at).select_from(source).where(orders.c.unit == unit)
    if left:
        living = (agents.c.unit == orders.c.unit) & (agents.c.number == orders.c.number) & agents.c.ended_at.is_(None)
        query = query.where(orders.c.state.in_(("asked", "open", "begun")), exists().where(living))
    yield from map(_order, conn.execute(query.order_by(orders.c.at.desc(), orders.c.order_id.desc())))


def give(conn: Connection, ledger: Ledger, unit: Named, kind: Kind, why: str, text: str = "") -> Order:
    """Order it. A wipe is only asked for where the programme wants a second person.

    OrderError for a unit whose agent does not live, without a reason, and for what is ordered already.
    """
    number = _check(conn, unit, why, text)
    left = [one for one in of_unit(conn, unit.key, left=True) if one.kind is not Kind.MESSAGE]
    if same := next((one for one in left if one.kind is kind and one.text == text), None):
        raise OrderError(
            f"{unit.shown} is ordered that already: {kind.words}, since {same.at[:10]}, by {same.actor}.",
            "fleet unit show says how it stands; fleet unit withdraw takes it back.",
        )
    gone = [one for one in left if one.kind in (kind, _OPPOSITE.get(kind))]
    if kind in _ONCE_TOLD and not any(one.kind is _OPPOSITE[kind] for one in gone):
        raise OrderError(f"{unit.shown} is not ordered to {_OPPOSITE[kind].words}.", "fleet unit show says what it is.")
    state = "asked" if kind is Kind.WIPE and current(conn).second_person_wipes else "open"
    said: dict[str, Json] = {"kind": kind.value, "text": storable(text), "why": storable(why), "state": state}
    given = ledger.append(conn, "unit.ordered", unit.key, {"v": 1, "number": number, **said})
    for one in gone:
        _change(conn, ledger, unit.key, one, "done" if one.kind is not kind else "withdrawn", why)
    return next(one for one in of_unit(conn, unit.key) if one.id == f"{given.bench}-{given.seq}")


def approve(conn: Connection, ledger: Ledger, unit: Named, why: str) -> Order:
    """The second person says that it is to be wiped, too. OrderError when nobody asked, or the same person did."""
    _check(conn, unit, why, "")
    asked = next((one for one in of_unit(conn, unit.key, left=True) if one.state == "asked"), None)
    if asked is None:
        raise OrderError(f"Nobody has asked for {unit.shown} to be wiped.", "fleet unit wipe TAG --again TAG --why …")
    if asked.actor == ledger.actor:
        raise OrderError(
            f"{asked.actor} has asked for it, and cannot be the second person.",
            "Somebody else: --actor, or FLEET_ACTOR.",
        )
    _change(conn, ledger, unit.key, asked, "open", why)
    return next(one for one in of_unit(conn, unit.key) if one.id == asked.id)


def withdraw(conn: Connection, ledger: Ledger, unit: Named, kind: Kind, why: str) -> list[Order]:
    """Take back what was ordered, and has not been done. What holds until it is taken back is ordered the other way.

    OrderError when there is none.
    """
    _check(conn, unit, why, "")
    opposite = _OPPOSITE.get(kind)
    if opposite in _ONCE_TOLD:
        return [give(conn, ledger, unit, opposite, why)]
    left = [one for one in of_unit(conn, unit.key, left=True) if one.kind is kind]
    if not left:
        raise OrderError(
            f"{unit.shown} is not ordered to {kind.words}, or it is done.", "fleet unit show says what is."
        )
    for one in left:
        _change(conn, ledger, unit.key, one, "withdrawn", why)
    ids = {one.id for one in left}
    return [one for one in of_unit(conn, unit.key) if one.id in ids]


def carried_out(conn: Connection, ledger: Ledger, unit: str, order: str) -> bool:
    """Its agent says that it does it. False where the order is not open.

    An agent wipes only once it was answered, so that a wipe has begun, and its number lives: where the answer was lost,
    it asks again, is told again, and may say so again.
    """
    mine = next((one for one in of_unit(conn, unit, left=True) if one.id == order and one.state != "asked"), None)
    if mine is None:
        return False
    if mine.state == "open":
        _change(conn, ledger, unit, mine, "begun" if mine.kind is Kind.WIPE else "done", "")
    return True


def settle(registry: Registry) -> int:
    """What took back another order is done when the agent was told; how many. Any process may ask. RegistryError."""
    told = (orders.c.state == "open") & orders.c.kind.in_([kind.value for kind in _ONCE_TOLD])
    mine = (agents.c.unit == orders.c.unit) & (agents.c.number == orders.c.number) & agents.c.ended_at.is_(None)
    since = (agent_contacts.c.number == agents.c.number) & (agent_contacts.c.fetched_at >= orders.c.changed)
    query = select(orders.c.unit, orders.c.order_id).join(agents, mine).join(agent_contacts, since).where(told)
    with snapshot(registry.engine) as conn:
        if not (found := conn.execute(query).all()):
            return 0
    with transaction(registry.engine) as conn:
        return sum(carried_out(conn, registry.ledger, row.unit, row.order_id) for row in found)


def last_contact(conn: Connection, unit: str) -> str | None:
    """When the agent of this unit came last; ``None`` when it never did."""
    mine = (agents.c.unit == unit) & agents.c.ended_at.is_(None)
    source = agents.join(agent_contacts, agent_contacts.c.number == agents.c.number)
    return conn.scalar(select(agent_contacts.c.seen_at).select_from(source).where(mine))


def _check(conn: Connection, unit: Named, why: str, text: str) -> str:
    """The (hashed) number of the enrolment that is meant."""
    if not why.strip():
        raise OrderError("Nothing is ordered without a reason.", "Say why: --why …")
    if len(text) > _LONGEST or len(why) > _LONGEST:
        raise OrderError(f"That is longer than {_LONGEST} characters.", "Say it in fewer words.")
    living = records.alive(conn, unit.key)
    if living is None:
        raise OrderError(
            f"{unit.shown} has no agent that lives: no order can reach it.",
            "A bench sets one up (owner in the profile); it ends when a unit is returned, retired or given back.",
        )
    return living.number


def _change(conn: Connection, ledger: Ledger, unit: str, one: Order, state: str, why: str) -> None:
    body: dict[str, Json] = {"v": 1, "order": one.id, "kind": one.kind.value, "state": state, "why": storable(why)}
    ledger.append(conn, "unit.order_changed", unit, body)


def _order(row: Row[Any]) -> Order:
    told = row.fetched_at or ""
    since = told > row.changed if row.state == "begun" else told >= row.changed
    return Order(
        id=row.order_id,
        kind=Kind(row.kind),
        text=row.text,
        why=row.why,
        at=row.at,
        actor=row.actor,
        state=row.state,
        changed=row.changed,
        by=row.by,
        told_at=told if since else "",
    )
