"""Which units the filter of a push means."""

from __future__ import annotations

from sqlalchemy import Connection

from fleet.account.filters.sql import Asked
from fleet.account.status import health_rules, known
from fleet.home import Home
from provision.progress import now


def within(conn: Connection, home: Home, where: str) -> Asked | None:
    """The units that ``where`` means; ``None`` is all. FilterError for what cannot be asked of units (any more)."""
    return known.asked(conn, health_rules.rules_of(home), where, now()) if where else None
