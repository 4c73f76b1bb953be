"""One comparison of a filter as a condition in SQL. Every one either holds or does not: of a value that is not known
none holds but ``= none``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, exists, false, func, literal, literal_column, not_, or_, select

from fleet.account.filters import values as filter_values
from fleet.account.filters.fields import FIELDS, Field, Kind
from fleet.account.filters.parse import Compare, FilterError, Flag, Value
from fleet.models import agent_contacts, missing, orders, sims, units
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
OTHER = "another phone has used its number"
"""How a difference begins that another device told, by the same number."""

WAITS = "waits for Wi-Fi: "
"""How differences begin that the agent leaves until it is on Wi-Fi: all, or none."""

_ICCID = func.rtrim(func.upper(agent_contacts.c.iccid), "F")
"""As devices tell it: filled up with an F, or without the check digit (fleet.iccid)."""

_OURS = select(sims.c.unit).where(sims.c.unit == agent_contacts.c.unit, sims.c.state != "ended")
_EQUAL = _OURS.where(sims.c.iccid == agent_contacts.c.iccid)
_SAME = func.substr(sims.c.iccid, 1, func.length(_ICCID)) == _ICCID
_NOTHING: ColumnElement[str] = literal_column("'[]'")
"""Not a parameter: databases look for it in the index of rows of which something is told."""

_TOLD: Mapping[str, Clause] = {
    "agent_no_owner": agent_contacts.c.owner.is_(False),
    "agent_differs": and_(
        agent_contacts.c.drift != _NOTHING,
        not_(agent_contacts.c.drift.startswith(f'["{OTHER}')),
        not_(agent_contacts.c.drift.startswith(f'["{WAITS}')),
    ),
    "agent_forbidden": agent_contacts.c.missing != _NOTHING,
    "agent_twice": and_(agent_contacts.c.drift != _NOTHING, agent_contacts.c.drift.startswith(f'["{OTHER}')),
    "agent_wiping": exists(
        select(orders.c.unit)
        .where(orders.c.unit == agent_contacts.c.unit, orders.c.number == agent_contacts.c.number)
        .where(orders.c.state == "begun")
        .correlate(agent_contacts)
    ),
    "sim_changed": and_(
        agent_contacts.c.iccid.is_not(None),
        not_(exists(_EQUAL.correlate(agent_contacts))),  # mostly it is told as it is written: no word is cut then
        not_(exists(_OURS.where(_SAME).correlate(agent_contacts))),
        exists(_OURS.correlate(agent_contacts)),  # last: it holds of nearly all
    ),
}
_MAJORS = range(1, 60)


@dataclass(frozen=True)
class Leaves:
    """Comparisons of the filter ``text``, asked ``now``. ``newest``: the last digest of each profile. ``stands``: what
    stands for some columns where they are asked."""

    text: str
    now: str
    newest: Mapping[str, str]
    stands: Mapping[Column[str], ColumnElement[Any]]

    def of(self, leaf: Compare | Flag) -> Clause:
        """FilterError for a value that its field cannot have."""
        known = FIELDS[leaf.field]
        if isinstance(leaf, Flag):
            return self._flag(known)
        if leaf.op in ("!=", "!~"):
            return not_(self.of(positive(leaf)))
        if known.kind is Kind.MAJOR:
            return and_(self.column(units.c.platform) == known.name, self._major(leaf))
        assert known.column is not None
        column = self.column(known.column)
        return or_(*(self._one(known, column, leaf, value) for value in leaf.values))

    def column(self, column: Column[str]) -> ColumnElement[Any]:
        return self.stands.get(column, column)

    def _flag(self, known: Field) -> Clause:
        if known.name == "sim_missing":
            return and_(sims.c.missed_at > "", sims.c.state != "ended")
        if known.name == "uncounted":
            return missing.c.until.is_(None)
        if known.table is agent_contacts:
            return _TOLD[known.name]
        profile, digest = self.column(units.c.last_profile), self.column(units.c.last_digest)
        older = [and_(profile == name, digest != newest) for name, newest in self.newest.items()]
        return and_(profile.is_not(None), digest.is_not(None), or_(false(), *older))

    def _one(self, known: Field, column: Any, leaf: Compare, value: Value) -> Clause:
        if is_none(value):
            if leaf.op not in ("=", "in"):
                raise FilterError(self.text, value.at, "none can be asked by = and != only")
            lacks: Clause = column.is_(None) if known.may_lack else column == ("" if known.is_text else None)
            return lacks
        said = self._compared(known, column, "=" if leaf.op == "in" else leaf.op, value)
        if known.is_blank:
            return and_(column > "", said)
        return and_(column.is_not(None), said) if known.may_lack else said

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
                raise FilterError(self.text, value.at, f"{known.name} is one of {listed}{meant(word, known.words)}")
            return word
        if known.kind in (Kind.NUMBER, Kind.SIZE):
            read = filter_values.number if known.kind is Kind.NUMBER else filter_values.size
            number = read(text)
            if number is None:
                raise FilterError(self.text, value.at, f"{known.name} is a {known.kind.value}")
            return number
        return text

    def _at(self, known: Field, column: Any, op: str, value: Value) -> Clause:
        """``=`` a date is within that day; ``>`` it is after it."""
        found = filter_values.moment(value.text, self.now)
        if found is None:
            said = "a date (2026-11-22), today, or an age: 30d is 30 days ago, +30d in 30 days"
            raise FilterError(self.text, value.at, f"{known.name} is {said}")
        begin, span = found
        try:
            first, after = _recorded(known, begin), _recorded(known, begin + span)
        except OverflowError:
            raise FilterError(self.text, value.at, "no calendar goes as far as that") from None
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

    def _major(self, leaf: Compare) -> Clause:
        """Versions are texts; those of one number before the first dot stand together in an index."""
        column = self.column(units.c.version)
        wanted: set[int] = set()
        for value in leaf.values:
            number = filter_values.number(value.text)
            if number is None or is_none(value):
                raise FilterError(self.text, value.at, f"{leaf.field} is a whole number, such as 15")
            op = _ORDER["=" if leaf.op == "in" else leaf.op]
            wanted |= {major for major in _MAJORS if op(major, number)}
        ranges = [and_(column >= f"{n}.", column < f"{n}/") for n in sorted(wanted)]
        return or_(column.in_([str(n) for n in sorted(wanted)]), *ranges)


def checked(text: str, leaf: Compare | Flag) -> Field:
    """The field that is meant. FilterError for one that is none, or is not said like this."""
    found = FIELDS.get(leaf.field)
    if found is None:
        raise FilterError(text, leaf.at, f"{leaf.field!r} is no field{meant(leaf.field, FIELDS)}")
    if isinstance(leaf, Flag) and found.kind is not Kind.FLAG:
        raise FilterError(text, leaf.at, f"of {found.name} something has to be said, such as {found.name} = …")
    if isinstance(leaf, Compare) and found.kind is Kind.FLAG:
        raise FilterError(text, leaf.at, f"{found.name} stands by itself: {found.name}, or not {found.name}")
    if isinstance(leaf, Compare) and leaf.op not in _OPS[found.kind]:
        said = ", ".join(_OPS[found.kind])
        raise FilterError(text, leaf.at, f"{found.name} ({found.kind.value}) can be asked by {said}")
    return found


def is_none(value: Value) -> bool:
    """Whether it is the word ``none``."""
    return not value.quoted and value.text.lower() == "none"


def is_positive(leaf: Compare | Flag) -> bool:
    """Whether it says what is, and not what is not."""
    if isinstance(leaf, Flag):
        return True
    return leaf.op not in ("!=", "!~") and not (leaf.op == "=" and is_none(leaf.values[0]))


def needs_row(leaf: Compare | Flag) -> bool:
    """Whether it cannot hold where there is no row to ask it of."""
    return is_positive(leaf) and not (isinstance(leaf, Compare) and any(map(is_none, leaf.values)))


def positive(leaf: Compare | Flag) -> Compare:
    """What one that says ``!=`` or ``!~`` denies."""
    assert isinstance(leaf, Compare)
    return Compare(leaf.field, {"!=": "=", "!~": "~"}[leaf.op], leaf.values, leaf.at)


def _recorded(known: Field, at: datetime) -> str:
    if known.kind is Kind.DAY:
        return at.astimezone().date().isoformat()
    return filter_values.recorded(at)
