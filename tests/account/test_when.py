"""What is recorded from a register on paper happened on the day that the register says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from fleet.account.custody import when
from fleet.account.custody.balance import balance
from fleet.account.custody.receive import Lot, receive
from fleet.account.custody.receive_rows import Listed
from fleet.account.custody.returning import take_back
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.account.people.students import view
from fleet.account.status.health_rules import rules_of
from fleet.account.status.unit_view import unit_view
from fleet.db import snapshot
from fleet.errors import CustodyError
from fleet.home import Home
from fleet.models import acceptances, custody, holdings, units
from fleet.units import open_registry
from tests.account.custody_making import STUDENTS, assert_replays, furnish, make_ready
from tests.account.sim_making import listed, read, row, step
from tests.fleet.making import ticking

NOW = "2025-03-10T15:00:00.000Z"
UNIT = "android:SNA1"


def noon(day: str) -> str:
    """Of this computer's time, as records write it."""
    at = datetime.fromisoformat(f"{day}T12:00").astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def taken(on: str) -> Acceptance:
    return Acceptance("guardian", {"device": 1}, "good", allowed="a test", on=on)


@pytest.fixture
def later(home: Home, database_url: str) -> None:
    """Ten days after units came on March 1st, as the papers of today say; one of them has a SIM for 90 days."""
    with open_registry(home, None, "lan", clock=ticking(NOW)) as registry:
        furnish(registry)
        rows = [Listed(0, f"SNA{n}", maker="samsung", tag=f"A-{n}") for n in (1, 2)]
        receive(registry, Lot("VNPT-1", "STORE", "VNPT", on="2025-03-01"), rows, all_of_them=True)
        make_ready(registry, ["A-1"])
        [iccid] = listed(registry, 1)
        step(registry, "activate", [iccid])
        read(registry, "SNA1", iccid)


def test_it_counts_from_the_day_on_which_it_happened(later: None, home: Home) -> None:
    with open_registry(home, None, "lan", clock=ticking(NOW)) as registry:
        done = hand_over(registry, "A-1", STUDENTS[0], taken("2025-03-03"))
        assert done.sims[0].ends_at == noon("2025-06-01")
        assert row(registry, done.sims[0].iccid)["accepted_at"] == noon("2025-03-03")
        with snapshot(registry.engine) as conn:
            found = conn.execute(select(custody).where(custody.c.unit == UNIT)).mappings().one()
            assert (found["since"], found["received_at"]) == (noon("2025-03-03"), noon("2025-03-01"))
            assert conn.scalar(select(units.c.first_seen).where(units.c.key == UNIT)) == noon("2025-03-01")
            days = [noon("2025-03-02"), noon("2025-03-04")]
            was = [{**balance(conn, NOW, until=day).by_state} for day in (noon("2025-03-01"), *days)]
            assert was == [{}, {"stock": 2}, {"stock": 1, "with_student": 1}]
            history = [one.what for one in unit_view(conn, rules_of(home), "A-1", NOW).history]
            assert history[0].endswith("; on 2025-03-03")
            assert "; on 2025-03-01" in history[-1]
            assert any(one.what.endswith("on 2025-03-03") for one in view(conn, STUDENTS[0]).history)
        take_back(registry, ["A-1"], "LE-LOI", None, "good", on="2025-03-03")  # on the same day: after it
        with snapshot(registry.engine) as conn:
            [loan] = conn.execute(select(acceptances)).mappings()
            steps = [one.step for one in conn.execute(select(holdings).order_by(holdings.c.since)) if one.unit == UNIT]
        assert noon("2025-03-03") == loan["at"] < loan["returned_at"] < noon("2025-03-04")
        assert steps == ["receive", "hand_over", "return"]
        assert_replays(registry)


@pytest.mark.parametrize(
    ("on", "why"),
    [
        ("2025-02-28", "that cannot have been on 2025-02-28"),
        ("2025-03-20", "2025-03-20 is still to come"),
        ("03/03/2025", "is no day"),
        ("9999-12-31", "is"),
    ],
)
def test_a_day_that_cannot_be(later: None, home: Home, on: str, why: str) -> None:
    with open_registry(home, None, "lan", clock=ticking(NOW)) as registry:
        with pytest.raises(CustodyError, match=why):
            hand_over(registry, "A-1", STUDENTS[0], taken(on))
        if on != "2025-02-28":
            with pytest.raises(CustodyError, match=why):
                receive(registry, Lot("B-2", "STORE", "VNPT", on=on), [Listed(0, "SN77", maker="x")], all_of_them=True)
        hand_over(registry, "A-1", STUDENTS[0], taken(""))
        with pytest.raises(CustodyError, match=why):
            take_back(registry, ["A-1"], "STORE", None, "good", on=on)


def test_today_is_now_at_the_latest() -> None:
    today = datetime.now().astimezone().date().isoformat()
    morning = noon(today)
    early = (datetime.fromisoformat(morning) - timedelta(hours=3)).isoformat(timespec="milliseconds")
    early = early.replace("+00:00", "Z")
    assert when.day(today, early).after(None, "it") == early
    assert when.day(today, morning).after(early, "it") == morning
    with pytest.raises(CustodyError, match="that cannot have been"):
        when.day(today, early).after(morning, "it")
