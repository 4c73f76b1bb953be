"""Which units a push means: by its filter, and by when they were set up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from fleet.account.filters.parse import FilterError
from fleet.account.filters.sql import Asked
from fleet.account.status import health_rules, known
from fleet.home import Home
from fleet.models import releases
from profiles.errors import ProfileError
from provision.progress import now


def within(conn: Connection, home: Home, where: str) -> Asked | None:
    """The units that ``where`` means; ``None`` is all. FilterError for what cannot be asked of units (any more)."""
    if not where:
        return None
    try:
        rules = health_rules.rules_of(home)
    except ProfileError as error:
        raise FilterError(where, 1, f"what alarms mean cannot be read: {error.what}") from error
    return known.asked(conn, rules, where, now())


@dataclass(frozen=True)
class Made:
    """When a release was made, and the digests of its profiles by name."""

    at: str
    profiles: Mapping[str, str]


def made(conn: Connection) -> dict[int, Made]:
    """All releases, by number."""
    query = select(releases.c.number, releases.c.at, releases.c.profiles)
    return {row.number: Made(row.at, json.loads(row.profiles)) for row in conn.execute(query)}


def made_after(every: Iterable[Made], at: str) -> frozenset[str]:
    """The digests that came with a release after this moment: what was set up with one of them was set up after it,
    too, whatever the clock of its bench says."""
    before, after = set[str](), set[str]()
    for one in every:
        (after if one.at > at else before).update(one.profiles.values())
    return frozenset(after - before)
