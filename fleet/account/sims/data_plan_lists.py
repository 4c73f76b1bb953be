"""SIMs that cost money for nothing, and children who have a device and no data: each a list of its own.

A list is a condition over ``sims`` with what they are joined to, so that any of them is one query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, or_, select

from fleet.account.programme.running import in_hand, runs
from fleet.account.sims.data_plan_terms import shifted, size
from fleet.models import custody, places, sim_counts, sim_slots, sim_usage, sims, students, units
from fleet.sim_states import SimState

GRACE_DAYS = 30
"""After the notice at 60 days without use; then the plan is to be ended (facts of E-Rate)."""

_SETTLING = 7
"""Days after a hand-over in which nobody wonders that nothing was used yet."""

_GONE = ("stock", "at_bench", "at_school", "in_transit", "lost", "retired", "given_back")
_BILLED = runs(sims)
_ACCEPTED = sims.c.accepted_at.is_not(None)
_HERE = sims.c.unit.is_(None) | (custody.c.holder == sims.c.student)
_OF_STUDENT = case((_HERE, func.nullif(students.c.school, "")))
_ALONE = case((sims.c.unit.is_(None), students.c.school))
PLACE = func.coalesce(func.nullif(custody.c.place, ""), func.nullif(_ALONE, ""), sims.c.place)
"""Where its unit is; without one the school of the student who has it, else where the list says."""

SCHOOL = func.coalesce(_OF_STUDENT, case((places.c.kind == "school", places.c.place)), "")
AREA = func.coalesce(case((_HERE, func.nullif(students.c.area, ""))), places.c.area, "")
"""Those of the student while the student has it, else those of its place."""

JOINED = (
    sims.outerjoin(units, units.c.key == sims.c.unit)
    .outerjoin(custody, custody.c.unit == sims.c.unit)
    .outerjoin(students, students.c.student == sims.c.student)
    .outerjoin(places, places.c.place == func.coalesce(_OF_STUDENT, PLACE))
)

COLUMNS = (
    sims.c.iccid,
    sims.c.msisdn,
    sims.c.carrier,
    sims.c.quota,
    sims.c.days,
    sims.c.state,
    func.coalesce(units.c.tag, sims.c.unit).label("unit"),
    custody.c.state.label("unit_state"),
    sims.c.student,
    PLACE.label("place"),
    SCHOOL.label("school"),
    AREA.label("area"),
    sims.c.activated_at,
    sims.c.accepted_at,
    sims.c.ends_at,
    sims.c.used_at,
)
"""What is told of each SIM in a list. No names."""


@dataclass(frozen=True)
class Case:
    """A list. ``costs`` is money, or data that a child has not (child), or it is an account that does not fit."""

    name: str
    costs: str
    title: str
    next_action: str
    where: ColumnElement[bool]


def selected(where: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """The rows of a list, those first that have cost most."""
    order = (sims.c.activated_at.is_(None), sims.c.activated_at, sims.c.iccid)
    return select(*COLUMNS).select_from(JOINED).where(where).order_by(*order)


def lists(conn: Connection, now: str) -> tuple[Case, ...]:
    """Every list as it is at ``now``, what costs money first."""
    conditions = {**_money(conn, now), **_children(conn, now), **_account()}
    return tuple(Case(name, *_TEXTS[name], where) for name, where in conditions.items())


_TEXTS: Mapping[str, tuple[str, str, str]] = {
    "not_handed_over": (
        "money",
        "billed, but not handed over",
        "Hand them over, or have them suspended: fleet sim request suspend.",
    ),
    "two_for_one_child": (
        "money",
        "two active for one child",
        "Have all but one ended: fleet sim request end.",
    ),
    "unit_gone": (
        "money",
        "active in a unit that was returned, lost or retired",
        "Have them suspended until the unit is handed over again.",
    ),
    "nobody": (
        "money",
        "active with nobody: the student has left",
        "Ask for the unit back, and have the SIM ended.",
    ),
    "past_end": (
        "money",
        "active after the end of its plan",
        "Have them renewed or ended: fleet sim request renew or end.",
    ),
    "never_used": (
        "money",
        "never used since its hand-over",
        "Call the family: does the SIM work, is there coverage?",
    ),
    "ended_with_student": (
        "child",
        "ended, but the unit is still with the student",
        "Have it renewed, or give another SIM.",
    ),
    "not_activated": (
        "child",
        "handed over, but not activated",
        "Have them activated: fleet sim request activate.",
    ),
    "spent": ("child", "its data are spent", "Have it renewed: fleet sim request renew."),
    "suspended": (
        "child",
        "suspended, but the unit is with the student",
        "Have it resumed, then say so: fleet sim resume.",
    ),
    "read_elsewhere": (
        "account",
        "read in another unit than it was put into",
        "See which of the two is right: fleet sim insert.",
    ),
    "changed": ("account", "changed for another SIM since its hand-over", "Ask the family for the SIM."),
    "used_before": ("account", "used before it was handed over", "Find out who has it, and record the hand-over."),
}
"""What a list costs, what its SIMs are, and what to do about them."""


def _money(conn: Connection, now: str) -> dict[str, ColumnElement[bool]]:
    with_student = _BILLED & _ACCEPTED
    return {
        "not_handed_over": _BILLED & ~_ACCEPTED,
        "two_for_one_child": and_(with_student, _HERE, sims.c.student.in_(_doubled())),
        "unit_gone": with_student & custody.c.state.in_(_GONE),
        "nobody": and_(with_student, or_(students.c.student.is_(None), students.c.state != "enrolled")),
        "past_end": _BILLED & (sims.c.ends_at <= now),
        "never_used": and_(with_student, _unused(conn)),
    }


def _children(conn: Connection, now: str) -> dict[str, ColumnElement[bool]]:
    in_hand = custody.c.holder == sims.c.student
    over = or_(sims.c.ends_at <= now, sims.c.state == SimState.ENDED)
    never = and_(_ACCEPTED, _HERE, ~runs(sims), sims.c.state.in_((SimState.HANDED_OVER, SimState.IDLE)))
    return {
        "ended_with_student": and_(over, in_hand, ~_other(now)),
        "not_activated": never,
        "spent": and_(_BILLED, _spent(conn, now)),
        "suspended": and_(sims.c.state == SimState.SUSPENDED, in_hand),
    }


def _account() -> dict[str, ColumnElement[bool]]:
    runs = sims.c.state != SimState.ENDED
    return {
        "read_elsewhere": and_(sims.c.read_unit != sims.c.unit, runs),
        "changed": and_(_ACCEPTED, runs, custody.c.holder == sims.c.student, _changed()),
        "used_before": and_(sims.c.used_at.is_not(None), ~_ACCEPTED),
    }


def ending(now: str, days: int) -> ColumnElement[bool]:
    """SIMs with students, whose plan ends within so many days."""
    running = sims.c.state.in_((SimState.HANDED_OVER, SimState.IN_USE, SimState.IDLE))
    return and_(running, sims.c.ends_at > now, sims.c.ends_at <= shifted(now, days))


def idle() -> ColumnElement[bool]:
    """SIMs that nobody used for 60 days."""
    return sims.c.state == SimState.IDLE


def _doubled() -> Select[tuple[str]]:
    """Students with more than one active SIM in their hands."""
    of = sims.outerjoin(custody, custody.c.unit == sims.c.unit)
    held = and_(_BILLED, _ACCEPTED, _HERE, sims.c.student.is_not(None))
    return select(sims.c.student).select_from(of).where(held).group_by(sims.c.student).having(func.count() > 1)


def _other(now: str) -> ColumnElement[bool]:
    """Whether the student has another SIM that gives data."""
    other = sims.alias("other")
    mine = (other.c.student == sims.c.student) & (other.c.iccid != sims.c.iccid)
    return exists().where(mine, runs(other), in_hand(other), or_(other.c.ends_at.is_(None), other.c.ends_at > now))


def _unused(conn: Connection) -> ColumnElement[bool]:
    """Of operators whose files reach past the first days after the hand-over: of others it is not known."""
    reach = conn.execute(select(sim_counts.c.carrier, sim_counts.c.through)).all()
    never = or_(sims.c.used_at.is_(None), sims.c.used_at < func.substr(sims.c.accepted_at, 1, 10))
    known = [
        and_(sims.c.carrier == one.carrier, sims.c.accepted_at <= shifted(f"{one.through}T00:00:00.000Z", -_SETTLING))
        for one in reach
    ]
    return and_(never, or_(*known)) if known else sims.c.iccid.is_(None)


def _spent(conn: Connection, now: str) -> ColumnElement[bool]:
    """Of quotas in all, all that was used; of quotas by month, what was used in this one."""
    used = select(sim_usage.c.bytes).where(sim_usage.c.iccid == sims.c.iccid, sim_usage.c.month == now[:7])
    found = []
    for quota in _quotas(conn):
        most, per = size(quota)
        if per != "day" and most:
            amount = sims.c.used_bytes if per == "all" else used.correlate(sims).scalar_subquery()
            found.append(and_(sims.c.quota == quota, amount >= most))
    return or_(*found) if found else sims.c.iccid.is_(None)


def _quotas(conn: Connection) -> tuple[str, ...]:
    return tuple(conn.scalars(select(sims.c.quota).distinct().order_by(sims.c.quota)))


def _changed() -> ColumnElement[bool]:
    """The unit's last reading is of after the hand-over, and has another card's number."""
    later = (sim_slots.c.unit == sims.c.unit) & (sim_slots.c.at > sims.c.accepted_at) & (sim_slots.c.iccid != "")
    here = sim_slots.c.iccid == sims.c.iccid
    return and_(exists().where(later, ~here), ~exists().where(later, here))
