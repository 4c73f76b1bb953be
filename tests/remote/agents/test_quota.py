"""What a phone may fetch by its SIM."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from fleet.db import snapshot, transaction
from fleet.models import agents
from fleet.remote.agents import quota
from fleet.units import Registry
from fleet.values import Json
from tests.remote.agents.at_home import school

MB = 1_000_000
_MINE = "8984048000012345671"


@pytest.mark.parametrize(
    ("text", "days", "expected"),
    [
        ("4 GB/day", 90, 4000 * MB),
        ("30 GB/month", None, 1000 * MB),
        ("18 GB", 180, 100 * MB),
        ("18 GB", None, None),
        ("", 90, None),
    ],
)
def test_a_days_quota(text: str, days: int | None, expected: int | None) -> None:
    assert quota.of_a_day(text, days) == expected


@pytest.mark.parametrize(
    ("content", "daily", "waits"),
    [(25 * MB, 100 * MB, False), (25 * MB + 1, 100 * MB, True), (10 * MB, None, False), (10 * MB + 1, None, True)],
)
def test_what_takes_more_than_a_quarter_of_a_day_waits(content: int, daily: int | None, waits: bool) -> None:
    assert quota.waits_for_wifi(content, daily) is waits


def test_the_quota_is_that_of_a_sim_that_has_not_ended(registry: Registry) -> None:
    with_sim, without = school(registry, 2)
    for iccid, given, state in (
        ("8984048000012345670", "1 GB/day", "ended"),
        ("8984048000012345671", "4 GB/day", "in_use"),
    ):
        fields: dict[str, Json] = {"carrier": "viettel", "quota": given, "days": 90, "state": state, "unit": with_sim}
        with transaction(registry.engine) as conn:
            registry.ledger.append(conn, "sim.set", iccid, {"v": 1, "step": "receive", "fields": fields})
    with snapshot(registry.engine) as conn:
        rows = conn.execute(select(agents.c.unit, *quota.columns())).all()
    assert {row.unit: quota.of(row) for row in rows} == {with_sim: 4000 * MB, without: None}
