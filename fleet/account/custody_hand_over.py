"""A student accepts a unit. Without this nothing is delivered, and no data plan begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from fleet.account import custody_kit, custody_steps, custody_words, programme, sims
from fleet.account.custody_kit import Kit
from fleet.account.custody_names import Held
from fleet.account.custody_steps import Moved
from fleet.account.programme import HandOver
from fleet.account.sims import Accepted
from fleet.db import transaction
from fleet.errors import AccountError, CustodyError
from fleet.models import custody, students, units
from fleet.units import Registry
from fleet.values import Json, storable
from provision.text import printable

_LAST = re.compile(r"[0-9A-Z]{4}")
_KEY = re.compile(r"S[0-9A-HJKMNP-TV-Z]{9}")


@dataclass(frozen=True)
class Acceptance:
    """Who took it and what was looked at. ``taken_by`` is a role; ``ids`` is role to the last four characters of the
    paper that was shown; ``allowed`` the reason for which a second unit is given."""

    taken_by: str
    kit: Kit
    condition: str
    guardian_present: bool = False
    ids: Mapping[str, str] = field(default_factory=dict)
    allowed: str = ""


@dataclass(frozen=True)
class HandedOver:
    """``lacking``: pieces that the programme gives and this kit had not. ``sims``: those in the unit."""

    moved: Moved
    lacking: Kit
    sims: tuple[Accepted, ...]


def student_key(text: str) -> str:
    """``s-abcde12345`` as it is kept. AccountError when it cannot be the key of a student."""
    key = text.strip().upper().replace("-", "")
    if not _KEY.fullmatch(key):
        raise AccountError(
            f"{printable(text)!r} is no key of a student.",
            "It is an S and nine letters or digits, such as S-7K3M9PQ2R.",
        )
    return key


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
    """The unit that ``name`` means is accepted for ``student``, in one transaction with the SIM that is in it.

    CustodyError lists all that is missing or stands against it; nothing has happened then.
    """
    key = student_key(student)
    taken_by = custody_words.checked("roles", accepted.taken_by)
    condition = custody_words.checked("conditions", accepted.condition)
    said: dict[str, Json] = {
        "student": key,
        "taken_by": taken_by,
        "kit": {piece: count for piece, count in accepted.kit.items() if count},
        "condition": condition,
        "checks": {"guardian_present": accepted.guardian_present, "ids": {**accepted.ids}},
        "allowed": storable(accepted.allowed),
    }
    with transaction(registry.engine) as conn:
        [going] = custody_steps.plan(conn, "hand_over", [name], said)
        wanted = programme.current(conn).hand_over
        against = [*_of_programme(wanted, accepted, taken_by), *_of_student(conn, going.held, key, accepted.allowed)]
        if against:
            raise CustodyError(
                f"{going.held.shown} cannot be handed over: {'; '.join(against)}.", "Nothing was changed."
            )
        event = registry.ledger.append(conn, "unit.custody", going.held.key, going.body("hand_over", said))
        cards = sims.accepted(conn, registry.ledger, going.held.key, key, event.at)
    return HandedOver(going.moved("hand_over"), custody_kit.missing(wanted.kit, accepted.kit), cards)


def refuse(registry: Registry, name: str, student: str, why: str, note: str, place: str | None) -> Moved:
    """The family of ``student`` did not take the unit; ``why`` is a word of custody_words.yaml. Raises as above."""
    key = student_key(student)
    said: dict[str, Json] = {"student": key, "why": custody_words.checked("refusals", why), "note": note}
    with transaction(registry.engine) as conn:
        if conn.scalar(select(students.c.student).where(students.c.student == key)) is None:
            raise AccountError(f"There is no student {key[0]}-{key[1:]}.", "fleet student find looks for one.")
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


def _of_student(conn: Connection, held: Held, student: str, allowed: str) -> list[str]:
    """What stands against this student's taking this unit."""
    shown = f"{student[0]}-{student[1:]}"
    state = conn.scalar(select(students.c.state).where(students.c.student == student))
    if state is None:
        return [f"there is no student {shown} (fleet student find)"]
    against = [] if state == "enrolled" else [f"{shown} is not enrolled any more, but {state}"]
    if held.assigned not in (None, student):
        against.append(f"it is meant for {held.assigned[0]}-{held.assigned[1:]} (fleet assign)")
    if allowed:
        return against
    others = units.c.key != held.key
    mine = select(units.c.tag, units.c.serial).join_from(units, custody).where(custody.c.holder == student, others)
    for row in conn.execute(mine.order_by(units.c.key)):
        name = row.tag or printable(row.serial)
        against.append(f"{shown} has {name} already (fleet return or fleet lost; or say why two: --allow)")
    return against
