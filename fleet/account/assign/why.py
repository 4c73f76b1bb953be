"""Why a student is given a device now, or not yet: their place in the order, and what is missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from fleet.account.assign.by_hand import Student, against_student, the_student
from fleet.account.assign.due import phase_rank
from fleet.account.assign.matching import Match, pools_of, walk
from fleet.account.assign.units import Pools
from fleet.account.programme.in_force import Programme, current
from fleet.account.status.unfit import Unfit
from provision.text import counted


@dataclass(frozen=True)
class Why:
    """``now``: what the student would be given. ``number``: their place among all who are due, ``None`` where not due
    or where the units are given out to those before them.

    ``order``: the phase, area and category by which they stand there, with the rank of each (from 1; 0: not listed).
    ``reasons``: why not.
    """

    student: str
    now: Match | None
    number: int | None
    ahead: int
    ready: int
    order: tuple[tuple[str, str, int], ...]
    reasons: tuple[str, ...]


def why(conn: Connection, name: str, day: str, ignored: Collection[str], unfit: Unfit, place: str = "") -> Why:
    """What stands in the way of the student ``name`` on ``day``. AccountError when there is none."""
    programme = current(conn)
    student = the_student(conn, programme, name)
    order = _order(programme, student)
    reasons = against_student(conn, programme, student, day)
    if student.state != "enrolled":
        reasons = ["they have left" if student.state == "left" else "they were forgotten"]
    if reasons:
        return Why(student.student, None, None, 0, 0, order, tuple(reasons))
    pools, kept = pools_of(conn, programme, ignored, unfit, place)
    found = _in_line(conn, programme, student, day, pools, order)
    if found.now or not kept:
        return found
    return replace(found, reasons=(*found.reasons, f"{counted(len(kept), 'unit')} kept back as unfit"))


def _in_line(
    conn: Connection,
    programme: Programme,
    student: Student,
    day: str,
    pools: Pools,
    order: tuple[tuple[str, str, int], ...],
) -> Why:
    ready, ahead = pools.left, 0
    for number, one, match in walk(conn, programme, day, pools):
        if one.student == student.student:
            reasons = () if match else (_unsuited(programme, student, pools.left),)
            return Why(student.student, match, number, ahead, ready, order, reasons)
        ahead = number
    reason = f"all {ready} units that are ready go to students before them" if ready else "no unit is ready"
    return Why(student.student, None, None, ahead, ready, order, (reason,))


def _unsuited(programme: Programme, student: Student, left: int) -> str:
    kind = programme.kind_for(student.grade)
    wanted = f" ({kind.words})" if kind else ""
    where = " or ".join(part for part in (student.school, student.area) if part)
    return f"none of the {left} units that are left suits grade {student.grade}{wanted} and may go to {where or 'them'}"


def _order(programme: Programme, student: Student) -> tuple[tuple[str, str, int], ...]:
    areas = [area.area for area in programme.areas]
    found = [
        ("area", student.area, areas.index(student.area) + 1 if student.area in areas else 0),
        ("category", student.category, _rank(programme.categories, student.category)),
    ]
    if phase := programme.phase_for(student.area, student.category):
        found.insert(0, ("phase", phase.phase, phase_rank(programme, student.area, student.category) + 1))
    return tuple(found)


def _rank(order: tuple[str, ...], name: str) -> int:
    return order.index(name) + 1 if name in order else 0
