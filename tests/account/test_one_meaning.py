"""Status, filters, balance, reports, gaps and SIMs say one thing of a unit that a student has, and of the SIM in it."""

from __future__ import annotations

import pytest

from fleet.account.custody.balance import balance
from fleet.account.custody.steps import do
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.account.programme.gaps import listed as gaps
from fleet.account.programme.in_force import current
from fleet.account.programme.scope import Scope
from fleet.account.reports.levels import report, trace
from fleet.account.sims import data_plans
from fleet.account.sims import view as sim_view
from fleet.account.sims import where as sim_where
from fleet.account.status import known, unit_list
from fleet.account.status.by import by
from fleet.account.status.health_rules import rules_of
from fleet.db import snapshot, transaction
from fleet.units import Registry
from fleet.values import Json
from tests.account.custody_making import assert_replays, furnish, make_ready, take_in
from tests.account.sim_making import listed, read, step

AN, BINH = "S000000001", "S000000002"
TAGS = ("A-1", "A-2")
NOW = "2025-03-01T12:00:00.000Z"


@pytest.fixture
def handed(registry: Registry) -> list[str]:
    """Two units with activated SIMs went from the store to students of Lê Lợi, who live in another area than that of
    their school; a third SIM went alone. Their ICCIDs."""
    furnish(registry)
    with transaction(registry.engine) as conn:
        for student, area in ((AN, "Q2"), (BINH, "")):
            fields = {"school": "LE-LOI", "area": area, "connection": "none"}
            registry.ledger.append(conn, "student.set", student, {"v": 1, "fields": {**fields}, "ids": {}})
    take_in(registry, TAGS)
    iccids = listed(registry, 2, place="STORE")
    step(registry, "activate", iccids[:1])
    for tag, iccid, student in zip(TAGS, iccids, (AN, BINH), strict=True):
        make_ready(registry, [tag])
        read(registry, f"SN{tag.replace('-', '')}", iccid)
        hand_over(registry, tag, student, Acceptance("guardian", {"device": 1}, "good", allowed="a test"))
    return iccids


def fits(registry: Registry, where: str) -> list[str | None]:
    with snapshot(registry.engine) as conn:
        within = known.asked(conn, rules_of(registry.home), where, NOW)
        return [one.tag for one in unit_list.listed(conn, within)]


def groups(registry: Registry, dimension: str, where: str | None = None) -> dict[str, dict[str, int]]:
    with snapshot(registry.engine) as conn:
        within = known.asked(conn, rules_of(registry.home), where, NOW)
        return {one.value: dict(one.by_state) for one in by(conn, within, dimension)}


def figures(registry: Registry, school: str = "LE-LOI") -> dict[str, int]:
    with snapshot(registry.engine) as conn:
        found = report(conn, "school", school, NOW).figures
        for name in ("devices", "sims"):
            assert len(list(trace(conn, "school", school, name, NOW))) == found[name]
    return {name: found[name] for name in ("devices", "sims")}


def sims(registry: Registry, where: str) -> list[tuple[str, str, str, str]]:
    with snapshot(registry.engine) as conn:
        _, found = sim_view.listed(conn, sim_where.parsed(conn, where, NOW), None)
    return [(one["iccid"], one["place"], one["school"], one["area"]) for one in found]


def plans(registry: Registry) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with snapshot(registry.engine) as conn:
        for name, line in data_plans.every(conn, NOW):
            found.setdefault(name, []).append(line["iccid"])
    return found


def reasons(registry: Registry) -> dict[str, list[str]]:
    with snapshot(registry.engine) as conn:
        return {one.student: list(one.reasons) for one in gaps(conn, current(conn), NOW, Scope())}


def test_a_unit_that_a_student_has_is_of_the_students_school_and_area(registry: Registry, handed: list[str]) -> None:
    assert fits(registry, "place=STORE") == fits(registry, "school=LE-LOI") == [*TAGS]
    assert fits(registry, "school=BA-DINH") == fits(registry, "school!=LE-LOI") == fits(registry, "school=none") == []
    assert fits(registry, "area=Q2") == ["A-1"]  # of the student
    assert fits(registry, "area=Q1") == fits(registry, "area!=Q2") == ["A-2"]  # of the school: the student has none
    assert fits(registry, "area=none") == []
    assert fits(registry, "area in (Q1, Q2) and not school=none") == [*TAGS]
    assert fits(registry, 'area~"q" and kind=store') == [*TAGS]
    assert groups(registry, "place") == {"STORE": {"with_student": 2}}
    assert groups(registry, "school") == {"LE-LOI": {"with_student": 2}}
    assert groups(registry, "area") == {"Q1": {"with_student": 1}, "Q2": {"with_student": 1}}
    assert groups(registry, "school", "area=Q2") == {"LE-LOI": {"with_student": 1}}
    assert figures(registry)["devices"] == 2
    with snapshot(registry.engine) as conn:
        found = balance(conn, NOW, place="LE-LOI")
    assert (found.received, dict(found.by_state)) == (2, {"with_student": 2})


def test_a_unit_that_came_back_is_of_its_place(registry: Registry, handed: list[str]) -> None:
    back: dict[str, Json] = {"place": "BA-DINH", "condition": "good", "kit": {"device": 1}}
    do(registry, "return", ["A-1"], back)
    assert fits(registry, "school=BA-DINH") == fits(registry, "area=Q1 and school!=LE-LOI") == ["A-1"]
    assert groups(registry, "school") == {"BA-DINH": {"at_school": 1}, "LE-LOI": {"with_student": 1}}
    assert groups(registry, "area") == {"Q1": {"at_school": 1, "with_student": 1}}
    do(registry, "move", ["A-1"], {"place": "STORE"})
    assert fits(registry, "school=none") == ["A-1"]
    assert groups(registry, "school") == {"LE-LOI": {"with_student": 1}, "": {"stock": 1}}
    with snapshot(registry.engine) as conn:
        found = balance(conn, NOW, place="LE-LOI")
    assert (found.received, dict(found.by_state)) == (2, {"stock": 1, "with_student": 1})
    assert_replays(registry)


def test_a_sim_runs_when_it_is_activated_and_where_its_student_has_it(registry: Registry, handed: list[str]) -> None:
    assert figures(registry)["sims"] == 1
    assert plans(registry) == {"not_activated": handed[1:]}
    assert "no_plan" not in reasons(registry).get(AN, [])
    assert "no_plan" in reasons(registry)[BINH]
    step(registry, "activate", handed[1:])
    assert figures(registry)["sims"] == 2
    assert plans(registry) == {}
    assert "no_plan" not in reasons(registry).get(BINH, [])


def test_a_sim_is_where_its_unit_is(registry: Registry, handed: list[str]) -> None:
    assert sims(registry, "school=LE-LOI") == [
        (handed[0], "STORE", "LE-LOI", "Q2"),
        (handed[1], "STORE", "LE-LOI", "Q1"),
    ]
    lost = {"search": "asked at home", "evidence": "none"}
    do(registry, "lose", [*TAGS], lost)
    assert figures(registry) == {"devices": 0, "sims": 0}
    assert plans(registry) == {"unit_gone": handed[:1]}
    assert {"lost", "no_connection"} <= {*reasons(registry)[AN]}
    do(registry, "find", ["A-1"], {"place": "BA-DINH"})
    do(registry, "find", ["A-2"], {"place": "STORE"})
    assert sims(registry, "") == [(handed[0], "BA-DINH", "BA-DINH", "Q1"), (handed[1], "STORE", "", "Q1")]
    assert figures(registry) == {"devices": 0, "sims": 0}
    with snapshot(registry.engine) as conn:
        assert sim_view.view(conn, handed[0]).place == "BA-DINH"
