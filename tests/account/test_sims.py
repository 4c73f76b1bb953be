"""SIMs one by one: what a bench reads, what a hand-over starts, and that replay gives the same tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

import cli
from fleet import sim_reading
from fleet.account.sims import one_by_one as sims
from fleet.db import snapshot, transaction
from fleet.errors import AccountError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.ledger_replay import replay
from fleet.models import metadata, sim_slots
from fleet.units import Registry, open_registry
from profiles.schema import DataPlan
from tests.account.sim_making import OTHER, STUDENT, accept, enrol, listed, number, read, row, step
from tests.fleet.making import tables

AT = "2025-03-02T01:00:00.000Z"


def remarks(registry: Registry, unit: str) -> list[str]:
    with snapshot(registry.engine) as conn:
        return list(sim_reading.remarks(conn, unit))


def insert(registry: Registry, iccid: str, unit: str) -> sims.Accepted | None:
    with transaction(registry.engine) as conn:
        return sims.insert(conn, registry.ledger, iccid, unit, AT)


def test_a_bench_reads_a_sim_of_ours(registry: Registry) -> None:
    [iccid] = listed(registry, 1)
    unit = read(registry, "A", iccid[:-1], "")  # this phone tells it without the check digit
    found = row(registry, iccid)
    assert (found["state"], found["unit"], found["read_unit"]) == ("read", unit, unit)
    with snapshot(registry.engine) as conn:
        before = conn.scalars(select(sim_slots.c.at).where(sim_slots.c.slot == 0)).one()
    read(registry, "A", f"{iccid}F")
    assert row(registry, iccid) == found  # nothing new: no event
    with snapshot(registry.engine) as conn:
        assert conn.scalars(select(sim_slots.c.at)).one() > before


def test_a_sim_that_is_put_in_after_the_reading_is_not_missed(registry: Registry) -> None:
    [iccid] = listed(registry, 1)
    unit = read(registry, "A", "")
    enrol(registry, STUDENT)
    insert(registry, iccid, "A")
    accept(registry, unit, STUDENT, AT)
    assert row(registry, iccid)["missed_at"] is None
    read(registry, "A", "")
    assert row(registry, iccid)["missed_at"]


def test_a_list_that_comes_after_the_reading(registry: Registry) -> None:
    unit = read(registry, "A", number(1))
    [iccid] = listed(registry, 1)
    found = row(registry, iccid)
    assert (found["state"], found["unit"]) == ("read", unit)


def test_a_reading_of_another_bench_counts_at_the_hand_over(registry: Registry, home: Home, tmp_path: Path) -> None:
    """That bench was offline and had no list of SIMs."""
    [iccid] = listed(registry, 1)
    enrol(registry, STUDENT)
    other = Home(tmp_path / "other")
    with open_registry(other, f"sqlite:///{other.database_file}", "minh") as offline:
        unit = read(offline, "A", iccid)
    exported = ["--home", str(other.path), "--database", f"sqlite:///{other.database_file}"]
    for words in (
        [*exported, "ledger", "export", str(tmp_path / "b.ledger")],
        ["--home", str(home.path), "ledger", "merge", str(tmp_path / "b.ledger")],
    ):
        assert CliRunner().invoke(cli.root, words, catch_exceptions=False).exit_code == 0
    assert row(registry, iccid)["unit"] is None
    [taken] = accept(registry, unit, STUDENT, AT)
    assert taken.iccid == iccid
    assert row(registry, iccid)["state"] == "handed_over"


def test_the_profile_says_what_the_sim_is_planned_for(registry: Registry) -> None:
    plan = DataPlan(quota="4 GB/day", days=90)
    [iccid, other] = listed(registry, 2, plan="")
    read(registry, "A", iccid, plan=plan)
    assert (row(registry, iccid)["quota"], row(registry, iccid)["days"]) == ("4 GB/day", 90)
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, *sim_reading.changed("list", other, {"quota": "2 GB/day"}))
    read(registry, "B", other, plan=plan)
    assert (row(registry, other)["quota"], row(registry, other)["days"]) == ("2 GB/day", None)  # the operator's word


def test_the_profiles_plan_counts_for_a_list_that_comes_later(registry: Registry) -> None:
    read(registry, "A", number(1), plan=DataPlan(quota="10 GB", days=30))
    [iccid] = listed(registry, 1, plan="")
    assert (row(registry, iccid)["quota"], row(registry, iccid)["days"]) == ("10 GB", 30)


def test_what_is_odd_about_a_reading_is_said(registry: Registry) -> None:
    [mine, other] = listed(registry, 2)
    enrol(registry, STUDENT)
    unit, second = read(registry, "A", ""), read(registry, "B", "")
    insert(registry, mine, "A")
    insert(registry, other, "B")
    assert row(registry, mine)["state"] == "inserted"
    read(registry, "A", "?")
    assert row(registry, mine)["missed_at"] is None  # this phone tells no number: nobody knows
    read(registry, "B", other)
    assert remarks(registry, unit) == remarks(registry, second) == []
    read(registry, "A", other)
    assert remarks(registry, unit) == [
        f"SIM {other} was put into {second}, and was read here.",
        f"SIM {other} was read in {second}, too: 2025-03-01.",
        f"SIM {mine} belongs in it and was not read: the SIM was changed.",
    ]
    assert row(registry, mine)["missed_at"]
    registry.tag("A", "A-0001")
    assert remarks(registry, second) == [f"SIM {other} was read in A-0001, too: 2025-03-01."]
    read(registry, "A", "")
    assert remarks(registry, unit) == [f"SIM {mine} belongs in it, and there was none in it: 2025-03-01."]
    read(registry, "A", mine)
    assert row(registry, mine)["missed_at"] is None
    accept(registry, unit, STUDENT, AT)
    read(registry, "A", number(77))
    assert remarks(registry, unit) == [
        f"SIM {number(77)} is not ours: it is in no operator's list.",
        f"SIM {mine} belongs in it and was not read: the SIM was changed since its hand-over.",
    ]


def test_the_clock_starts_at_acceptance_and_at_nothing_before(registry: Registry) -> None:
    [iccid] = listed(registry, 1)
    enrol(registry, STUDENT, OTHER)
    step(registry, "activate", [iccid], "2025-01-01T00:00:00.000Z")
    unit = read(registry, "A", iccid)
    assert row(registry, iccid)["ends_at"] is None
    assert accept(registry, unit, STUDENT, AT) == (sims.Accepted(iccid, "2025-05-31T01:00:00.000Z"),)
    found = row(registry, iccid)
    assert (found["state"], found["accepted_at"], found["student"]) == ("handed_over", AT, STUDENT)
    assert accept(registry, unit, STUDENT, "2025-04-01T01:00:00.000Z")[0].ends_at == found["ends_at"]
    [second] = accept(registry, unit, OTHER, "2025-04-02T01:00:00.000Z")
    assert second.ends_at == found["ends_at"]  # with the operator it has run on
    assert row(registry, iccid)["student"] == OTHER


def test_a_hand_over_says_what_its_sim_lacks(registry: Registry) -> None:
    [waiting, stopped, closed] = listed(registry, 3)
    enrol(registry, STUDENT)
    step(registry, "activate", [stopped, closed])
    step(registry, "suspend", [stopped])
    step(registry, "end", [closed])
    remark = {}
    for iccid, serial in ((waiting, "A"), (stopped, "B"), (closed, "C")):
        [taken] = accept(registry, read(registry, serial, iccid), STUDENT, AT)
        remark[iccid] = (taken.remark, row(registry, iccid)["state"])
    assert remark == {
        waiting: ("it is not activated", "handed_over"),
        stopped: ("it is suspended", "suspended"),
        closed: ("its plan has ended", "ended"),
    }


def test_another_sim_for_a_unit_that_is_with_a_student(registry: Registry) -> None:
    [first, second] = listed(registry, 2)
    enrol(registry, STUDENT)
    accept(registry, read(registry, "A", first), STUDENT, AT)
    taken = insert(registry, second, "A")
    assert taken
    assert (taken.iccid, row(registry, second)["accepted_at"]) == (second, AT)


def test_a_sim_without_a_unit(registry: Registry) -> None:
    [iccid, other] = listed(registry, 2)
    enrol(registry, STUDENT)
    read(registry, "A", other)
    with transaction(registry.engine) as conn:
        assert sims.hand_over(conn, registry.ledger, iccid, STUDENT, AT).ends_at == "2025-05-31T01:00:00.000Z"
        with pytest.raises(AccountError, match="No student"):
            sims.hand_over(conn, registry.ledger, iccid, "S999999999", AT)
        with pytest.raises(AccountError, match="is in android:A"):
            sims.hand_over(conn, registry.ledger, other, STUDENT, AT)


def test_replay_gives_the_same_tables(registry: Registry) -> None:
    iccids = listed(registry, 4)
    enrol(registry, STUDENT)
    step(registry, "activate", iccids[:3])
    unit = read(registry, "A", iccids[0], plan=DataPlan(quota="4 GB/day", days=90))
    accept(registry, unit, STUDENT, AT)
    with transaction(registry.engine) as conn:
        months: Any = [["2025-03", 6, 100]]
        registry.ledger.append(conn, "sim.used", iccids[0], {"v": 1, "months": months, "used_at": "2025-03-03"})
        registry.ledger.append(conn, "sim.used", iccids[0], {"v": 1, "months": months, "used_at": "2025-03-03"})
        asked: Any = {"v": 1, "request": "R0000-0001-000001", "batch": "R0000-0001", "ask": "end"}
        registry.ledger.append(conn, "sim.asked", iccids[1], asked)
        answered: Any = {"v": 1, "request": "R0000-0001-000001", "status": "done"}
        registry.ledger.append(conn, "sim.answered", iccids[1], answered)
        registry.ledger.append(conn, "sim.answered", iccids[2], answered)
        registry.ledger.append(conn, "sims.counted", "viettel", {"v": 1, "through": "2025-03-05"})
        registry.ledger.append(conn, "sims.counted", "viettel", {"v": 1, "through": "2025-03-01"})
    assert row(registry, iccids[0])["used_bytes"] == 100  # a day is counted once, whoever counts it
    read(registry, "B", iccids[1])
    step(registry, "suspend", iccids[1:2])
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)
        engine = create_engine("sqlite://")
        metadata.create_all(engine)
        with engine.connect() as target:
            replay(conn, target)
            assert tables(target) == tables(conn)
        engine.dispose()


def test_the_commands_of_one_sim(home: Home, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        done = CliRunner().invoke(cli.root, ["--home", str(home.path), "sim", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    run("add", number(1)[:-1] + number(1)[-1], "--carrier", "Viettel", "--number", "0981 234 567", "--plan", "10 GB")
    with pytest.raises(AccountError, match="known already"):
        run("add", number(1), "--carrier", "viettel")
    with pytest.raises(AccountError, match="is the number of SIM"):
        run("add", number(2), "--carrier", "viettel", "--number", "+84981234567")
    with pytest.raises(AccountError, match="mistyped"):
        run("add", number(2)[:-1] + str((int(number(2)[-1]) + 1) % 10), "--carrier", "viettel")
    assert "is activated." in run("activate", number(1))
    assert "is activated, as it was." in run("activate", number(1))
    with pytest.raises(AccountError, match="No SIM has the number"):
        run("suspend", number(1), number(2))
    assert "activated since" in run("show", "+84981234567")  # nothing was suspended
    assert "is suspended." in run("suspend", number(1))
    assert "is activated." in run("resume", number(1))
    shown = json.loads(run("show", number(1), "--json"))
    assert [line["what"].partition(":")[0] for line in shown["history"]] == ["resume", "suspend", "activate", "receive"]
    assert number(1) in run("list", "--where", "state=activated and carrier=viettel")
    assert "No such SIM" in run("list", "--where", "state!=activated")
    assert number(1) in run("list", "--where", f"iccid={number(1)[:-1]} and not_handed_over and not number~+849999")
    for wrong in ("stat=read", "state=reed", "state", 'place="', "idl", "ends_in=soon", "state<read", "idle and"):
        with pytest.raises(AccountError):
            run("list", "--where", wrong)
