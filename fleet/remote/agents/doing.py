"""What a server does with the orders of a unit: what the agent is told, and what it says has come of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from fleet.db import snapshot, transaction
from fleet.models import agents, orders
from fleet.remote.agents import pages
from fleet.remote.agents.orders import carried_out
from fleet.remote.agents.reading import Order
from fleet.units import Registry
from provision.agents.configuration import Orders


def todo(given: Sequence[Order]) -> Orders:
    """What an agent is told of open orders, oldest first."""
    kinds = {order.kind: order for order in given}
    lock = None
    for order in given:
        if order.kind in ("lock", "unlock"):
            lock = order.text if order.kind == "lock" else None
    return Orders(lock=lock, reboot="reboot" in kinds, wipe="wipe" in kinds, location_off="locate_off" in kinds)


def confirm(registry: Registry, unit: str, order: str) -> bool:
    """The agent says that it does it. False where the order is not open (any more). RegistryError."""
    with transaction(registry.engine) as conn:
        return carried_out(conn, registry.ledger, unit, order)


def opened(registry: Registry, place: str) -> str | None:
    """The text of the message with this address, which is confirmed by this; ``None`` where there is none."""
    found = pages.PLACE.fullmatch(place)
    if found is None:
        return None
    query = (
        select(orders.c.unit, orders.c.text, orders.c.state, agents.c.number)
        .join(agents, (agents.c.number == orders.c.number) & agents.c.ended_at.is_(None))
        .where(orders.c.order_id == found["order"], orders.c.kind == "message", orders.c.state.in_(("open", "done")))
    )
    with snapshot(registry.engine) as conn:
        row = conn.execute(query).first()
    if row is None or not pages.fits(place, row.number):
        return None
    if row.state == "open":
        confirm(registry, row.unit, found["order"])
    return str(row.text)
