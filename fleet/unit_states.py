"""The state of a unit, beside its newest reading and its SIMs: so how many units that are with students have an old
battery is counted in one index. To look each of them up in another table takes a hundred times as long."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from fleet.bulk import set_by_query
from fleet.models import health_now, sims

_STATE = "SELECT state FROM units WHERE units.key = "


def of_units(conn: Connection, keys: Iterable[str]) -> None:
    """The states of these units are other ones now."""
    names = list(keys)
    set_by_query(conn, health_now, "state", f"{_STATE}health_now.unit", "unit", names)
    set_by_query(conn, sims, "unit_state", f"{_STATE}sims.unit", "unit", names)


def of_readings(conn: Connection, keys: Iterable[str]) -> None:
    """There are new readings of these units."""
    set_by_query(conn, health_now, "state", f"{_STATE}health_now.unit", "unit", keys)


def of_sims(conn: Connection, iccids: Iterable[str]) -> None:
    """These SIMs are in other units now, or in none."""
    set_by_query(conn, sims, "unit_state", f"{_STATE}sims.unit", "iccid", iccids)
