"""What agents ask and tell, as the registry keeps it: one row per enrolment, a hint of health and never custody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, case, func
from sqlalchemy.dialects import postgresql, sqlite

from fleet.models import agent_contacts

OFTEN = timedelta(minutes=1)
"""A contact that says nothing new is not written when the one before it is younger than this."""


@dataclass(frozen=True)
class Told:
    """What a report comes to. ``confirmed``: the digest that was carried out, ``None`` when something differs."""

    owner: bool | None
    battery_level: int | None
    iccid: str | None
    confirmed: str | None
    missing: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contact:
    """One contact of the enrolment with this (hashed) number. ``home``: with a server that is not a bench's.

    ``fetched`` is the digest of the configuration that it was given, ``fetched_at`` when; ``told`` what it reported.
    """

    number: str
    unit: str
    at: str
    home: bool
    fetched: str | None = None
    fetched_at: str | None = None
    told: Told | None = None


def stamp(moment: datetime) -> str:
    """A moment (UTC) as the tables have it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(at: str, *, span: timedelta) -> str:
    """The moment that is ``span`` before ``at``."""
    return stamp(datetime.fromisoformat(at) - span)


def write(conn: Connection, contacts: Iterable[Contact]) -> None:
    """Keep these, in their order."""
    asked = [_asked(one) for one in contacts if one.told is None]
    told = [_told(one) for one in contacts if one.told is not None]
    for rows, statement in ((asked, _upsert(conn.dialect.name, "asked")), (told, _upsert(conn.dialect.name, "told"))):
        if rows:
            conn.execute(statement, rows)


def _asked(one: Contact) -> dict[str, Any]:
    return {
        "number": one.number,
        "unit": one.unit,
        "seen_at": one.at,
        "home_at": one.at if one.home else None,
        "fetched": one.fetched,
        "fetched_at": one.fetched_at,
        "since": one.at if one.fetched else None,
        "missing": "[]",
        "drift": "[]",
    }


def _told(one: Contact) -> dict[str, Any]:
    assert one.told is not None
    return {
        "number": one.number,
        "unit": one.unit,
        "seen_at": one.at,
        "home_at": one.at if one.home else None,
        "told_at": one.at,
        "owner": one.told.owner,
        "battery_level": one.told.battery_level,
        "iccid": one.told.iccid,
        "missing": listed(one.told.missing),
        "drift": listed(one.told.drift),
        "confirmed": one.told.confirmed,
        "confirmed_at": one.at if one.told.confirmed else None,
    }


def listed(texts: Sequence[str]) -> str:
    """A list of texts as the table has it."""
    return json.dumps(texts, ensure_ascii=False)


_SOMETIMES = ("home_at", "fetched", "fetched_at", "confirmed_at")
"""What stays as it was where a contact does not say it."""

_COLUMNS = {
    "asked": ("seen_at", "home_at", "since", "fetched", "fetched_at"),
    "told": (
        *("seen_at", "home_at", "told_at", "owner", "battery_level", "iccid"),
        *("missing", "drift", "confirmed", "confirmed_at"),
    ),
}


@cache
def _upsert(dialect: str, kind: str) -> Any:
    insert = (sqlite if dialect == "sqlite" else postgresql).insert(agent_contacts)
    news = {
        name: func.coalesce(insert.excluded[name], agent_contacts.c[name])
        if name in _SOMETIMES
        else insert.excluded[name]
        for name in _COLUMNS[kind]
    }
    if "since" in news:
        another = insert.excluded.fetched.is_distinct_from(agent_contacts.c.fetched)
        first = and_(insert.excluded.fetched.is_not(None), another)
        news["since"] = case((first, insert.excluded.since), else_=agent_contacts.c.since)
    return insert.on_conflict_do_update(index_elements=["number"], set_=news)
