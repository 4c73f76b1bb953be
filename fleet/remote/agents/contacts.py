"""What agents ask and tell, as the registry keeps it: one row per enrolment, a hint of health and never custody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
    """Keep these, in their order; one row after the other in the order of their numbers, so that processes that keep
    many at once wait for each other, and never both."""
    rows: dict[str, dict[str, Any]] = {}
    for one in contacts:
        rows[one.number] = _after(rows.get(one.number, _NOTHING), one)
    if rows:
        conn.execute(_upsert(conn.dialect.name), [rows[number] for number in sorted(rows)])


def _after(before: Mapping[str, Any], one: Contact) -> dict[str, Any]:
    """The row of a number after this contact, as far as the contacts since ``before`` say it."""
    row = {**before, "number": one.number, "unit": one.unit, "seen_at": one.at}
    if one.home:
        row["home_at"] = one.at
    if one.fetched is not None and one.fetched != before["fetched"]:
        row |= {"fetched": one.fetched, "since": one.at if one.fetched else None}
    if one.fetched_at is not None:
        row["fetched_at"] = one.fetched_at
    return row | _told(one.told, one.at) if one.told else row


def _told(told: Told, at: str) -> dict[str, Any]:
    found = {
        "told_at": at,
        "owner": told.owner,
        "battery_level": told.battery_level,
        "iccid": told.iccid,
        "missing": listed(told.missing),
        "drift": listed(told.drift),
        "confirmed": told.confirmed,
    }
    return {**found, "confirmed_at": at} if told.confirmed else found


def listed(texts: Sequence[str]) -> str:
    """A list of texts as the table has it."""
    return json.dumps(texts, ensure_ascii=False)


_SOMETIMES = ("home_at", "fetched", "fetched_at", "told_at", "confirmed_at")
"""What stays as it was where a contact does not say it."""

_OF_REPORTS = ("owner", "battery_level", "iccid", "missing", "drift", "confirmed")
"""What is as the last report says it, also where that says nothing of it."""

_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys((*_SOMETIMES, "since", *_OF_REPORTS)),
    "missing": "[]",
    "drift": "[]",
}


@cache
def _upsert(dialect: str) -> Any:
    insert = (sqlite if dialect == "sqlite" else postgresql).insert(agent_contacts)
    new, old = insert.excluded, agent_contacts.c
    another = and_(new.fetched.is_not(None), new.fetched.is_distinct_from(old.fetched))
    news: dict[str, Any] = {"seen_at": new.seen_at, "since": case((another, new.since), else_=old.since)}
    news |= {name: func.coalesce(new[name], old[name]) for name in _SOMETIMES}
    news |= {name: case((new.told_at.is_not(None), new[name]), else_=old[name]) for name in _OF_REPORTS}
    return insert.on_conflict_do_update(index_elements=["number"], set_=news)
