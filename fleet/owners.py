"""Which apps we ourselves made the owner of a phone, by what the ledger says of its unit."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from fleet.models import acceptances, agents, custody, events
from profiles.rules import AGENTS


def of_unit(conn: Connection, unit: str) -> dict[str, str]:
    """The packages that we made owner of a unit, whatever became of them, and when it was last known (UTC)."""
    enrolled = select(agents.c.agent, agents.c.at).where(agents.c.unit == unit).order_by(agents.c.at)
    found = {AGENTS[row.agent]: row.at for row in conn.execute(enrolled)}
    package, at = _last_look(conn, unit)
    return found | ({package: at} if package else {})


def last_seen(conn: Connection, unit: str) -> str:
    """The package that the last run which looked found to own it, or was just making its owner; "" for none."""
    return _last_look(conn, unit)[0]


def still_here(conn: Connection, unit: str, since: str) -> bool:
    """Whether the unit was in nobody's hands but ours after ``since``."""
    if conn.scalar(select(custody.c.holder).where(custody.c.unit == unit)):
        return False
    return conn.scalar(select(acceptances.c.at).where(acceptances.c.unit == unit, acceptances.c.at > since)) is None


def _last_look(conn: Connection, unit: str) -> tuple[str, str]:
    """A run that the gate stopped has looked at nothing. One that was cut off right after it had made the owner could
    not read it back."""
    runs = select(events.c.body, events.c.at).where(events.c.subject == unit, events.c.kind == "unit.run")
    for body, at in conn.execute(runs.order_by(events.c.at.desc(), events.c.seq.desc())):
        for item in json.loads(body)["items"]:
            if item["item"] == "owner.owner":
                ours = item["result"] == "verified" or item["changed"]
                return (item["want"].split(" ")[0] if ours else "", at)
    return "", ""
