"""What a student got, lost and gave back is told from the student's side."""

from __future__ import annotations

from rich.console import Console
from sqlalchemy import func, select

from fleet.account.assign.by_hand import unassign
from fleet.account.custody.steps import do
from fleet.account.desk.hand_over import Acceptance, hand_over, refuse
from fleet.account.people.student_screen import student as on_screen
from fleet.account.people.students import StudentView, view
from fleet.account.people.vault import the_vault
from fleet.db import snapshot, transaction
from fleet.models import events
from fleet.units import Registry
from fleet.values import Json
from tests.account.custody_making import STUDENTS, furnish, make_ready, take_in
from tests.account.sim_making import listed, read, step

AN, BINH, CHI = STUDENTS
TAKEN = Acceptance("guardian", {"device": 1, "charger": 1}, "good", allowed="a test")


def seen(registry: Registry, student: str = AN) -> StudentView:
    with snapshot(registry.engine) as conn:
        return view(conn, student)


def shown(found: StudentView) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(*on_screen(found, None), sep="\n")
    return captured.get()


def told(registry: Registry, student: str = AN) -> list[str]:
    """Oldest first; not what the roster says."""
    return [one.what for one in reversed(seen(registry, student).history) if one.kind != "student.set"]


def test_what_a_student_got_lost_and_gave_back(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-1", "A-2"])
    make_ready(registry, ["A-1", "A-2"])
    [iccid] = listed(registry, 1)
    step(registry, "activate", [iccid])
    read(registry, "SNA1", iccid)
    refuse(registry, "A-2", AN, "no use", "", None)
    hand_over(registry, "A-1", AN, TAKEN)
    assert [(one["unit"], one["holds"]) for one in seen(registry).units] == [("A-1", True)]
    do(registry, "lose", ["A-1"], {"search": "asked at home", "evidence": "report"})
    assert [(one["unit"], one["state"], one["holds"]) for one in seen(registry).units] == [("A-1", "lost", False)]
    assert "A-1, lost since" in shown(seen(registry))
    do(registry, "find", ["A-1"], {"place": "STORE"})
    assert seen(registry).units == ()
    hand_over(registry, "A-1", BINH, TAKEN)
    assert told(registry) == [
        "A-2 not taken; why: no use",
        "A-1 accepted, taken by the guardian; with 1 charger, 1 device; condition: good",
        "A-1 lost; search: asked at home; evidence: report",
        "A-1 found",
    ]
    *_, unit, sim = told(registry, BINH)
    assert unit.startswith("A-1 accepted, taken by the guardian")
    assert sim.startswith(f"SIM {iccid}: handed over, until 2025-")


def test_who_was_to_get_one(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, ["A-1"])
    with transaction(registry.engine) as conn:
        body: dict[str, Json] = {"v": 1, "student": AN, "why": "number 1 in the order", "allowed": ""}
        registry.ledger.append(conn, "unit.assigned", "android:SNA1", {**body})
    unassign(registry, "A-1", "moved away")
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.assigned", "android:SNA1", {**body, "student": BINH, "why": ""})
    assert told(registry, BINH) == ["A-1 is meant for them"]


def test_a_name_that_is_not_kept_is_not_read(registry: Registry) -> None:
    furnish(registry)
    with transaction(registry.engine) as conn:
        assert the_vault(registry.home, conn).open(conn, registry.ledger, CHI, "to call") is None
        assert conn.scalar(select(func.count()).where(events.c.kind == "vault.read")) == 0
