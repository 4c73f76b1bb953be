"""A filter as SQL: the condition, and the tables that it has to be asked of.

Every comparison is either true or not: of a value that is not known none holds but ``= none``, and ``not`` turns around
exactly what holds. What is in another table than ``units`` and ``custody`` is asked as ``key IN (SELECT …)``; what is
said of SIMs within one ``and`` is said of one and the same SIM.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
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
    literal,
    not_,
    or_,
    select,
    true,
)

from fleet.account.filters import values as filter_values
from fleet.account.filters.fields import BY_UNIT, FIELDS, Field, Kind
from fleet.account.filters.parse import AllOf, AnyOf, Compare, FilterError, Flag, Not, Tree, Value, leaves
from fleet.models import custody, missing, places, runs, sims, students, units
from profiles.errors import meant

Clause = ColumnElement[bool]
_ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPS = {
    Kind.TEXT: ("=", "!=", "~", "!~", "<", "<=", ">", ">=", "in"),
    Kind.CODE: ("=", "!=", "~", "!~", "<", "<=", ">", ">=", "in"),
    Kind.STUDENT: ("=", "!=", "in"),
    Kind.WORD: ("=", "!=", "in"),
    Kind.ALARM: ("=", "!=", "in"),
    Kind.NUMBER: ("=", "!=", "<", "<=", ">", ">=", "in"),
    Kind.SIZE: ("=", "!=", "<", "<=", ">", ">="),
    Kind.MOMENT: ("=", "!=", "<", "<=", ">", ">="),
    Kind.DAY: ("=", "!=", "<", "<=", ">", ">="),
    Kind.MAJOR: ("=", "!=", "<", "<=", ">", ">=", "in"),
}
_MAJORS = range(1, 60)
_PLACES = (places, students)
_ELSEWHERE = (*BY_UNIT, *_PLACES)


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
        tree = None if self.tree is None else self._expanded(self.tree)
        tables = set(wanted) | (set() if tree is None else {t for leaf in leaves(tree) for t in self._tables(leaf)})
        if not tables:
            tables = {units if tree is None or not self._looks_elsewhere(tree) else custody}
        elsewhere = tree is not None and self._looks_elsewhere(tree)
        frame = Frame(self, units in tables, custody in tables, elsewhere)
        said: list[Clause] = [true()] if tree is None else [frame.clause(tree)]
        if self.only is not None:
            said.append(frame.key == self.only)
        return replace(frame, where=and_(*said))

    def _looks_elsewhere(self, tree: Tree) -> bool:
        return any(FIELDS[leaf.field].table in BY_UNIT for leaf in leaves(tree))

    def _tables(self, leaf: Compare | Flag) -> Sequence[Table]:
        table = self.known(leaf).table
        if leaf.field == "state":
            return ()
        return (custody,) if table in _PLACES or table is custody else (units,) if table is units else ()

    def known(self, leaf: Compare | Flag) -> Field:
        """The field that is meant. FilterError for one that is none, or is not said like this."""
        found = FIELDS.get(leaf.field)
        if found is None:
            raise FilterError(self.text, leaf.at, f"{leaf.field!r} is no field{meant(leaf.field, FIELDS)}")
        if isinstance(leaf, Flag) and found.kind is not Kind.FLAG:
            raise FilterError(self.text, leaf.at, f"of {found.name} something has to be said, such as {found.name} = …")
        if isinstance(leaf, Compare) and found.kind is Kind.FLAG:
            raise FilterError(self.text, leaf.at, f"{found.name} stands by itself: {found.name}, or not {found.name}")
        if isinstance(leaf, Compare) and leaf.op not in _OPS[found.kind]:
            said = ", ".join(_OPS[found.kind])
            raise FilterError(self.text, leaf.at, f"{found.name} ({found.kind.value}) can be asked by {said}")
        return found

    def _expanded(self, tree: Tree) -> Tree:
        """With the rules in place of the names of alarms."""
        match tree:
            case Not(inner):
                return Not(self._expanded(inner))
            case AllOf(parts):
                return AllOf(tuple(map(self._expanded, parts)))
            case AnyOf(parts):
                return AnyOf(tuple(map(self._expanded, parts)))
            case Compare("alarm"):
                self.known(tree)
                return self._alarm(tree)
        self.known(tree)
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
    """Which of the two tables of units take part; ``where`` is the condition."""

    asked: Asked
    of_units: bool
    of_custody: bool
    elsewhere: bool = False
    where: Clause = field(default_factory=true)

    @property
    def source(self) -> FromClause:
        if self.of_units and self.of_custody:
            return units.join(custody, custody.c.unit == units.c.key)
        return custody if self.of_custody else units

    @property
    def key(self) -> Column[str]:
        return units.c.key if self.of_units else custody.c.unit

    @property
    def state(self) -> Column[str]:
        return units.c.state if self.of_units else custody.c.state

    @property
    def _state(self) -> ColumnElement[str]:
        """Where other tables take part, not as an index has it: SQLite would take that of the state, which fits most
        units, and look each of them up in the others."""
        return self.state.concat("") if self.elsewhere else self.state

    def count(self) -> Select[Any]:
        return select(func.count()).select_from(self.source).where(self.where)

    def clause(self, tree: Tree) -> Clause:
        match tree:
            case Not(inner):
                return not_(self.clause(inner))
            case AllOf(parts):
                return and_(*self._all(parts))
            case AnyOf(parts):
                return or_(*map(self.clause, parts)) if parts else false()
            case _:
                return and_(*self._all((tree,)))

    def _all(self, parts: Sequence[Tree]) -> list[Clause]:
        """Comparisons with the same table of others stand in one subquery; one that negates, too, if others do."""
        clauses: list[Clause] = []
        elsewhere: dict[Table, list[Clause]] = {}
        said = {FIELDS[part.field].table for part in parts if isinstance(part, Compare | Flag) and _is_positive(part)}
        for part in parts:
            if not isinstance(part, Compare | Flag):
                clauses.append(self.clause(part))
                continue
            table = FIELDS[part.field].table
            if table is None or table not in _ELSEWHERE:
                clauses.append(self._leaf(part))
            elif isinstance(part, Compare) and part.op == "=" and is_none(part.values[0]):
                clauses.append(not_(self._elsewhere(table, [_filled(FIELDS[part.field])])))
            elif not _is_positive(part) and table not in said:
                clauses.append(not_(self.clause(_positive(part))))
            else:
                elsewhere.setdefault(table, []).append(self._leaf(part))
        clauses.extend(self._elsewhere(table, said) for table, said in elsewhere.items())
        return clauses

    def _elsewhere(self, table: Table, said: Sequence[Clause]) -> Clause:
        if table is places:
            return custody.c.place.in_(select(places.c.place).where(*said))
        if table is students:
            holders = select(students.c.student).where(*said)
            return and_(custody.c.holder.is_not(None), custody.c.holder.in_(holders))
        column = BY_UNIT[table]
        known: list[Clause] = [column.is_not(None)] if column.nullable else []
        if self.asked.only is not None:
            known = [column == self.asked.only]
        if self.asked.few:
            return exists(select(column).where(column == self.key, *said))
        return self.key.in_(select(column).where(*said, *known))

    def _leaf(self, leaf: Compare | Flag) -> Clause:
        known = FIELDS[leaf.field]
        if isinstance(leaf, Flag):
            return self._flag(known)
        if leaf.op in ("!=", "!~"):
            return not_(self._leaf(_positive(leaf)))
        if known.kind is Kind.MAJOR:
            return and_(units.c.platform == known.name, self._major(leaf))
        column: Any = self._state if known.name == "state" else known.column
        one_of = or_(*(self._one(known, column, leaf, value) for value in leaf.values))
        return and_(places.c.kind == "school", one_of) if known.name == "school" else one_of

    def _flag(self, known: Field) -> Clause:
        if known.name == "sim_missing":
            return and_(sims.c.missed_at > "", sims.c.state != "ended")
        if known.name == "uncounted":
            return missing.c.until.is_(None)
        pairs = self.asked.newest.items()
        older = [and_(units.c.last_profile == name, units.c.last_digest != digest) for name, digest in pairs]
        return and_(units.c.last_profile.is_not(None), units.c.last_digest.is_not(None), or_(false(), *older))

    def _one(self, known: Field, column: Any, leaf: Compare, value: Value) -> Clause:
        if is_none(value):
            if leaf.op not in ("=", "in"):
                raise FilterError(self.asked.text, value.at, "none can be asked by = and != only")
            lacks: Clause = column.is_(None) if _may_lack(known) else column == ("" if _is_text(known) else None)
            return lacks
        said = self._compared(known, column, "=" if leaf.op == "in" else leaf.op, value)
        return and_(column.is_not(None), said) if _may_lack(known) else said

    def _compared(self, known: Field, column: Any, op: str, value: Value) -> Clause:
        if op == "~":
            holds: Clause = column.icontains(value.text, autoescape=True)
            return holds
        if known.kind in (Kind.MOMENT, Kind.DAY):
            return self._at(known, column, op, value)
        clause: Clause = _ORDER[op](column, literal(self._value(known, value)))
        return clause

    def _value(self, known: Field, value: Value) -> str | int:
        text = value.text
        if known.kind is Kind.CODE:
            return text.strip().upper()
        if known.kind is Kind.STUDENT:
            from fleet.account.people.pseudonyms import typed

            return typed(text)
        if known.kind is Kind.WORD:
            word = text.strip().lower().replace("-", "_").replace(" ", "_")
            if word not in known.words:
                listed = ", ".join(known.words)
                raise FilterError(
                    self.asked.text, value.at, f"{known.name} is one of {listed}{meant(word, known.words)}"
                )
            return word
        if known.kind in (Kind.NUMBER, Kind.SIZE):
            read = filter_values.number if known.kind is Kind.NUMBER else filter_values.size
            number = read(text)
            if number is None:
                raise FilterError(self.asked.text, value.at, f"{known.name} is a {known.kind.value}")
            return number
        return text

    def _at(self, known: Field, column: Any, op: str, value: Value) -> Clause:
        """``=`` a date is within that day; ``>`` it is after it."""
        found = filter_values.moment(value.text, self.asked.now)
        if found is None:
            said = "a date (2026-11-22), today, or an age: 30d is 30 days ago, +30d in 30 days"
            raise FilterError(self.asked.text, value.at, f"{known.name} is {said}")
        begin, span = found
        try:
            first, after = self._recorded(known, begin), self._recorded(known, begin + span)
        except OverflowError:
            raise FilterError(self.asked.text, value.at, "no calendar goes as far as that") from None
        if not span:
            clause: Clause = _ORDER[op](column, literal(first))
            return clause
        bounds: Mapping[str, Clause] = {
            "=": and_(column >= literal(first), column < literal(after)),
            "<": column < literal(first),
            "<=": column < literal(after),
            ">": column >= literal(after),
            ">=": column >= literal(first),
        }
        return bounds[op]

    def _recorded(self, known: Field, at: datetime) -> str:
        if known.kind is Kind.DAY:
            return at.astimezone().date().isoformat()
        return filter_values.recorded(at)

    def _major(self, leaf: Compare) -> Clause:
        """Versions are texts; those of one number before the first dot stand together in an index."""
        column = units.c.version
        wanted: set[int] = set()
        for value in leaf.values:
            number = filter_values.number(value.text)
            if number is None or is_none(value):
                raise FilterError(self.asked.text, value.at, f"{leaf.field} is a whole number, such as 15")
            op = _ORDER["=" if leaf.op == "in" else leaf.op]
            wanted |= {major for major in _MAJORS if op(major, number)}
        ranges = [and_(column >= f"{n}.", column < f"{n}/") for n in sorted(wanted)]
        return or_(column.in_([str(n) for n in sorted(wanted)]), *ranges)


def is_none(value: Value) -> bool:
    """Whether it is the word ``none``."""
    return not value.quoted and value.text.lower() == "none"


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
    if known.name == "school":
        return places.c.kind == "school"
    return and_(column.is_not(None), column != "") if _is_text(known) else column.is_not(None)


def _is_positive(tree: Tree) -> bool:
    """Whether it is a comparison that says what is, and not what is not."""
    if not isinstance(tree, Compare):
        return isinstance(tree, Flag)
    return tree.op not in ("!=", "!~") and not (tree.op == "=" and is_none(tree.values[0]))


def _positive(leaf: Compare | Flag) -> Compare:
    assert isinstance(leaf, Compare)
    return Compare(leaf.field, {"!=": "=", "!~": "~"}[leaf.op], leaf.values, leaf.at)


def _may_lack(known: Field) -> bool:
    return known.column is not None and bool(known.column.nullable)


def _is_text(known: Field) -> bool:
    return known.kind in (Kind.TEXT, Kind.CODE, Kind.WORD, Kind.STUDENT)
