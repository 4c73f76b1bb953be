"""Who has more devices than are due, and which households share one in lessons at one hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from fleet.account.programme.household import needed
from fleet.account.programme.in_force import Programme
from fleet.account.programme.scope import Scope, conditions
from fleet.bulk import streamed
from fleet.models import custody, students, units


@dataclass(frozen=True)
class Share:
    """Devices and what is ``due``: to one student, or to the children of one household."""

    students: tuple[str, ...]
    units: tuple[str, ...]
    due: int


def doubles(conn: Connection, programme: Programme, scope: Scope) -> tuple[Share, ...]:
    """Students with two devices; where a household has one, households with more than they need."""
    who = students.c.household if programme.shares else students.c.student
    has = select(who).join_from(students, custody, _ASSIGNED).where(who != "", *conditions(scope))
    found = _shares(conn, programme, who, has.group_by(who).having(func.count() > 1))
    return tuple(share for share in found if len(share.units) > share.due)


def same_hour(conn: Connection, programme: Programme, scope: Scope) -> tuple[Share, ...]:
    """Households that share fewer devices than they have children in lessons at one hour."""
    who = students.c.household
    owners = select(who).join_from(students, custody, _ASSIGNED).where(who != "", students.c.state == "enrolled")
    several = select(who).where(who.in_(owners), *conditions(scope)).group_by(who).having(func.count() > 1)
    by_hours = replace(programme, one_per="household", most=None, another=True)
    found = _shares(conn, by_hours, who, several)
    return tuple(share for share in found if len(share.units) < share.due)


def _shares(conn: Connection, programme: Programme, who: ColumnElement[str], keys: Select[Any]) -> Iterator[Share]:
    """``who``: the column by which they are one; ``keys``: of those that have a device."""
    shown = func.coalesce(units.c.tag, units.c.serial)
    wanted = (who.in_(keys), students.c.state == "enrolled")
    children: Any = select(who.label("who"), students.c.student, students.c.grade).where(*wanted)
    held: Any = select(who.label("who"), shown.label("shown")).join_from(students, custody, _ASSIGNED).join(units)
    families = _families(conn, children.order_by(who, students.c.student))
    devices = _families(conn, held.where(*wanted).order_by(who, shown))
    for family, theirs in zip(families, devices, strict=True):
        due = needed(programme, [child.grade for child in family])
        yield Share(tuple(child.student for child in family), tuple(one.shown for one in theirs), due)


def _families(conn: Connection, query: Select[Any]) -> Iterator[list[Row[Any]]]:
    """The rows of each one after the other."""
    for _, rows in groupby(streamed(conn, query), key=lambda row: row.who):
        yield list(rows)


_ASSIGNED = (custody.c.assigned == students.c.student) & custody.c.state.not_in(("retired", "given_back", "lost"))
