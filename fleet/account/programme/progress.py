"""How far each target of the programme is, and when it is met at the pace of the last four weeks.

devices and sims: hand-overs that were accepted and not taken back. students: who holds a device now, or shares one.
schools: where every enrolled student does. Who is due a SIM only is not counted but for SIMs. Days are those of UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from fleet.account.programme.gaps_sql import device_of, due_device
from fleet.account.programme.in_force import Phase, Programme, Target, current
from fleet.account.programme.scope import place
from fleet.models import acceptances, custody, sims, students

WINDOW = 28
"""Days back from today whose pace counts."""

_FAR = 3650
_POINTS = 8


@dataclass(frozen=True)
class Reached:
    """``done`` of ``number``. ``per_week``: the pace per seven working days, ``None`` when nothing happened.

    ``verdict``: reached, in time, late, no pace, or nobody (no student is in its scope). ``expected``: the day at
    which it is met at this pace, ``None`` when there is no pace or it lies more than ten years ahead. ``burn_up``: how
    many were done at the end of a day, up to today.
    """

    phase: str
    what: str
    area: str
    category: str
    number: int
    by: str
    done: int
    per_week: float | None
    expected: str | None
    verdict: str
    overdue: bool
    burn_up: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Progress:
    programme: str
    day: str
    targets: tuple[Reached, ...]


def progress(conn: Connection, at: str, by: Sequence[str] = ()) -> Progress:
    """Every target; ``by`` area, category: also every target of all in each one of its phase. ``at``: now."""
    programme = current(conn)
    day = date.fromisoformat(at[:10])
    found: list[Reached] = []
    for phase in programme.phases:
        for target in phase.targets:
            found += _reached(conn, programme, phase, target, day, by)
    return Progress(programme.key, day.isoformat(), tuple(found))


def _reached(
    conn: Connection, programme: Programme, phase: Phase, target: Target, day: date, by: Sequence[str]
) -> Iterator[Reached]:
    yield _measure(conn, programme, phase, target, day)
    for one in by:
        for part in _parts(conn, programme, phase, target, one) if not getattr(target, one) else ():
            within = {"area": target.area, "category": target.category, one: part}
            yield _measure(conn, programme, phase, Target(target.what, None, target.by, **within), day)


def _parts(conn: Connection, programme: Programme, phase: Phase, target: Target, by: str) -> list[str]:
    """In the programme's order."""
    order = {"area": tuple(area.area for area in programme.areas), "category": programme.categories}[by]
    found = conn.scalars(select(students.c[by]).where(*_scope(phase, target)).distinct())
    return sorted(found, key=lambda part: place(order, part))


def _measure(conn: Connection, programme: Programme, phase: Phase, target: Target, day: date) -> Reached:
    number, by_day = _COUNTS[target.what](conn, programme, phase, target)
    number = target.number or number
    today = day.isoformat()
    done = sum(count for when, count in by_day.items() if when <= today)
    since = (day - timedelta(WINDOW)).isoformat()
    recent = sum(count for when, count in by_day.items() if since < when <= today)
    working = programme.working_days(day - timedelta(WINDOW), day)
    pace = recent / working if recent > 0 and working else None
    expected = _expected(programme, number - done, pace, day)
    return Reached(
        phase.phase,
        target.what,
        target.area,
        target.category,
        number,
        target.by,
        done,
        None if pace is None else round(pace * 7, 2),
        expected,
        _verdict(number, done, pace, expected, target.by),
        done < number and today > target.by,
        _burn_up(by_day, phase, day),
    )


def _verdict(number: int, done: int, pace: float | None, expected: str | None, by: str) -> str:
    if not number:
        return "nobody"
    if done >= number:
        return "reached"
    if pace is None:
        return "no pace"
    return "in time" if expected is not None and expected <= by else "late"


def _expected(programme: Programme, left: int, pace: float | None, day: date) -> str | None:
    """The day at whose end nothing is left, quiet days left out."""
    if left <= 0 or pace is None or left > pace * _FAR:
        return None
    todo = float(left)
    for ahead in range(1, _FAR + 1):
        when = day + timedelta(ahead)
        if not programme.is_quiet(when.isoformat()):
            todo -= pace
        if todo < 1e-9:
            return when.isoformat()
    return None


def _burn_up(by_day: Mapping[str, int], phase: Phase, day: date) -> tuple[tuple[str, int], ...]:
    """Eight days from the phase's first day, or the first on which something happened, up to today."""
    begin = min([phase.begin, *by_day])
    first = min(date.fromisoformat(begin), day)
    step = max((day - first).days / (_POINTS - 1), 1)
    days = sorted({(day - timedelta(round(step * back))).isoformat() for back in range(_POINTS)})
    reached = dict(zip(sorted(by_day), accumulate(by_day[when] for when in sorted(by_day)), strict=True))
    return tuple((one, max((count for when, count in reached.items() if when <= one), default=0)) for one in days)


def _scope(phase: Phase, target: Target) -> list[ColumnElement[bool]]:
    wanted = [students.c.state == "enrolled"]
    if target.area or phase.areas:
        wanted.append(students.c.area.in_((target.area,) if target.area else phase.areas))
    if target.category or phase.categories:
        wanted.append(students.c.category.in_((target.category,) if target.category else phase.categories))
    return wanted


def _all(conn: Connection, scope: Iterable[ColumnElement[bool]]) -> int:
    return conn.scalar(select(func.count()).select_from(students).where(*scope)) or 0


def _by_day(conn: Connection, query: Select[Any]) -> Counter[str]:
    return Counter({str(day): count for day, count in conn.execute(query)})


def _devices(conn: Connection, programme: Programme, phase: Phase, target: Target) -> tuple[int, Counter[str]]:
    """Hand-overs by day, less those taken back that day."""
    found = Counter[str]()
    scope = _scope(phase, target)[1:]
    for column, sign in ((acceptances.c.at, 1), (acceptances.c.returned_at, -1)):
        day = func.substr(column, 1, 10)
        query = select(day, func.count()).select_from(acceptances).where(column.is_not(None)).group_by(day)
        if scope:
            query = query.join(students, students.c.student == acceptances.c.student).where(*scope)
        for when, count in conn.execute(query):
            found[when] += sign * count
    return _all(conn, [*_scope(phase, target), *due_device(programme)]), found


def _sims(conn: Connection, _programme: Programme, phase: Phase, target: Target) -> tuple[int, Counter[str]]:
    day = func.substr(sims.c.accepted_at, 1, 10)
    query = select(day, func.count()).where(sims.c.accepted_at.is_not(None)).group_by(day)
    if scope := _scope(phase, target)[1:]:
        query = query.join(students, students.c.student == sims.c.student).where(*scope)
    return _all(conn, _scope(phase, target)), _by_day(conn, query)


def _students(conn: Connection, programme: Programme, phase: Phase, target: Target) -> tuple[int, Counter[str]]:
    """By the day since which they hold one, or the household has one that they share."""
    scope = [*_scope(phase, target), *due_device(programme)]
    if programme.shares:
        mine = custody.alias("mine")
        has = (mine.c.unit == device_of(programme)) & (mine.c.state == "with_student")
        since = func.substr(mine.c.since, 1, 10)
        served: Select[Any] = select(since, func.count()).select_from(students).join(mine, has).where(*scope)
        return _all(conn, scope), _by_day(conn, served.group_by(since))
    held = select(custody.c.holder, func.min(custody.c.since).label("since")).where(custody.c.state == "with_student")
    first = held.group_by(custody.c.holder).subquery()
    day = func.substr(first.c.since, 1, 10)
    query = select(day, func.count()).join_from(first, students, students.c.student == first.c.holder).where(*scope)
    return _all(conn, scope), _by_day(conn, query.group_by(day))


def _schools(conn: Connection, programme: Programme, phase: Phase, target: Target) -> tuple[int, Counter[str]]:
    """By the day since which the last of a school's students holds one."""
    scope = [*_scope(phase, target), *due_device(programme), students.c.school != ""]
    mine = custody.alias("mine")
    since = func.max(mine.c.since)
    without = func.count() - func.count(mine.c.unit)
    query = (
        select(since, without)
        .select_from(students)
        .outerjoin(mine, (mine.c.unit == device_of(programme)) & (mine.c.state == "with_student"))
        .where(*scope)
        .group_by(students.c.school)
    )
    rows = conn.execute(query).all()
    return len(rows), Counter(str(when)[:10] for when, missing in rows if not missing)


_COUNTS = {"devices": _devices, "sims": _sims, "students": _students, "schools": _schools}
