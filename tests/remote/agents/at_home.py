"""Units at home with enrolments of their agents, releases and contacts, as the registry keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import agent_contacts, agents
from fleet.remote.agents import pushing, records, wanted
from fleet.remote.agents.chosen import WITH_CONTACTS, Chosen
from fleet.remote.waves import meant
from fleet.remote.waves.kept import Push
from fleet.remote.waves.rules import Rules, stamp
from fleet.units import Registry
from fleet.values import Json
from provision.progress import now


def of_today(registry: Registry) -> Registry:
    """By the real clock: what is judged is judged by it."""
    return replace(registry, ledger=replace(registry.ledger, clock=now))


def unit(registry: Registry, number: int, *, state: str = "with_student", model: str = "SM-A105F") -> str:
    """A unit, by its key."""
    student = f"S{number:09}" if state == "with_student" else None
    body: dict[str, Json] = {
        "v": 1,
        "batch": "B-1",
        "place": "LE-LOI",
        "state": state,
        "student": student,
        "platform": "android",
        "serial": f"SN{number}",
        "maker": "samsung",
        "model": model,
        "version": "13",
        "imei": "",
    }
    key = f"android:SN{number}"
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.received", key, body)
        registry.ledger.append(conn, "unit.tagged", key, {"v": 1, "tag": f"A-{number}", "was": None})
    return key


def enrolled(registry: Registry, key: str, *, profile: str = "small", digest: str = "of the bench") -> str:
    """The hashed number of a new enrolment."""
    with transaction(registry.engine) as conn:
        told = {"agent": "headwind", "profile": profile, "digest": digest, "server": "https://home.example"}
        return records.hashed(records.enrol(conn, registry.ledger, key, **told))


def school(registry: Registry, units: int, **changes: Any) -> list[str]:
    """So many units with students, all with an agent."""
    keys = [unit(registry, number, **changes) for number in range(1, units + 1)]
    for key in keys:
        enrolled(registry, key)
    return keys


def release(registry: Registry, number: int, profiles: Mapping[str, str]) -> None:
    """What the registry knows of a release: name of a profile to digest."""
    body: dict[str, Json] = {"v": 1, "number": number, "digest": f"{number}", "note": "", "files": 1, "bytes": 1}
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "release.set", str(number), {**body, "profiles": dict(profiles)})


def begun(registry: Registry, number: int, profiles: Mapping[str, str], rules: Rules | None = None) -> Push:
    """A push via agents of the release, which has these profiles."""
    said = rules or Rules()
    with transaction(registry.engine) as conn:
        mine = Chosen(profiles, said.profile, meant.within(conn, registry.home, said.where))
        return pushing.begin(conn, registry.ledger, registry.home, number, said, mine)


def numbers(registry: Registry, keys: Sequence[str]) -> dict[str, str]:
    """The number of the living enrolment of each unit."""
    query = select(agents.c.unit, agents.c.number).where(agents.c.unit.in_(keys), agents.c.ended_at.is_(None))
    with snapshot(registry.engine) as conn:
        return {row.unit: row.number for row in conn.execute(query)}


def contact(registry: Registry, key: str, *, ago: timedelta = timedelta(), **said: Any) -> None:
    """The unit's agent asked or told something so long ago; moments in ``said`` are timedeltas ago, too."""
    at = datetime.now(UTC)
    told = {name: stamp(at - value) if isinstance(value, timedelta) else value for name, value in said.items()}
    number = numbers(registry, [key])[key]
    if "fetched_at" in told:
        told = {"since": told["fetched_at"], **told}
    row = {"number": number, "unit": key, "seen_at": stamp(at - ago), "missing": "[]", "drift": "[]"}
    with transaction(registry.engine) as conn:
        changed = conn.execute(
            update(agent_contacts).where(agent_contacts.c.number == number).values(seen_at=stamp(at - ago), **told)
        )
        if not changed.rowcount:
            conn.execute(insert(agent_contacts), [{**row, **told}])


def should_have(conn: Connection, home: Home, key: str) -> wanted.Wanted | None:
    """What the device of this unit should have at this moment, as a server asks it; ``None`` without an agent."""
    standing = wanted.read(conn, home)
    mine = (agents.c.unit == key) & agents.c.ended_at.is_(None)
    row = conn.execute(select(*wanted.columns(standing)).select_from(WITH_CONTACTS).where(mine)).first()
    return wanted.of(standing, row, datetime.now(UTC)) if row else None
