"""Two units that are one device, because somebody misread its serial: they become the one that a bench has read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from fleet import lookalikes, tags
from fleet.db import transaction
from fleet.errors import CustodyError, UnitError
from fleet.models import acceptances, custody, sims, units
from fleet.units import Registry
from fleet.values import storable
from provision.text import printable

_Row = Row[Any]


@dataclass(frozen=True)
class Joined:
    """``was`` is the key that is no unit any more, ``unit`` the one that it is, ``shown`` its tag or serial.

    ``batch``: whose papers it has from that one, "" where it had its own. ``tag``: the one that it has now.
    """

    was: str
    unit: str
    shown: str
    batch: str
    tag: str | None


def join(registry: Registry, one: str, other: str, why: str) -> Joined:
    """Make of two units, each by a name of it, the one that a bench has read. In any order.

    Its place and state stay; the papers of the other, and its tag where it has none, become its own. UnitError when
    they cannot be one device, CustodyError when the misread one has a student or a SIM.
    """
    with transaction(registry.engine) as conn:
        wrong, right = _which(_row(conn, one), _row(conn, other))
        _free(conn, wrong)
        batch = wrong.batch if right.origin == "unrecorded" and wrong.origin != "unrecorded" else ""
        registry.ledger.append(
            conn, "unit.joined", wrong.key, {"v": 1, "into": right.key, "why": storable(why), "tag": wrong.tag}
        )
        if batch:
            papers = {"batch": batch, "received_at": wrong.received_at, "imei": wrong.imei, "was": wrong.key}
            registry.ledger.append(conn, "unit.papers", right.key, {"v": 1, **papers})
        if wrong.tag and not right.tag:
            registry.ledger.append(conn, "unit.tagged", right.key, {"v": 1, "tag": wrong.tag, "was": None})
    tag = right.tag or wrong.tag
    return Joined(wrong.key, right.key, tag or printable(right.serial), batch, tag)


def _row(conn: Connection, name: str) -> _Row:
    found = tags.the(conn, name)
    query = select(units, custody.c.batch, custody.c.received_at, custody.c.benched_at, custody.c.holder)
    query = query.add_columns(custody.c.assigned).join_from(units, custody).where(units.c.key == found.key)
    return conn.execute(query).one()


def _which(one: _Row, other: _Row) -> tuple[_Row, _Row]:
    """The misread one, and the right one."""
    names = f"{printable(one.key)} and {printable(other.key)}"
    if one.key == other.key:
        raise UnitError(f"{printable(one.key)} is one unit already.")
    if lookalikes.fold(one.serial) != lookalikes.fold(other.serial):
        raise UnitError(f"{names} are not alike: a device with another serial is another device.")
    if one.benched_at and other.benched_at:
        raise UnitError(f"A bench has read the serials of both {names} from the devices: they are two.")
    if not one.benched_at and not other.benched_at:
        raise UnitError(
            f"No bench has seen {names} yet, so nobody knows which is right.", "Attach the device: fleet intake."
        )
    return (other, one) if one.benched_at else (one, other)


def _free(conn: Connection, wrong: _Row) -> None:
    who = wrong.tag or printable(wrong.serial)
    accepted = conn.scalar(select(acceptances.c.at).where(acceptances.c.unit == wrong.key).limit(1))
    if wrong.holder or accepted:
        raise CustodyError(f"{who} was handed over, so it is a device of its own.", "Look at its label again.")
    if wrong.assigned:
        raise CustodyError(f"{who} is meant for a student.", "Take that back first: fleet unassign.")
    if inside := conn.scalars(select(sims.c.iccid).where(sims.c.unit == wrong.key).order_by(sims.c.iccid)).all():
        raise CustodyError(
            f"SIM {', '.join(inside)} is recorded in {who}.", "Put it into the right one first: fleet sim insert."
        )
