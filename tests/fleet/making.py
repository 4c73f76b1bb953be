"""Reports and identities for the tests of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fleet.models import PROJECTIONS
from provision.model import (
    Cannot,
    Cellular,
    Facts,
    Health,
    Identity,
    Item,
    Locks,
    Met,
    Outcome,
    Report,
    Result,
    SimCard,
    Step,
    Strength,
    Verdict,
)

SERIAL = "R58M12ABCDE"

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""A test about the file that a registry of SQLite is; all others run on PostgreSQL, too."""

POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""A test about the server."""


def identity(serial: str = SERIAL, **changes: Any) -> Identity:
    return replace(Identity("android", serial, "samsung", "SM-A105F", "13", 33, "TP1A.1", "One UI 5"), **changes)


def facts(who: Identity) -> Facts:
    return Facts(
        who,
        health=Health(battery_level=80, battery_temperature=25.5, storage_total=64_000_000_000, patch="2023-01-05"),
        locks=Locks(accounts={"com.google": 1}, users=1),
        cellular=Cellular((SimCard(0, "READY", "45204", "Viettel", "8984048000012345678"),), "356938035643809"),
        found={"apps": "never stored: found"},
        evidence={"apps": {"dumpsys": "never stored: evidence"}},
    )


def outcomes(sealed: str = "5ea1") -> tuple[Outcome, ...]:
    done = Item("apps", "kolibri", "Kolibri 0.16", Met("equal"), "sample.yaml:7", Strength.C)
    hidden = Item("sim", "apn", "APN v-internet", Step("not set", (), sealed=sealed), "sample.yaml:20", Strength.B)
    never = Item("restrictions", "factory_reset", "denied", Cannot("needs a device owner", "Enrol it."), required=False)
    return (
        Outcome(done, Result.VERIFIED, "equal"),
        Outcome(hidden, Result.UNVERIFIED, "done; this device does not let it be read back", changed=True),
        Outcome(never, Result.IMPOSSIBLE, "needs a device owner", "Enrol it."),
    )


def report(who: Identity | None = None, **changes: Any) -> Report:
    """What a run of ``who`` says, as a run would; ``changes`` are fields of Report."""
    found = facts(who or identity())
    given: dict[str, Any] = {
        "address": "127.0.0.1:5555",
        "port": "1-2",
        "identity": found.identity,
        "tag": None,
        "profile": "sample",
        "profile_digest": "d" * 64,
        "facts": found,
        "plan": (),
        "outcomes": outcomes(),
        "verdict": Verdict.PARTIAL,
        "steps": 1,
        "started": "2025-03-01T08:00:00.000Z",
        "ended": "2025-03-01T08:01:00.000Z",
        "left_on": ("USB debugging",),
        **changes,
    }
    return Report(**given)


def ticking(start: str = "2025-03-01T08:00:00.000Z", seconds: Iterable[int] = ()) -> Callable[[], str]:
    """A clock that goes on by a second at every look, or by ``seconds``, which may go back."""
    moment = datetime.fromisoformat(start)
    leaps = iter(seconds)

    def now() -> str:
        nonlocal moment
        moment += timedelta(seconds=next(leaps, 1))
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return now


def tables(conn: Connection) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every projection, row by row, in the order of its key."""
    return {
        table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
        for table in PROJECTIONS
    }
