"""Steps of custody as stories: a file that anybody can add to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from fleet.account.assign.units import ready
from fleet.account.custody import kit as custody_kit
from fleet.account.custody import places
from fleet.account.custody import steps as custody_steps
from fleet.account.custody import words as custody_words
from fleet.account.custody.machine import STEPS, State
from fleet.account.custody.places import Place, set_here
from fleet.account.custody.returning import take_back
from fleet.account.desk.hand_over import Acceptance, hand_over, ids_of, refuse
from fleet.account.people import students
from fleet.account.programme.in_force import current
from fleet.db import snapshot, transaction
from fleet.errors import AccountError, CustodyError
from fleet.home import Home
from fleet.models import acceptances, events, sims
from fleet.units import Registry
from fleet.values import Json
from profiles.errors import SchoolbagError
from tests.account.custody_making import STUDENTS, assert_replays, furnish, make_ready, take_in, where
from tests.fleet.making import SQLITE, identity, report
from tests.fleets import Fleet

STORIES = yaml.safe_load((Path(__file__).parents[1] / "data/custody/stories.yaml").read_text(encoding="utf-8"))
ACCEPTED = Acceptance("guardian", {"device": 1}, "good")


@SQLITE
@pytest.mark.parametrize("story", STORIES)
def test_story(registry: Registry, story: str) -> None:
    furnish(registry)
    take_in(registry, ["A-0001", "A-0002"])
    make_ready(registry, ["A-0001", "A-0002"])
    for step in STORIES[story]:
        before = _facts(registry)
        if "refused" in step:
            with pytest.raises(SchoolbagError) as refused:
                _do(registry, step)
            for words in step["refused"]:
                assert words.casefold() in str(refused.value).casefold(), str(refused.value)
            assert _facts(registry) == before, "a refusal changed something"
        else:
            _do(registry, step)
            tag = step["units"][0].split("..")[0].upper()
            assert list(where(registry, tag)) == step["is"], step
    assert_replays(registry)


def _do(registry: Registry, step: Mapping[str, Any]) -> None:
    names, kit = step["units"], custody_kit.parse(step.get("kit", ()))
    match step["do"]:
        case "hand_over":
            accepted = Acceptance("guardian", kit, "good", allowed=step.get("allow", ""))
            hand_over(registry, names[0], step["student"], accepted)
        case "return":
            [back] = take_back(registry, names, step["place"], kit, "worn")
            assert back.missing == step["missing"]
        case "refuse":
            refuse(registry, names[0], step["student"], step["why"], "", step.get("place"))
        case name:
            said = {key: value for key, value in step.items() if key not in ("do", "units", "is", "refused")}
            custody_steps.do(registry, name, names, said)


def _facts(registry: Registry) -> Any:
    with snapshot(registry.engine) as conn:
        return conn.execute(select(events.c.hash).order_by(events.c.bench, events.c.seq)).all()


def test_every_state_can_be_reached_and_every_step_has_a_story() -> None:
    reached = {step["is"][0] for story in STORIES.values() for step in story if "is" in step}
    assert reached == set(State) - {State.AT_BENCH}
    assert {step["do"] for story in STORIES.values() for step in story} == set(STEPS)


def test_an_acceptance_keeps_what_was_looked_at(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"])
    make_ready(registry, ["A-0001"])
    programme = {"programme": "p", "one_per": "student"}
    wanted = {"takers": ["guardian"], "id_checks": ["guardian", "student"], "kit": {"charger": 1, "device": 1}}
    _apply(registry, {**programme, "hand_over": wanted})
    with pytest.raises(CustodyError, match="taken by guardian, not by a student"):
        hand_over(registry, "A-0001", STUDENTS[0], Acceptance("student", {"device": 1}, "good", guardian_present=True))
    with pytest.raises(CustodyError, match="no paper of the guardian and the student"):
        hand_over(registry, "A-0001", STUDENTS[0], ACCEPTED)
    with pytest.raises(CustodyError, match=r'"chargr" is no piece of the programme.s kit .did you mean "charger"'):
        hand_over(registry, "A-0001", STUDENTS[0], Acceptance("guardian", {"device": 1, "chargr": 1}, "good"))
    with pytest.raises(CustodyError, match="last four"):
        ids_of(("guardian=012345678901",))
    seen = Acceptance("guardian", {"device": 1}, "good", ids=ids_of(("guardian=1234", "student=90ab")))
    done = hand_over(registry, "A-0001", "s-000000001", seen)
    assert done.lacking == {"charger": 1}
    with snapshot(registry.engine) as conn:
        row = conn.execute(select(acceptances)).one()
    assert json.loads(row.checks) == {"guardian_present": False, "ids": {"guardian": "1234", "student": "90AB"}}
    assert (row.student, row.taken_by, row.condition) == (STUDENTS[0], "guardian", "good")
    assert_replays(registry)


def test_a_guardian_has_to_be_there_where_the_programme_looks_at_papers(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"])
    make_ready(registry, ["A-0001"])
    _apply(registry, {"programme": "p", "one_per": "student", "hand_over": {"id_checks": ["guardian"]}})
    with pytest.raises(CustodyError, match="a guardian has to be there"):
        hand_over(
            registry, "A-0001", STUDENTS[0], Acceptance("teacher", {"device": 1}, "good", ids={"guardian": "1234"})
        )


def test_the_clock_of_the_sim_starts_at_acceptance(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"])
    make_ready(registry, ["A-0001"])
    with transaction(registry.engine) as conn:
        activated = "2025-01-01T00:00:00.000Z"
        fields: dict[str, Json] = {
            "state": "activated",
            "unit": "android:SNA0001",
            "days": 90,
            "activated_at": activated,
        }
        registry.ledger.append(conn, "sim.set", "8984048000012345678", {"v": 1, "step": "test", "fields": fields})
    custody_steps.do(registry, "send", ["A-0001"], {"place": "LE-LOI"})
    with snapshot(registry.engine) as conn:
        assert conn.execute(select(sims.c.ends_at)).scalar_one() is None
    [card] = hand_over(registry, "A-0001", STUDENTS[0], ACCEPTED).sims
    with snapshot(registry.engine) as conn:
        row = conn.execute(select(sims)).mappings().one()
        at = conn.execute(select(acceptances.c.at)).scalar_one()
    assert (row["state"], row["student"], row["accepted_at"]) == ("handed_over", STUDENTS[0], at)
    assert row["ends_at"] == card.ends_at
    assert (row["ends_at"] or "") > at


def test_who_left_is_given_nothing(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"])
    make_ready(registry, ["A-0001"])
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "student.set", STUDENTS[0], {"v": 1, "fields": {"state": "left"}, "ids": {}})
    with pytest.raises(CustodyError, match="S-000000001 is not enrolled any more, but left"):
        hand_over(registry, "A-0001", STUDENTS[0], ACCEPTED)


@SQLITE
def test_what_stands_against_units_is_told_before_names_that_mean_none(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001", "A-0050"])
    custody_steps.do(registry, "send", ["A-0050"], {"place": "LE-LOI"})
    with pytest.raises(CustodyError) as refused:
        custody_steps.do(registry, "move", ["A-0001..A-0050"], {"place": "LE-LOI"})
    head, first, *unknown = refused.value.what.splitlines()
    assert head == "49 of 50 units cannot be moved, so nothing was changed."
    assert first == "  A-0050: It cannot be moved: it is in transit, and not at bench, at school or stock."
    assert unknown[0] == "  No unit has the tag or serial 'A-0002'."
    assert (len(unknown), unknown[-1]) == (21, "  … and 28 more such.")
    with pytest.raises(CustodyError, match="be recorded as lost without --search and --evidence"):
        custody_steps.do(registry, "lose", ["A-0001"], {})
    with pytest.raises(CustodyError, match="come back without --kit or --complete"):
        take_back(registry, ["A-0001"], "STORE", {}, "good")


def _tags_ready(registry: Registry) -> list[str]:
    with snapshot(registry.engine) as conn:
        return [one.shown for one in ready(conn, current(conn), ())]


@SQLITE
def test_what_was_meant_for_who_left_is_ready_again(home: Home, registry: Registry) -> None:
    furnish(registry)
    tags = ["A-0001", "A-0002", "A-0003"]
    take_in(registry, tags)
    make_ready(registry, tags)
    keys = [f"android:SN{tag.replace('-', '')}" for tag in tags]
    with transaction(registry.engine) as conn:
        for key, student in zip(keys, STUDENTS, strict=True):
            registry.ledger.append(conn, "unit.assigned", key, {"v": 1, "student": student, "why": "", "allowed": ""})
    hand_over(registry, "A-0002", STUDENTS[1], ACCEPTED)
    assert _tags_ready(registry) == []
    fleet = Fleet(home.path, 1)
    left = [fleet("student", "leave", student, "--why", "moved").out for student in (STUDENTS[0], STUDENTS[1])]
    assert left == [
        "S-000000001 has left. Meant for nobody any more: A-0001.\n",
        "S-000000002 has left. Take back: A-0002.\n",
    ]
    with transaction(registry.engine) as conn:
        last = conn.execute(
            select(events).where(events.c.kind == "unit.assigned").order_by(events.c.seq.desc())
        ).first()
        assert last is not None
        body = json.loads(last.body)
        assert (last.subject, body["student"], body["why"], body["was"]) == (keys[0], None, "left", STUDENTS[0])
        assert students.leave(conn, registry.ledger, STUDENTS[0], "again") == students.Left((), ())
    assert where(registry, "A-0001") == ("stock", "STORE", None, None)
    assert _tags_ready(registry) == ["A-0001"]
    assert fleet("student", "forget", STUDENTS[2], "--why", "asked", "--yes").code == 0
    assert _tags_ready(registry) == ["A-0001", "A-0003"]
    assert_replays(registry)


def test_a_bench_knows_where_it_stands(registry: Registry) -> None:
    furnish(registry)
    registry.record(report(identity("EARLY")))
    with pytest.raises(AccountError, match="LE-LOI is a school, and no bench"):
        set_here(registry, "LE-LOI")
    set_here(registry, "bench-1")
    registry.record(report(identity("LATE")))
    registry.tag("EARLY", "E-1")
    registry.tag("LATE", "L-1")
    assert where(registry, "E-1")[:2] == ("at_bench", "")
    assert where(registry, "L-1")[:2] == ("at_bench", "BENCH-1")
    custody_steps.do(registry, "move", ["E-1"], {"place": "BENCH-1"})
    assert where(registry, "E-1")[:2] == ("at_bench", "BENCH-1")
    assert_replays(registry)


def test_a_place_is_named_anew_and_wrong_ones_are_refused(registry: Registry) -> None:
    furnish(registry)
    with transaction(registry.engine) as conn:
        assert not places.put(conn, registry.ledger, Place("LE-LOI", "Le-Loi", "school", "Q1"))
        assert places.put(conn, registry.ledger, Place("le-loi", "Trường Lê Lợi", "school", "Quận 1"))
        assert places.the(conn, "Le-Loi").name == "Trường Lê Lợi"
        with pytest.raises(AccountError, match='did you mean "LE-LOI"'):
            places.the(conn, "trường lê lợi")
        with pytest.raises(AccountError, match='did you mean "store"'):
            places.put(conn, registry.ledger, Place("X", "", "stor", ""))
        with pytest.raises(AccountError, match="cannot be the code"):
            places.put(conn, registry.ledger, Place("Lê Lợi", "", "school", ""))


def test_what_is_not_said_of_a_place_stays(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"], place="BA-DINH")
    with transaction(registry.engine) as conn:
        assert places.wanted(conn, "le-loi", None, None, "Quận 1") == Place("LE-LOI", "Le-Loi", "school", "Quận 1")
        assert places.wanted(conn, "ws", None, "", None) == Place("WS", "", "repair", "Q1")
        with pytest.raises(AccountError, match=r'did you mean "STORE"\?\)\. A new one needs --kind'):
            places.wanted(conn, "STOER", None, "Store", None)
        for school, there in (("LE-LOI", "3 students"), ("BA-DINH", "1 unit")):
            with pytest.raises(AccountError, match=f"is a school and cannot become a store: it has {there}"):
                places.put(conn, registry.ledger, places.wanted(conn, school, "store", None, None))
        assert places.put(conn, registry.ledger, places.wanted(conn, "ws", "store", None, None))
    custody_steps.do(registry, "retire", ["A-0001"], {"why": "broken"})
    with transaction(registry.engine) as conn:
        assert places.put(conn, registry.ledger, places.wanted(conn, "BA-DINH", "store", None, None))


@SQLITE
def test_place_add_says_what_the_place_is(home: Home, registry: Registry) -> None:
    fleet = Fleet(home.path, 1)
    told = [
        fleet("place", "add", "LE-LOI", *words).out
        for words in (["--kind", "school", "--name", "Lê Lợi"], ["--area", "Q1"], ["--area", "Q1"])
    ]
    assert told == [
        "LE-LOI is a school (Lê Lợi).\n",
        "LE-LOI is a school (Lê Lợi, Q1).\n",
        "LE-LOI is a school (Lê Lợi, Q1), as it was.\n",
    ]
    refused = fleet("place", "add", "LELOI", "--name", "Lê Lợi")
    assert (refused.code, 'did you mean "LE-LOI"' in refused.err) == (1, True)


def test_one_name_for_two_units_is_no_name(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-0001"], maker="Apple")
    registry.record(report(identity("SNA0001")))
    with pytest.raises(CustodyError, match="may mean 2 units: android:SNA0001, ios:SNA0001"):
        custody_steps.do(registry, "move", ["SNA0001"], {"place": "LE-LOI"})
    custody_steps.do(registry, "move", ["ios:SNA0001"], {"place": "LE-LOI"})
    assert where(registry, "A-0001")[1] == "LE-LOI"


@pytest.mark.parametrize("piece", ["", "=1", "device=x", "device=-1", "device=100", "cable=1.5"])
def test_pieces_that_are_none(piece: str) -> None:
    with pytest.raises(CustodyError):
        custody_kit.parse([piece])


def test_a_piece_is_named_once() -> None:
    with pytest.raises(CustodyError, match="named twice"):
        custody_kit.parse(["charger", "Charger=2"])
    assert custody_kit.parse(["SIM card", "cable = 2"]) == {"sim card": 1, "cable": 2}


def test_words_are_ours_whatever_their_capitals() -> None:
    assert custody_words.checked("faults", "charging_Port") == "charging port"
    with pytest.raises(CustodyError, match='did you mean "battery"'):
        custody_words.checked("faults", "batery")


def _apply(registry: Registry, programme: dict[str, Any]) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "programme.set", "p", {"v": 1, "digest": "d", "programme": programme})
