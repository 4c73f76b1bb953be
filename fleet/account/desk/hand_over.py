"""A student accepts a unit. Without this nothing is delivered, and no data plan begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from fleet.account.assign import by_hand as assign_hand
from fleet.account.assign.units import COLUMNS, JOINED
from fleet.account.custody import kit as custody_kit
from fleet.account.custody import steps as custody_steps
from fleet.account.custody import when
from fleet.account.custody import words as custody_words
from fleet.account.custody.kit import Kit
from fleet.account.custody.steps import Going, Moved
from fleet.account.people import pseudonyms, students
from fleet.account.programme import in_force as programme
from fleet.account.programme.in_force import HandOver, Programme
from fleet.account.sims import one_by_one as sims
from fleet.account.sims.one_by_one import Accepted
from fleet.db import transaction
from fleet.errors import CustodyError
from fleet.models import units
from fleet.units import Registry
from fleet.values import Json, storable
from profiles.errors import meant
from provision.text import printable

_LAST = re.compile(r"[0-9A-Z]{4}")


@dataclass(frozen=True)
class Acceptance:
    """Who took it and what was looked at. ``taken_by`` is a role; ``ids`` is role to the last four characters of the
    paper that was shown; ``allowed`` the reason for which it is given against the guards of
    an assignment; ``on`` the day on which it happened, where that was earlier."""

    taken_by: str
    kit: Kit
    condition: str
    guardian_present: bool = False
    ids: Mapping[str, str] = field(default_factory=dict)
    allowed: str = ""
    on: str = ""


@dataclass(frozen=True)
class HandedOver:
    """``lacking``: pieces that the programme gives and this kit had not. ``sims``: those in the unit."""

    moved: Moved
    lacking: Kit
    sims: tuple[Accepted, ...]


def ids_of(said: tuple[str, ...]) -> dict[str, str]:
    """``("guardian=1234",)``: the last four of the paper that each showed. CustodyError for more than that."""
    found: dict[str, str] = {}
    for one in said:
        role, _, last = one.partition("=")
        role, last = custody_words.checked("roles", role), last.strip().upper()
        if not _LAST.fullmatch(last):
            raise CustodyError(
                f"The paper of the {role} is not given by its last four characters.",
                f"Write --id {role}=1234; the whole number is never kept.",
            )
        found[role] = last
    return found


def hand_over(registry: Registry, name: str, student: str, accepted: Acceptance) -> HandedOver:
    """The unit that ``name`` means is accepted for ``student``, in one transaction with the SIMs that are in it.

    A unit that was not assigned to the student before has to pass the guards of an assignment, too. CustodyError lists
    all that is missing or stands against it; nothing has happened then.
    """
    taken_by = custody_words.checked("roles", accepted.taken_by)
    said: dict[str, Json] = {
        "taken_by": taken_by,
        "kit": {piece: count for piece, count in accepted.kit.items() if count},
        "condition": custody_words.checked("conditions", accepted.condition),
        "checks": {"guardian_present": accepted.guardian_present, "ids": {**accepted.ids}},
        "allowed": storable(accepted.allowed),
    }
    with transaction(registry.engine) as conn:
        said["student"] = students.the(conn, student)
        [going] = custody_steps.plan(conn, "hand_over", [name], said)
        wanted = programme.current(conn)
        check_pieces(wanted, accepted.kit)
        at = registry.ledger.clock()
        if accepted.on:
            said["on"] = at = when.day(accepted.on, at).after(going.held.since, going.held.shown)
        against = _of_programme(wanted.hand_over, accepted, taken_by)
        against += _of_assignment(conn, registry, wanted, going, accepted.allowed, at)
        if against:
            raise CustodyError(
                f"{going.held.shown} cannot be handed over: {'; '.join(against)}.", "Nothing was changed."
            )
        event = registry.ledger.append(conn, "unit.custody", going.held.key, going.body("hand_over", said))
        begins = at if accepted.on else event.at
        cards = sims.accepted(conn, registry.ledger, going.held.key, going.student or "", begins)
    return HandedOver(going.moved("hand_over"), custody_kit.missing(wanted.hand_over.kit, accepted.kit), cards)


def check_pieces(wanted: Programme, kit: Kit) -> None:
    """CustodyError for a piece that is misspelt; other pieces than the programme's may be given, too."""
    known = {"device": 1, **wanted.hand_over.kit}
    for piece in kit:
        if piece not in known and (near := meant(piece, known)):
            raise CustodyError(
                f'"{printable(piece)}" is no piece of the programme\'s kit{near}.', "Nothing was changed; say it again."
            )


def refuse(registry: Registry, name: str, student: str, why: str, note: str, place: str | None) -> Moved:
    """The family of ``student`` did not take the unit; ``why`` is a word of custody_words.yaml. Raises as above."""
    said: dict[str, Json] = {"why": custody_words.checked("refusals", why), "note": note}
    with transaction(registry.engine) as conn:
        said["student"] = students.the(conn, student)
        [going] = custody_steps.plan(conn, "refuse", [name], said | ({"place": place} if place else {}))
        registry.ledger.append(conn, "unit.custody", going.held.key, going.body("refuse", said))
    return going.moved("refuse")


def _of_programme(wanted: HandOver, accepted: Acceptance, taken_by: str) -> list[str]:
    against = []
    if wanted.takers and taken_by not in wanted.takers:
        against.append(f"the programme lets it be taken by {' or '.join(wanted.takers)}, not by a {taken_by}")
    if "guardian" in wanted.id_checks and not accepted.guardian_present and taken_by != "guardian":
        against.append("a guardian has to be there (--guardian-present)")
    unseen = [role for role in wanted.id_checks if role not in accepted.ids]
    if unseen:
        options = " ".join(f"--id {role}=1234" for role in unseen)
        against.append(f"no paper of the {' and the '.join(unseen)} was looked at ({options}: its last four)")
    return against


def _of_assignment(
    conn: Connection, registry: Registry, wanted: Programme, going: Going, allowed: str, at: str
) -> list[str]:
    """What stands against this student's having this unit."""
    student = assign_hand.the_student(conn, wanted, going.student or "")
    held = going.held
    if student.state != "enrolled":
        return [f"{pseudonyms.shown(student.student)} is not enrolled any more, but {student.state}"]
    if held.assigned == student.student:
        return []
    if held.assigned:
        return [f"it is meant for {pseudonyms.shown(held.assigned)} (fleet unassign {held.shown})"]
    if allowed:
        return []
    row = conn.execute(select(*COLUMNS).select_from(JOINED).where(units.c.key == held.key)).one()
    today = datetime.fromisoformat(at).astimezone().date().isoformat()
    against = [
        *assign_hand.against_student(conn, wanted, student, today),
        *assign_hand.against_unit(conn, registry, row, wanted, student),
    ]
    return [*against, "say why it is done all the same: --allow REASON"] if against else []
