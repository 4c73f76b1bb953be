"""The distribution table: students by school, stage or status, what they have, what changed since the last one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, func, select

from fleet.account.programme.gaps_counts import counted
from fleet.account.programme.in_force import Programme, current
from fleet.account.programme.scope import Scope
from fleet.models import acceptances, custody, holdings, students

_COLUMNS = {"school": students.c.school, "stage": students.c.grade, "status": students.c.state}


@dataclass
class Row:
    """``enrolled`` = ``served`` + ``not_served``; the rest counts what happened since the day that was asked for."""

    key: str
    enrolled: int = 0
    left: int = 0
    with_device: int = 0
    served: int = 0
    not_served: int = 0
    came: int = 0
    went: int = 0
    handed_over: int = 0
    taken_back: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Table:
    """``by``: school, stage or status. ``since``: a moment (UTC), "" where changes were not asked for."""

    by: str
    at: str
    since: str
    rows: tuple[Row, ...]

    @property
    def total(self) -> Row:
        names = [one.name for one in fields(Row) if one.name != "key"]
        return Row("", **{name: sum(getattr(row, name) for row in self.rows) for name in names})


def table(conn: Connection, by: str, at: str, since: str = "") -> Table:
    """The table at the moment ``at``, by the programme's stages where it has them, else by grade."""
    programme = current(conn)
    name = _naming(programme, by)
    rows: defaultdict[str, Row] = defaultdict(lambda: Row(""))
    column = _COLUMNS[by]
    _count(conn, rows, name, column, "enrolled", students, students.c.state == "enrolled")
    _count(conn, rows, name, column, "left", students, students.c.state == "left")
    held = students.join(custody, (custody.c.holder == students.c.student) & (custody.c.state == "with_student"))
    _count(conn, rows, name, column, "with_device", held)
    for gaps in counted(conn, programme, at, column.name, Scope()):
        row = rows[name(gaps.key)]
        row.not_served += gaps.unserved
        row.served += gaps.enrolled - gaps.unserved
    if since:
        _changes(conn, rows, name, column, since)
    for key, row in rows.items():
        row.key = key
    return Table(by, at, since, tuple(rows[key] for key in sorted(rows, key=_order(programme))))


def _changes(
    conn: Connection, rows: Mapping[str, Row], name: Callable[[str], str], column: ColumnElement[str], since: str
) -> None:
    accepted = students.join(acceptances, acceptances.c.student == students.c.student)
    gone = students.join(holdings, holdings.c.student == students.c.student)
    left = (students.c.state == "left") & (students.c.changed >= since)
    _count(conn, rows, name, column, "came", students, students.c.since >= since, students.c.state != "forgotten")
    _count(conn, rows, name, column, "went", students, left)
    _count(conn, rows, name, column, "handed_over", accepted, acceptances.c.at >= since)
    _count(conn, rows, name, column, "taken_back", accepted, acceptances.c.returned_at >= since)
    _count(conn, rows, name, column, "lost", gone, holdings.c.step == "lose", holdings.c.since >= since)


def _count(
    conn: Connection,
    rows: Mapping[str, Row],
    name: Callable[[str], str],
    column: ColumnElement[str],
    figure: str,
    source: FromClause,
    *wanted: ColumnElement[bool],
) -> None:
    query: Any = select(column, func.count()).select_from(source).where(*wanted).group_by(column)
    for key, count in conn.execute(query):
        row = rows[name(key)]
        setattr(row, figure, getattr(row, figure) + count)


def _naming(programme: Programme, by: str) -> Callable[[str], str]:
    if by == "stage" and programme.stages:
        return lambda grade: programme.stage_of(grade) or f"grade {grade or 'unknown'}"
    return lambda key: key


def _order(programme: Programme) -> Callable[[str], tuple[int, int, str]]:
    """Stages as the programme has them; grades as numbers."""
    stages = list(programme.stages)

    def order(key: str) -> tuple[int, int, str]:
        if key in stages:
            return 0, stages.index(key), ""
        return 1, int(key) if key.isascii() and key.isdigit() else 0, key

    return order
