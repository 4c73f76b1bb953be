"""The distribution table: students by school, stage, status, category or two of these together: what they have, and
what changed since the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, func, select

from fleet.account.programme.gaps_counts import crossed
from fleet.account.programme.in_force import Programme, current
from fleet.account.programme.scope import place
from fleet.models import acceptances, custody, holdings, students

COLUMNS = {
    "school": students.c.school,
    "stage": students.c.grade,
    "status": students.c.state,
    "category": students.c.category,
}
"""By what students may be told apart."""

_KEYS = ("key", "also")


@dataclass
class Row:
    """``key`` is of the first word of ``by``, ``also`` of the second, "" where there is none.

    ``enrolled`` = ``served`` + ``not_served``; the rest counts what happened since the day that was asked for.
    """

    key: str
    also: str = ""
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
    """``by``: one or two of :data:`COLUMNS`. ``since``: a moment (UTC), "" where changes were not asked for."""

    by: tuple[str, ...]
    at: str
    since: str
    rows: tuple[Row, ...]

    @property
    def total(self) -> Row:
        names = [one.name for one in fields(Row) if one.name not in _KEYS]
        return Row("", **{name: sum(getattr(row, name) for row in self.rows) for name in names})


def table(conn: Connection, by: Sequence[str], at: str, since: str = "") -> Table:
    """The table at the moment ``at``, by the programme's stages where it has them, else by grade."""
    programme = current(conn)
    made = _Making(conn, programme, tuple(by))
    made.count("enrolled", students, students.c.state == "enrolled")
    made.count("left", students, students.c.state == "left")
    held = students.join(custody, (custody.c.holder == students.c.student) & (custody.c.state == "with_student"))
    made.count("with_device", held)
    for keys, enrolled, unserved in crossed(conn, programme, at, made.columns):
        row = made.row(keys)
        row.not_served += unserved
        row.served += enrolled - unserved
    if since:
        _changes(made, since)
    orders = [_order(programme, one) for one in by]
    found = sorted(made.rows, key=lambda keys: [order(key) for order, key in zip(orders, keys, strict=True)])
    return Table(tuple(by), at, since, tuple(made.rows[one] for one in found))


@dataclass
class _Making:
    conn: Connection
    programme: Programme
    by: tuple[str, ...]
    rows: dict[tuple[str, ...], Row] = field(default_factory=dict)

    @property
    def columns(self) -> list[ColumnElement[str]]:
        return [COLUMNS[one] for one in self.by]

    def row(self, keys: Sequence[str]) -> Row:
        shown = tuple(_name(self.programme, one, key) for one, key in zip(self.by, keys, strict=True))
        return self.rows.setdefault(shown, Row(shown[0], "".join(shown[1:])))

    def count(self, figure: str, source: FromClause, *wanted: ColumnElement[bool]) -> None:
        query: Any = select(*self.columns, func.count()).select_from(source).where(*wanted).group_by(*self.columns)
        for *keys, count in self.conn.execute(query):
            row = self.row(keys)
            setattr(row, figure, getattr(row, figure) + count)


def _changes(made: _Making, since: str) -> None:
    accepted = students.join(acceptances, acceptances.c.student == students.c.student)
    gone = students.join(holdings, holdings.c.student == students.c.student)
    left = (students.c.state == "left") & (students.c.changed >= since)
    made.count("came", students, students.c.since >= since, students.c.state != "forgotten")
    made.count("went", students, left)
    made.count("handed_over", accepted, acceptances.c.at >= since)
    made.count("taken_back", accepted, acceptances.c.returned_at >= since)
    made.count("lost", gone, holdings.c.step == "lose", holdings.c.since >= since)


def _name(programme: Programme, by: str, key: str) -> str:
    if by == "stage" and programme.stages:
        return programme.stage_of(key) or f"grade {key or 'unknown'}"
    return key


def _order(programme: Programme, by: str) -> Callable[[str], tuple[int, int, str]]:
    """Stages and categories as the programme has them; grades as numbers."""
    known = {"stage": tuple(programme.stages), "category": programme.categories}.get(by, ())

    def order(key: str) -> tuple[int, int, str]:
        at, name = place(known, key)
        return at, int(key) if name and key.isascii() and key.isdigit() else 0, name

    return order
