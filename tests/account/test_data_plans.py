"""What costs money for nothing, who is without data, which plans end: each list on a story of its own."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert

import cli
from fleet.account.sims import data_plans
from fleet.account.sims import one_by_one as sims
from fleet.account.sims.data_plan_terms import shifted
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import programmes
from fleet.units import Registry
from provision.progress import now
from tests.account.sim_making import OTHER, STUDENT, accept, enrol, listed, number, read, row, step

NOW = now()


def ago(days: int) -> str:
    return shifted(NOW, -days)


def found(registry: Registry) -> dict[str, list[str]]:
    """The lists that are not empty, and the ICCIDs in them."""
    with snapshot(registry.engine) as conn:
        seen = data_plans.overview(conn, NOW)
        every: dict[str, list[str]] = {}
        for name, line in data_plans.every(conn, NOW):
            every.setdefault(name, []).append(line["iccid"])
    assert {one.name: one.count for one in seen.found} == {name: len(rows) for name, rows in every.items()}
    return every


def moved(registry: Registry, unit: str, step_: str, state: str) -> None:
    with transaction(registry.engine) as conn:
        body: Any = {"v": 1, "step": step_, "state": state, "place": "", "student": None, "kit": {}, "condition": ""}
        registry.ledger.append(conn, "unit.custody", unit, body)


def used(registry: Registry, iccid: str, day: str, size: int, through: str) -> None:
    months: Any = [[day[:7], 1 << int(day[8:]) - 1, size]]
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "sim.used", iccid, {"v": 1, "months": months, "used_at": day if size else None})
        registry.ledger.append(conn, "sims.counted", "viettel", {"v": 1, "through": through})


@pytest.fixture
def two(registry: Registry) -> list[str]:
    """Two SIMs, activated 20 days ago, read in the units A and B."""
    iccids = listed(registry, 2)
    enrol(registry, STUDENT, OTHER, area="Quận 1")
    step(registry, "activate", iccids, ago(20))
    for serial, iccid in zip("AB", iccids, strict=True):
        read(registry, serial, iccid)
    return iccids


def test_billed_but_not_handed_over(registry: Registry, two: list[str]) -> None:
    assert found(registry) == {"not_handed_over": two}
    accept(registry, "android:A", STUDENT, ago(1))
    step(registry, "suspend", two[1:])
    assert found(registry) == {}


def test_two_active_for_one_child(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(2))
    accept(registry, "android:B", STUDENT, ago(1))
    assert found(registry) == {"two_for_one_child": two}
    moved(registry, "android:A", "return", "at_school")
    assert found(registry) == {"unit_gone": two[:1]}  # that child has one; the other still costs


@pytest.mark.parametrize(("step_", "state"), [("return", "stock"), ("lose", "lost"), ("retire", "retired")])
def test_active_in_a_unit_that_is_gone(registry: Registry, two: list[str], step_: str, state: str) -> None:
    accept(registry, "android:A", STUDENT, ago(2))
    accept(registry, "android:B", OTHER, ago(2))
    moved(registry, "android:A", step_, state)
    assert found(registry) == {"unit_gone": two[:1]}


def test_active_with_a_student_who_has_left(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(2))
    accept(registry, "android:B", OTHER, ago(2))
    enrol(registry, STUDENT, state="left")
    assert found(registry) == {"nobody": two[:1]}


def test_plans_that_have_ended(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(90))
    accept(registry, "android:B", OTHER, ago(89))
    assert found(registry) == {"past_end": two[:1], "ended_with_student": two[:1]}
    step(registry, "end", two[:1])
    assert found(registry) == {"ended_with_student": two[:1]}


def test_never_used_is_known_only_where_the_operator_says_so(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(10))
    accept(registry, "android:B", OTHER, ago(10))
    assert found(registry) == {}
    used(registry, two[0], ago(12)[:10], 5, ago(9)[:10])
    assert found(registry) == {}  # the file ends too early to tell
    used(registry, two[0], ago(11)[:10], 5, ago(1)[:10])
    assert found(registry) == {"never_used": two}  # what was used before the hand-over was somebody else's
    used(registry, two[1], ago(2)[:10], 5, ago(1)[:10])
    assert found(registry) == {"never_used": two[:1]}
    assert row(registry, two[1])["state"] == "in_use"


@pytest.mark.parametrize(
    ("quota", "spent"), [("10 GB", True), ("10.1 GB", False), ("10 GB/month", True), ("1 GB/day", False)]
)
def test_spent(registry: Registry, two: list[str], quota: str, spent: bool) -> None:
    accept(registry, "android:A", STUDENT, ago(10))
    step(registry, "suspend", two[1:])
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "sim.set", two[0], {"v": 1, "step": "list", "fields": {"quota": quota}})
    used(registry, two[0], NOW[:10], 10_000_000_000, NOW[:10])
    assert found(registry) == ({"spent": two[:1]} if spent else {})


def test_handed_over_but_not_activated_or_suspended(registry: Registry) -> None:
    iccids = listed(registry, 2)
    enrol(registry, STUDENT, OTHER)
    step(registry, "activate", iccids[1:], ago(3))
    accept(registry, read(registry, "A", iccids[0]), STUDENT, ago(2))
    accept(registry, read(registry, "B", iccids[1]), OTHER, ago(2))
    step(registry, "suspend", iccids[1:])
    assert found(registry) == {"not_activated": iccids[:1], "suspended": iccids[1:]}


def test_what_benches_read_does_not_fit(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(2))
    accept(registry, "android:B", OTHER, ago(2))
    clock_before_hand_over = found(registry)
    assert clock_before_hand_over == {}
    with transaction(registry.engine) as conn:
        fields: Any = {"accepted_at": "2025-01-01T00:00:00.000Z"}  # the registry's clock runs in 2025
        for iccid in two:
            registry.ledger.append(conn, "sim.set", iccid, {"v": 1, "step": "accept", "fields": fields})
    read(registry, "A", number(77))
    assert found(registry) == {"changed": two[:1], "not_ours": [number(77)]}
    read(registry, "C", two[0])
    assert found(registry)["read_elsewhere"] == two[:1]


def test_used_before_it_was_handed_over(registry: Registry, two: list[str]) -> None:
    used(registry, two[0], ago(3)[:10], 5, ago(1)[:10])
    assert found(registry) == {"not_handed_over": two, "used_before": two[:1]}
    assert row(registry, two[0])["state"] == "activated"


def test_endings_come_in_waves_by_day_and_area(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, ago(85))
    accept(registry, "android:B", OTHER, ago(70))
    with snapshot(registry.engine) as conn:
        seen = data_plans.overview(conn, NOW)
        assert seen.ends == {30: 2, 7: 1}
        assert [(one.day, one.area, one.count) for one in seen.waves] == [
            (shifted(NOW, 5)[:10], "Quận 1", 1),
            (shifted(NOW, 20)[:10], "Quận 1", 1),
        ]
        assert [line["iccid"] for line in data_plans.ends_in(conn, NOW, 7)] == two[:1]


def test_idle_sims_with_notice_and_grace(registry: Registry, two: list[str]) -> None:
    accept(registry, "android:A", STUDENT, "2021-10-01T00:00:00.000Z")
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "sim.set", two[0], {"v": 1, "step": "idle", "fields": {"state": "idle"}})
    with snapshot(registry.engine) as conn:
        [line] = data_plans.notices(conn)
    assert (line["last"], line["notice"], line["until"]) == ("2021-10-01", "2021-11-30", "2021-12-30")


def test_plans_against_the_school_calendar(registry: Registry, two: list[str]) -> None:
    """90 days from 2099-05-01: the first term ends on 05-30, the second has 20 days of the plan."""
    for serial, student in (("A", STUDENT), ("B", OTHER)):
        accept(registry, f"android:{serial}", student, "2099-05-01T00:00:00.000Z")
    terms = [
        {"term": "2099/1", "from": "2099-01-05", "to": "2099-05-30"},
        {"term": "2099/2", "from": "2099-07-11", "to": "2099-12-20"},
    ]
    body = json.dumps({"programme": "P", "one_per": "student", "calendar": terms})
    with transaction(registry.engine) as conn:
        conn.execute(insert(programmes).values(programme="P", digest="d", body=body, since=NOW))
    with snapshot(registry.engine) as conn:
        seen = data_plans.overview(conn, NOW)
    assert [(one.term, one.early) for one in seen.terms] == [("2099/1", 0), ("2099/2", 2)]
    assert (seen.plan_days, seen.free_days) == (180, 2 * (90 - 30 - 19))


def test_the_command(registry: Registry, home: Home, two: list[str]) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli.root, ["--home", str(home.path), "data-plans", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.tagged", "android:A", {"v": 1, "tag": "=A-1", "was": None})
    assert "2 billed, but not handed over." in " ".join(run().split())
    told = json.loads(run("--json"))
    assert [one["name"] for one in told["found"]] == ["not_handed_over"]
    lines = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert [(line["list"], line["iccid"]) for line in lines] == [("not_handed_over", iccid) for iccid in two]
    assert lines[0]["msisdn"].startswith("'+84")
    assert lines[0]["unit"] == "'=A-1"  # nothing that a spreadsheet program would run
    assert "No plan ends within 30 days." in run("--ends-in", "30")
    assert "No SIM is idle." in run("--idle")
    with transaction(registry.engine) as conn:
        sims.accepted(conn, registry.ledger, "android:A", STUDENT, ago(80))
    assert two[0] in run("--ends-in", "30")
    assert json.loads(run("--ends-in", "30", "--json"))["list"] == "ending"
