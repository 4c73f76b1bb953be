"""Names of units: tags that fit on a label, and what a person may type to mean a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from fleet.errors import PrefixError, UnitError
from fleet.models import tag_series, unit_joins, units
from fleet.tag_numbers import numbered
from fleet.values import storable
from provision.text import printable

_TAG = re.compile(r"[A-Z0-9]([A-Z0-9._-]{0,30}[A-Z0-9])?")
_IMEI = 15


@dataclass(frozen=True)
class Named:
    """A unit, by all its names."""

    key: str
    platform: str
    serial: str
    tag: str | None

    @property
    def shown(self) -> str:
        """Serial and tag, for people."""
        return printable(self.serial) + (f" ({self.tag})" if self.tag else "")


def checked(tag: str) -> str:
    """The tag as it is kept: in capitals, so that a-0001 and A-0001 are one. UnitError when it fits no label."""
    capitals = tag.strip().upper()
    if not _TAG.fullmatch(capitals):
        raise UnitError(
            f"{printable(tag)!r} cannot be a tag.",
            "Use up to 32 letters A–Z, digits, and . _ - between them, such as A-0001.",
        )
    return capitals


def next_free(conn: Connection, prefix: str) -> str:
    """The next number of a series, from 0001. Call it in the transaction that gives the tag."""
    series = checked_prefix(prefix)
    return checked(numbered(series, last_number(conn, series) + 1))


def last_number(conn: Connection, series: str) -> int:
    """The highest number of a series that was ever given or printed, 0 for none; held until the transaction ends."""
    return conn.scalar(select(tag_series.c.last).where(tag_series.c.prefix == series).with_for_update()) or 0


def checked_prefix(prefix: str) -> str:
    """The prefix as it is kept. PrefixError when no tag could begin with it."""
    try:
        checked(numbered(series := checked(prefix), 1))
    except UnitError:
        raise PrefixError(
            f"{printable(prefix)!r} cannot be the prefix of tags.",
            "Use letters A–Z and digits, such as HN; fleet adds the number: HN-0001.",
        ) from None
    return series


def find(conn: Connection, name: str) -> tuple[Named, ...]:
    """Every unit that ``name`` may mean: a tag (in any case), a serial, platform:serial, or an IMEI of 15 digits."""
    typed = storable(name)
    meant = or_(units.c.tag == typed.upper(), units.c.serial == typed, units.c.key == typed)
    if len(typed) == _IMEI and typed.isdecimal():
        meant = or_(meant, units.c.imei == typed)
    query = select(units.c.key, units.c.platform, units.c.serial, units.c.tag).where(meant).order_by(units.c.key)
    found = tuple(Named(*row) for row in conn.execute(query))
    return found or (find(conn, key) if (key := joined(conn, name)) else ())


def joined(conn: Connection, name: str) -> str | None:
    """The key of the unit that one of this name turned out to be: it was another spelling of its serial."""
    typed = storable(name)
    query = select(unit_joins.c.into).where(
        or_(unit_joins.c.tag == typed.upper(), unit_joins.c.serial == typed, unit_joins.c.unit == typed)
    )
    return conn.scalar(query.order_by(unit_joins.c.unit).limit(1))


def the(conn: Connection, name: str) -> Named:
    """The one unit that ``name`` means, else UnitError."""
    found = find(conn, name)
    if not found:
        raise UnitError(
            f"No unit has the tag or serial {printable(name)!r}.",
            "A device becomes a unit when it is first provisioned or verified; fleet status shows the latest.",
        )
    if len(found) > 1:
        listed = ", ".join(printable(unit.key) for unit in found)
        raise UnitError(f"{printable(name)!r} may mean {len(found)} units.", f"Name one of {listed}.")
    return found[0]
