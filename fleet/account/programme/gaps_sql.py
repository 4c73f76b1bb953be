"""Who is not served, as SQL: for every student the device and the SIM that are theirs, and each reason as 0 or 1.

A reason is said once, here; lists, counts and reports all ask for it. Every part of a row is found by an index, so that
the first rows of a list come at once however many students there are.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)

from fleet.account.programme.in_force import Programme
from fleet.account.programme.running import in_hand, runs
from fleet.models import custody, events, holdings, items, sim_usage, sims, students, units

REASONS: Mapping[str, str] = {
    "no_device": "no device",
    "refused": "the family did not take one",
    "no_sim": "no SIM",
    "not_handed_over": "assigned, but not handed over",
    "never_seen": "handed over, but never seen",
    "lost": "lost",
    "in_repair": "in repair",
    "broken": "its last run failed",
    "no_plan": "no data plan that runs",
    "plan_over": "data plan spent or ended",
    "no_app": "a lesson app is missing",
    "no_connection": "no line at home and no SIM",
}
"""Every reason in the order in which the first that applies is named, in words."""

_WAITING = ("stock", "at_bench", "in_transit", "at_school")
_GONE = ("retired", "given_back", "lost")

HELD = custody.alias("held")
UNIT = units.alias("unit")
SIM = sims.alias("sim")


def device_of(programme: Programme) -> ColumnElement[str]:
    """The key of the unit that is a student's, else that of a sibling who may share it, else NULL."""
    own = _own()
    if not programme.shares:
        return own.scalar_subquery()
    return func.coalesce(own.scalar_subquery(), case((_sibling_has(), _shared(programme))))


def _own() -> Select[tuple[str]]:
    mine = custody.alias("own")
    wanted = (mine.c.assigned == students.c.student) & mine.c.state.not_in(_GONE)
    return select(mine.c.unit).where(wanted).order_by(*_best(mine)).limit(1).correlate(students)


def _best(mine: FromClause) -> tuple[ColumnElement[object], ...]:
    """One that is in a student's hands before others, then the one that is longest there."""
    return case((mine.c.state == "with_student", 0), else_=1), mine.c.since, mine.c.unit


def _sibling_has() -> ColumnElement[bool]:
    """Whether another child of the household has one. Few have: who has not need not be counted with the others."""
    other, has = students.alias("other"), custody.alias("of_other")
    alike = (other.c.household == students.c.household) & (other.c.state == "enrolled") & (students.c.household != "")
    theirs = (other.c.student != students.c.student) & (has.c.assigned == other.c.student) & has.c.state.not_in(_GONE)
    return exists().where(alike, theirs).correlate(students)


def _shared(programme: Programme) -> ScalarSelect[str]:
    """The household's device, where there are enough of them for the children who come before this one.

    Who has one of their own comes first, then who has the lower key. A device serves at most so many children, and one
    child at an hour.
    """
    sibling, theirs = students.alias("sibling"), custody.alias("theirs")
    alike = (sibling.c.household == students.c.household) & (sibling.c.state == "enrolled")
    has = (theirs.c.assigned == sibling.c.student) & theirs.c.state.not_in(_GONE)
    enough: list[ColumnElement[bool]] = [students.c.household != ""]
    number = devices_of_household()
    if programme.most is not None:
        enough.append(before(None) < number * programme.most)
    if programme.another and programme.clashes:
        enough.append(before(programme.clashes) < number)
    pick = select(theirs.c.unit).select_from(sibling).join(theirs, has).where(alike, *enough)
    return pick.order_by(*_best(theirs)).limit(1).correlate(students).scalar_subquery()


def devices_of_household() -> ScalarSelect[int]:
    """How many devices the enrolled children of the household have."""
    child, its = students.alias("child"), custody.alias("of_child")
    has = (its.c.assigned == child.c.student) & its.c.state.not_in(_GONE)
    alike = (child.c.household == students.c.household) & (child.c.state == "enrolled") & (students.c.household != "")
    return select(func.count()).select_from(child).join(its, has).where(alike).correlate(students).scalar_subquery()


def before(clashes: frozenset[tuple[str, str]] | None) -> ScalarSelect[int]:
    """How many children of the household come before this one; with ``clashes``, those with lessons at its hours."""
    earlier, its = students.alias("earlier"), custody.alias("its")
    owns = exists().where(its.c.assigned == earlier.c.student, its.c.state.not_in(_GONE)).correlate(earlier)
    wanted = [
        earlier.c.household == students.c.household,
        earlier.c.state == "enrolled",
        earlier.c.student != students.c.student,
        or_(earlier.c.student < students.c.student, owns),
    ]
    if clashes is not None:
        wanted.append(_clash(clashes, earlier.c.grade))
    return select(func.count()).select_from(earlier).where(*wanted).correlate(students).scalar_subquery()


def _clash(clashes: frozenset[tuple[str, str]], grade: ColumnElement[str]) -> ColumnElement[bool]:
    """Grades with the same hours are named together: a programme has few of those, and many pairs of grades."""
    clashing: dict[str, list[str]] = {}
    for one, other in sorted(clashes):
        clashing.setdefault(other, []).append(one)
    alike: dict[tuple[str, ...], list[str]] = {}
    for own, others in clashing.items():
        alike.setdefault(tuple(others), []).append(own)
    return or_(*(and_(students.c.grade.in_(own), grade.in_(others)) for others, own in alike.items()))


def sim_of() -> ScalarSelect[str]:
    """The SIM in the student's device, or in their hands; one that runs before others."""
    card = sims.alias("card")
    mine = or_(card.c.unit == HELD.c.unit, and_(card.c.student == students.c.student, in_hand(card)))
    stopped = case((card.c.state == "ended", 2), (runs(card), 0), else_=1)
    query = select(card.c.iccid).where(mine).order_by(stopped, card.c.iccid).limit(1)
    return query.correlate(students, HELD).scalar_subquery()


def for_reasons(programme: Programme) -> ColumnElement[bool]:
    """Whose SIM says anything of the reasons: who has a line at home needs none, unless it is all that they are due."""
    return or_(students.c.connection != "line", *_due_sim(programme))


def for_first(programme: Programme) -> ColumnElement[bool]:
    """Whose SIM says anything of the first one: without a device that is due, that is the reason."""
    needs = and_(students.c.connection != "line", HELD.c.unit.is_not(None))
    return or_(needs, *_due_sim(programme))


def due_device(programme: Programme) -> tuple[ColumnElement[bool], ...]:
    """Who is due a device, where not everybody is."""
    return (students.c.category.not_in(programme.sims_only),) if programme.sims_only else ()


def _due_sim(programme: Programme) -> tuple[ColumnElement[bool], ...]:
    return (students.c.category.in_(programme.sims_only),) if programme.sims_only else ()


def joined(programme: Programme, whose_sim: ColumnElement[bool] | None = None) -> FromClause:
    """Students, each with the device, its unit and the SIM, where there are any. ``whose_sim``: of all, else of these.

    What is not looked up takes no time: a SIM is found by two indexes.
    """
    card = sim_of() if whose_sim is None else case((whose_sim, sim_of()))
    return (
        students.outerjoin(HELD, HELD.c.unit == device_of(programme))
        .outerjoin(UNIT, UNIT.c.key == HELD.c.unit)
        .outerjoin(SIM, SIM.c.iccid == card)
    )


def reasons(programme: Programme, at: str) -> dict[str, ColumnElement[bool]]:
    """When each reason holds at the moment ``at``, over :func:`joined`."""
    state, nothing = HELD.c.state, HELD.c.unit.is_(None)
    with_student = state == "with_student"
    astray = lost()
    needs_sim = and_(for_reasons(programme), SIM.c.iccid.is_not(None))
    no_sim, due = SIM.c.iccid.is_(None), due_device(programme)
    return {
        "no_device": and_(nothing, ~astray, ~refused(), *due),
        "refused": and_(nothing, ~astray, refused(), *due),
        "no_sim": and_(no_sim, *(_due_sim(programme) or (false(),))),
        "not_handed_over": state.in_(_WAITING),
        "never_seen": and_(with_student, ~_seen(), HELD.c.since <= _patient(programme, at)),
        "lost": and_(nothing, astray),
        "in_repair": state == "in_repair",
        "broken": and_(with_student, UNIT.c.last_verdict == "failed"),
        "no_plan": and_(needs_sim, SIM.c.state != "ended", ~runs(SIM)),
        "plan_over": and_(needs_sim, or_(SIM.c.state == "ended", runs(SIM)), _over(at)),
        "no_app": and_(HELD.c.unit.is_not(None), _lacks_app(programme)),
        "no_connection": and_(students.c.connection.not_in(("line", "sim")), no_sim, *due),
    }


def first_of(found: Mapping[str, ColumnElement[bool]]) -> ColumnElement[str]:
    """The name of the first reason that holds; "" when none does."""
    return case(*((holds, literal(name)) for name, holds in found.items()), else_="")


def _seen() -> ColumnElement[bool]:
    """Since they have it: at a bench, or by the operator, who counted use of the SIM in it on a later day.

    A day on which it changed hands proves nothing: the use may be ours, on the bench.
    """
    card = sims.alias("used")
    used = and_(card.c.unit == HELD.c.unit, card.c.missed_at.is_(None))
    used &= card.c.used_at > func.substr(HELD.c.since, 1, 10)
    return or_(UNIT.c.last_seen > HELD.c.since, exists().where(used).correlate(HELD))


def _patient(programme: Programme, at: str) -> str:
    """Who has had a device since before this moment should have been seen."""
    from datetime import date

    if not programme.seen_within:
        return at
    return programme.days_before(date.fromisoformat(at[:10]), programme.seen_within).isoformat() + at[10:]


def lost() -> ColumnElement[bool]:
    """The one that was lost in their hands is still not found."""
    last = holdings.alias("last")
    wanted = (last.c.student == students.c.student) & (last.c.step == "lose") & last.c.until.is_(None)
    return exists().where(wanted).correlate(students)


def lost_at() -> ScalarSelect[str]:
    """Since when the last one is lost that was in their hands."""
    return _last("lose", holdings.c.until.is_(None))


def assigned_at() -> ColumnElement[str]:
    """When the unit that waits for them was assigned. Only the ledger tells it; of other units it is not asked."""
    told = select(func.max(events.c.at)).where(events.c.subject == HELD.c.unit, events.c.kind == "unit.assigned")
    return case((HELD.c.state.in_(_WAITING), told.correlate(HELD).scalar_subquery()))


def refused_at() -> ScalarSelect[str]:
    """When they last did not take one."""
    return _last("refuse")


def _last(step: str, *more: ColumnElement[bool]) -> ScalarSelect[str]:
    query = select(func.max(holdings.c.since)).where(holdings.c.student == students.c.student, holdings.c.step == step)
    return query.where(*more).correlate(students).scalar_subquery()


def refused() -> ColumnElement[bool]:
    """They were offered one, and did not take it."""
    offer = holdings.alias("offer")
    return exists().where(offer.c.student == students.c.student, offer.c.step == "refuse").correlate(students)


def online(at: str) -> ColumnElement[str]:
    """By what a student is online: line, our_sim, own_sim, none, or unknown."""
    ours = and_(SIM.c.iccid.is_not(None), runs(SIM), ~_over(at))
    home = students.c.connection
    return case((home == "line", "line"), (ours, "our_sim"), (home == "sim", "own_sim"), else_=home)


def _over(at: str) -> ColumnElement[bool]:
    return or_(SIM.c.state == "ended", and_(SIM.c.ends_at.is_not(None), SIM.c.ends_at <= at), _spent(at[:7]))


def _spent(month: str) -> ColumnElement[bool]:
    """The quota in all, or that of this month, is used up. What is used of a day's, nobody tells us in time."""
    used = select(sim_usage.c.bytes).where(sim_usage.c.iccid == SIM.c.iccid, sim_usage.c.month == month)
    amount = SIM.c.quota
    bare: ColumnElement[str] = amount
    for unit in ("/month", " GB", " MB"):
        bare = func.replace(bare, unit, "")
    size = cast(bare, Float) * case((amount.like("% MB%"), 1_000_000), else_=1_000_000_000)
    # in a CASE, as a text that is no amount must not be read as a number
    return case(
        (amount.like("%B/month"), func.coalesce(used.correlate(SIM).scalar_subquery(), 0) >= size),
        (amount.like("% _B"), func.coalesce(SIM.c.used_bytes, 0) >= size),
        else_=false(),
    )


def _lacks_app(programme: Programme) -> ColumnElement[bool]:
    """The last run did not leave every app that the grade needs; without a list, one of its profile's is not there."""
    if not programme.lesson_apps:
        gone = items.alias("gone")
        wanted = (gone.c.unit == HELD.c.unit) & gone.c.item.like("apps.%")
        return exists().where(wanted, gone.c.result.in_(("failed", "impossible"))).correlate(HELD)
    by_apps: dict[tuple[str, ...], list[str]] = {}
    for grade, apps in programme.lesson_apps.items():
        by_apps.setdefault(apps, []).append(grade)
    cases = [(students.c.grade.in_(grades), _there(apps) < len(set(apps))) for apps, grades in by_apps.items() if apps]
    return case(*cases, else_=false()) if cases else false()


def _there(apps: tuple[str, ...]) -> ScalarSelect[int]:
    row = items.alias("row")
    wanted = (row.c.unit == HELD.c.unit) & row.c.item.in_([f"apps.{app}" for app in apps])
    query = select(func.count(row.c.item.distinct())).where(wanted, row.c.result.in_(("verified", "unverified")))
    return query.correlate(HELD).scalar_subquery()


def apps_told(programme: Programme) -> ScalarSelect[str]:
    """With commas: the apps that the last run left on the device; without a list of lesson apps, those it did not."""
    row = items.alias("told")
    how = ("verified", "unverified") if programme.lesson_apps else ("failed", "impossible")
    wanted = (row.c.unit == HELD.c.unit) & row.c.item.like("apps.%") & row.c.result.in_(how)
    return select(func.aggregate_strings(row.c.item, ",")).where(wanted).correlate(HELD).scalar_subquery()


def flag(holds: ColumnElement[bool]) -> ColumnElement[int]:
    """1 where it holds, else 0 (also where nothing is known)."""
    return cast(case((holds, 1), else_=0), Integer)
