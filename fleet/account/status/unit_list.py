"""Units in the order of their keys, page by page: the next page begins where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fleet.account.filters.sql import Asked
from fleet.bulk import streamed
from fleet.models import custody, places, units


@dataclass(frozen=True)
class Line:
    """A unit in short. Times are UTC; ``holder`` and ``assigned`` are pseudonyms. ``benched_at``: when a bench first
    saw it, ``last_seen`` when one last did; ``None``: none ever did."""

    key: str
    tag: str | None
    serial: str
    platform: str
    maker: str
    model: str
    state: str
    place: str
    place_name: str
    batch: str
    holder: str | None
    assigned: str | None
    since: str
    benched_at: str | None
    last_seen: str | None
    profile: str | None
    verdict: str | None


_NAMES = places.alias("place_names")
_COLUMNS = (
    *(units.c.key, units.c.tag, units.c.serial, units.c.platform, units.c.maker, units.c.model, units.c.state),
    *(
        custody.c.place,
        func.coalesce(_NAMES.c.name, ""),
        custody.c.batch,
        custody.c.holder,
        custody.c.assigned,
        custody.c.since,
        custody.c.benched_at,
    ),
    *(func.nullif(units.c.last_seen, ""), units.c.last_profile, units.c.last_verdict),
)


def listed(conn: Connection, within: Asked, *, after: str = "", limit: int | None = None) -> Iterator[Line]:
    """The units of ``within`` whose key comes after ``after``, at most ``limit``."""
    frame = within.frame(units, custody)
    found = frame.source.outerjoin(_NAMES, _NAMES.c.place == custody.c.place)
    query = select(*_COLUMNS).select_from(found).where(frame.where, units.c.key > after).order_by(units.c.key)
    for row in streamed(conn, query if limit is None else query.limit(limit)):
        yield Line(*tuple(row))
