"""A filter as SQL: the condition, and the tables that it has to be asked of.

``not`` turns around exactly what holds. What is in a table of which a unit may have several rows is asked as ``key IN
(SELECT …)``; what is said of SIMs within one ``and`` is said of one and the same SIM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from fleet.account.filters.fields import FIELDS, OF_STUDENT, SEVERAL, Field
from fleet.account.filters.leaves import Clause, Leaves, checked, is_none, is_positive, needs_row, positive
from fleet.account.filters.parse import AllOf, AnyOf, Compare, FilterError, Flag, Not, Tree, leaves
from fleet.models import agent_contacts, agents, custody, health_now, places, runs, students, units
from profiles.errors import meant

_PLACES = (places, students)
_STATES = ("enrolled", "left", "forgotten")
_ELSEWHERE = (*SEVERAL, *_PLACES)
_OF_UNITS: Mapping[Table, Column[str]] = {units: units.c.key, custody: custody.c.unit, health_now: health_now.c.unit}
"""Tables of which a unit has one row (readings: at most one), and their column of it."""


@dataclass(frozen=True)
class Asked:
    """A filter that is to be asked ``now``, of all units or the one whose key is ``only``.

    ``newest``: the last digest of each profile; ``alarms``: rules by name. ``few``: it is known to fit few units, so
    that it is faster to look each of them up in other tables than to gather what fits there.
    """

    text: str
    tree: Tree | None
    now: str
    newest: Mapping[str, str] = field(default_factory=dict)
    alarms: Mapping[str, Tree] = field(default_factory=dict)
    only: str | None = None
    few: bool = False

    def frame(self, *wanted: Table) -> Frame:
        """Where it is asked of, when the answer has columns of the tables ``wanted``."""
        tree = self.whole
        asked = set() if tree is None else tables(tree)
        read = tree is not None and needs_row_of(tree, health_now)
        elsewhere = not asked.isdisjoint(SEVERAL)
        all_of = {*wanted, *asked} - SEVERAL.keys()
        if not all_of or (all_of == {health_now} and not read):
            all_of.add(custody if elsewhere or all_of else units)
        first = next(table for table in _OF_UNITS if table in all_of)
        # Beside a reading stands the state, too, and in its index. Where other tables take part, not as an index has
        # it: SQLite would take that of the state, which fits most units, and look each of them up in the others.
        state: ColumnElement[str] = (health_now if read else first).c.state
        frame = Frame(_joined(first, all_of, read), _OF_UNITS[first], state)
        said: list[Clause] = [true()] if tree is None else [frame.condition(self, sought=not elsewhere).of(tree)]
        if self.only is not None:
            said.append(_OF_UNITS[first] == self.only)
        return replace(frame, where=and_(*said))

    @cached_property
    def whole(self) -> Tree | None:
        """The tree with the rules in place of the names of alarms. FilterError for what cannot be asked like this."""
        return None if self.tree is None else self._expanded(self.tree)

    def _expanded(self, tree: Tree) -> Tree:
        match tree:
            case Not(inner):
                return Not(self._expanded(inner))
            case AllOf(parts):
                return AllOf(tuple(map(self._expanded, parts)))
            case AnyOf(parts):
                return AnyOf(tuple(map(self._expanded, parts)))
            case Compare("alarm"):
                checked(self.text, tree)
                return self._alarm(tree)
        checked(self.text, tree)
        return tree

    def _alarm(self, leaf: Compare) -> Tree:
        rules: list[Tree] = []
        for value in leaf.values:
            if is_none(value):
                rules.append(Not(AnyOf(tuple(self.alarms.values()))))
            elif value.text not in self.alarms:
                near = meant(value.text, self.alarms)
                raise FilterError(self.text, value.at, f"no alarm is called {value.text!r}{near}")
            else:
                rules.append(self.alarms[value.text])
        found: Tree = rules[0] if len(rules) == 1 else AnyOf(tuple(rules))
        return Not(found) if leaf.op == "!=" else found


@dataclass(frozen=True)
class Frame:
    """Of what ``source`` a filter is asked: its condition ``where``, the ``key`` and the ``state`` of a unit there, and
    the ``number`` of units. ``stands``: what stands there for some columns."""

    source: FromClause
    key: ColumnElement[str]
    state: ColumnElement[str]
    where: Clause = field(default_factory=true)
    number: ColumnElement[int] = field(default_factory=func.count)
    stands: Mapping[Column[str], ColumnElement[Any]] = field(default_factory=dict)

    def column(self, column: Column[str]) -> ColumnElement[Any]:
        return self.stands.get(column, column)

    def count(self) -> Select[Any]:
        return select(func.coalesce(self.number, 0)).select_from(self.source).where(self.where)

    def condition(self, asked: Asked, *, sought: bool = False) -> Condition:
        """What makes conditions of trees here. ``sought``: the state may be looked for in an index."""
        return Condition(asked, self.key, {units.c.state: self.state if sought else self.state.concat("")})


class Condition:
    """Trees as conditions, where ``key`` is that of the unit, and ``stands`` what stands for some columns."""

    def __init__(self, asked: Asked, key: ColumnElement[str], stands: Mapping[Column[str], ColumnElement[Any]]) -> None:
        self._asked, self._key = asked, key
        self._leaves = Leaves(asked.text, asked.now, asked.newest, stands)

    def of(self, tree: Tree) -> Clause:
        match tree:
            case Not(inner):
                return not_(self.of(inner))
            case AllOf(parts):
                return and_(*self._all(parts))
            case AnyOf(parts):
                return or_(*map(self.of, parts)) if parts else false()
            case _:
                return and_(*self._all((tree,)))

    def of_row(self, parts: Sequence[Compare | Flag]) -> Clause:
        """All of them, said of one row."""
        return and_(*map(self._leaves.of, parts))

    def _all(self, parts: Sequence[Tree]) -> list[Clause]:
        """Comparisons with the same table of others stand in one subquery; one that negates, too, if others do."""
        clauses: list[Clause] = []
        elsewhere: dict[Table, list[Clause]] = {}
        said = {FIELDS[part.field].table for part in parts if isinstance(part, Compare | Flag) and is_positive(part)}
        for part in parts:
            if not isinstance(part, Compare | Flag):
                clauses.append(self.of(part))
                continue
            table = FIELDS[part.field].table
            if table is None or table not in _ELSEWHERE:
                clauses.append(self._leaves.of(part))
            elif part.field in OF_STUDENT:
                clauses.append(self._of_student_or_place(part))
            elif isinstance(part, Compare) and part.op == "=" and is_none(part.values[0]):
                clauses.append(not_(self._elsewhere(table, [_filled(FIELDS[part.field])])))
            elif not is_positive(part) and table not in said:
                clauses.append(not_(self.of(positive(part))))
            else:
                elsewhere.setdefault(table, []).append(self._leaves.of(part))
        clauses.extend(self._elsewhere(table, said) for table, said in elsewhere.items())
        return clauses

    def _of_student_or_place(self, leaf: Compare | Flag) -> Clause:
        """Of the student's school or area while one has the unit, else of its place."""
        assert isinstance(leaf, Compare)
        if leaf.op == "=" and is_none(leaf.values[0]):
            return not_(self._where_its(leaf.field, lambda column: column != ""))
        if not is_positive(leaf):
            return not_(self._of_student_or_place(positive(leaf)))
        known = FIELDS[leaf.field].column
        assert known is not None
        return self._where_its(leaf.field, lambda column: replace(self._leaves, stands={known: column}).of(leaf))

    def _where_its(self, name: str, said: Callable[[ColumnElement[str]], Clause]) -> Clause:
        """Each case of its own, so that each is found along an index."""
        own = OF_STUDENT[name]
        if name == "school":
            here = select(places.c.place).where(places.c.kind == "school", said(places.c.place))
            theirs = [said(own)]
        else:
            here = select(places.c.place).where(said(places.c.area))
            known = students.c.state.in_(_STATES)  # all that there are: areas are in an index by state
            of_school = students.c.school.in_(here.correlate(None))
            theirs = [and_(known, own != "", said(own)), and_(known, own == "", of_school)]
        lies = and_(custody.c.state != "with_student", custody.c.place.in_(here.correlate(None)))
        return or_(lies, *(self._held_by(one) for one in theirs))

    def _held_by(self, *said: Clause) -> Clause:
        holders = select(students.c.student).where(*said).correlate(None)
        return and_(custody.c.holder.is_not(None), custody.c.holder.in_(holders))

    def _elsewhere(self, table: Table, said: Sequence[Clause]) -> Clause:
        if table is places:
            return self._leaves.column(custody.c.place).in_(select(places.c.place).where(*said).correlate(None))
        if table is students:
            return self._held_by(*said)
        if table is agent_contacts:
            said = (*said, _LIVES)
        column = SEVERAL[table]
        known: list[Clause] = [column.is_not(None)] if column.nullable else []
        if self._asked.only is not None:
            known = [column == self._asked.only]
        if self._asked.few:
            return exists(select(column).where(column == self._key, *said).correlate_except(table))
        return self._key.in_(select(column).where(*said, *known).correlate(None))


_ENROLLED = agents.alias("enrolled")
_LIVES = exists(
    select(_ENROLLED.c.number)
    .where(_ENROLLED.c.number == agent_contacts.c.number, _ENROLLED.c.ended_at.is_(None))
    .correlate(agent_contacts)
)
"""Of a contact: that of an enrolment that lives."""


def _joined(first: Table, tables: set[Table], read: bool) -> FromClause:
    """The tables by the unit. Not every unit has a reading, unless it has to (``read``)."""
    source: FromClause = first
    for table in _OF_UNITS:
        if table in tables and table is not first:
            same = _OF_UNITS[table] == _OF_UNITS[first]
            source = source.join(table, same, isouter=table is health_now and not read)
    return source


def tables(tree: Tree) -> set[Table]:
    """Where a filter looks, but for the state, which stands wherever units do."""
    found = {FIELDS[leaf.field].table for leaf in leaves(tree) if leaf.field != "state"}
    return {custody if table in _PLACES else table for table in found if table is not None}


def both(within: Asked, rule: Tree) -> Asked:
    """The units of ``within`` that ``rule`` fits, too."""
    return replace(within, tree=rule if within.tree is None else AllOf((rule, within.tree)))


def needs_row_of(tree: Tree, table: Table) -> bool:
    """Whether only units can fit that have a row there."""
    parts = tree.parts if isinstance(tree, AllOf) else (tree,)
    return any(isinstance(one, Compare | Flag) and FIELDS[one.field].table is table and needs_row(one) for one in parts)


def newest_digests(conn: Connection) -> Mapping[str, str]:
    """The digest of the last run of each profile. A seek per profile, however many runs there are."""
    first = select(func.min(runs.c.profile).label("profile")).cte("profiles", recursive=True)
    later = select(func.min(runs.c.profile)).where(runs.c.profile > first.c.profile).scalar_subquery()
    each = first.union_all(select(later).where(first.c.profile.is_not(None)))
    last = select(runs.c.digest).where(runs.c.profile == each.c.profile).order_by(runs.c.ended.desc()).limit(1)
    query = select(each.c.profile, last.correlate(each).scalar_subquery()).where(each.c.profile.is_not(None))
    return {row[0]: row[1] for row in conn.execute(query)}


def _filled(known: Field) -> Clause:
    column = known.column
    assert column is not None
    return and_(column.is_not(None), column != "") if known.is_text else column.is_not(None)
