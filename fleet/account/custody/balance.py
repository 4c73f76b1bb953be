"""Received = the sum of all places, on any date; and what of it nobody can explain.

What was received is counted in the table of units and what there is in that of places, so that a unit which is in one
and not in the other is seen. Both are asked as a whole, never unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, Subquery, and_, case, func, or_, select

from fleet.account.custody.machine import ENDS, State
from fleet.models import acceptances, batches, custody, holdings, missing, students, units

TRANSIT_DAYS = 14
_EXAMPLES = 5


@dataclass(frozen=True)
class Line:
    """So many units are in this state at this place ("" where nobody said). In transit: on their way to it."""

    state: str
    place: str
    units: int


@dataclass(frozen=True)
class Unexplained:
    """``kind`` is the key of :data:`KINDS`; ``of`` the batch, where it is about one; ``units`` how many, less than 0
    where there are more than there should be; ``examples`` some of them, by tag or serial."""

    kind: str
    units: int
    of: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Balance:
    """``at`` is the moment that it tells of. ``received`` = the sum of ``lines``, else the difference is unexplained.

    Of a place: ``received`` are the units that ever lay there, or that its students ever had, ``lines`` where they are,
    ``unexplained`` is about them alone; ``coming`` are those in transit to it.
    """

    at: str
    place: str
    received: int
    lines: tuple[Line, ...]
    coming: int
    unexplained: tuple[Unexplained, ...]

    @property
    def by_state(self) -> Mapping[str, int]:
        """Units of each state that there are any of."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.state] = found.get(line.state, 0) + line.units
        return found


KINDS = {
    "books": "in the table of units and not in that of places, or the other way round",
    "announced": "announced and not received",
    "never_seen": "received and never seen at a bench",
    "nowhere": "at a bench of which nobody said where it stands",
    "in_transit": "in transit for too long",
    "missing": "not found when their place was counted",
    "seen_since": "seen at a bench since they were recorded as lost, retired, given back or in transit",
    "accepted": "accepted by a student and recorded elsewhere since, by a bench that was offline",
    "unlisted": "seen at a bench and in no donor's list",
}
"""What is not explained, in the order in which it is told."""


@dataclass(frozen=True)
class _Moment:
    """``until`` ``None``: now, and only then what was seen since can be told."""

    until: str | None
    now: str

    @property
    def at(self) -> str:
        return self.until or self.now


def balance(
    conn: Connection, now: str, *, until: str | None = None, place: str = "", days: int = TRANSIT_DAYS
) -> Balance:
    """The balance of everything, or of one ``place`` (its code as it is kept).

    ``until``: as it was just before this moment (UTC); ``days``: after so many a unit in transit is unexplained.
    """
    moment = _Moment(until, now)
    lines, received = _at_place(conn, moment, place) if place else _everywhere(conn, moment)
    coming = 0
    if place:
        held = _held(moment, papers=False)
        bound = (held.c.place == place) & (held.c.state == State.IN_TRANSIT)
        coming = conn.scalar(select(func.count()).select_from(held).where(bound)) or 0
    unexplained = tuple(_unexplained(conn, moment, place, days, received - sum(line.units for line in lines)))
    return Balance(moment.at, place, received, lines, coming, unexplained)


def _everywhere(conn: Connection, moment: _Moment) -> tuple[tuple[Line, ...], int]:
    held = _held(moment, papers=False)
    query = select(held.c.state, held.c.place, func.count()).group_by(held.c.state, held.c.place)
    lines = tuple(Line(*row) for row in conn.execute(query.order_by(held.c.state, held.c.place)))
    counted = select(func.count()).select_from(units)
    if moment.until:
        counted = counted.where(units.c.first_seen < moment.until)
    return lines, conn.scalar(counted) or 0


def _at_place(conn: Connection, moment: _Moment, place: str) -> tuple[tuple[Line, ...], int]:
    """Where the units are that came there."""
    came = _came_to(moment, place).subquery()
    held = _held(moment, papers=False)
    where = select(held.c.state, held.c.place, func.count()).join_from(came, held, held.c.unit == came.c.unit)
    query = where.group_by(held.c.state, held.c.place).order_by(held.c.state, held.c.place)
    lines = tuple(Line(*row) for row in conn.execute(query))
    return lines, conn.scalar(select(func.count()).select_from(came)) or 0


def _came_to(moment: _Moment, place: str) -> CompoundSelect[tuple[str]]:
    """The units that ever lay there, or that students of that school ever had, handed over elsewhere; what only is on
    its way has not come."""
    by_then = [holdings.c.since < moment.until] if moment.until else []
    lay = select(holdings.c.unit).where(holdings.c.place == place, holdings.c.state != State.IN_TRANSIT, *by_then)
    theirs = holdings.join(students, students.c.student == holdings.c.student)
    had = select(holdings.c.unit).select_from(theirs).where(students.c.school == place)
    return lay.union(had.where(holdings.c.state == State.WITH_STUDENT, *by_then))


def _held(moment: _Moment, *, papers: bool) -> Subquery:
    """Every unit once: where it was, and since when; with ``papers`` when these came, and when a bench first saw it."""
    known = (custody.c.received_at, custody.c.benched_at) if papers else ()
    if moment.until is None:
        return select(custody.c.unit, custody.c.state, custody.c.place, custody.c.since, *known).subquery("held")
    still = or_(holdings.c.until.is_(None), holdings.c.until >= moment.until)
    query = select(holdings.c.unit, holdings.c.state, holdings.c.place, holdings.c.since, *known)
    if papers:
        query = query.join_from(holdings, custody, custody.c.unit == holdings.c.unit)
    return query.where(holdings.c.since < moment.until, still).subquery("held")


def _unexplained(conn: Connection, moment: _Moment, place: str, days: int, books: int) -> Iterator[Unexplained]:
    if books:
        yield Unexplained("books", books)
    if not place:
        yield from _announced(conn, moment)
    held = _held(moment, papers=True)
    odd = _oddities(held, moment, days)
    among = _came_to(moment, place) if place else None
    sums = select(*(func.sum(case((condition, 1), else_=0)) for condition in odd.values())).select_from(held)
    row = conn.execute(sums.where(*_of(held.c.unit, among))).one()
    for (kind, condition), number in zip(odd.items(), row, strict=True):
        if number:
            query = select(units.c.tag, units.c.serial).join_from(held, units, units.c.key == held.c.unit)
            found = query.where(condition, *_of(held.c.unit, among))
            yield Unexplained(kind, number, examples=_names(conn, found, held.c.unit))
    yield from _missing(conn, moment, among)
    if moment.until is None:
        yield from _seen_since(conn, among)
        yield from _accepted(conn, among)


_Among = CompoundSelect[tuple[str]] | None
"""The units that are told of: those of the sum that is told of a place; ``None`` is all."""


def _of(unit: ColumnElement[str], among: _Among) -> tuple[ColumnElement[bool], ...]:
    return () if among is None else (unit.in_(among),)


def _oddities(held: Subquery, moment: _Moment, days: int) -> dict[str, ColumnElement[bool]]:
    """What is odd about where a unit is, by kind."""
    late = datetime.fromisoformat(moment.at) - timedelta(days=days)
    before = late.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    listed, seen = _by(held.c.received_at, moment), _by(held.c.benched_at, moment)
    return {
        "never_seen": and_(listed, ~seen, held.c.state.not_in(sorted(ENDS))),
        "nowhere": and_(held.c.state == State.AT_BENCH, held.c.place == ""),
        "in_transit": and_(held.c.state == State.IN_TRANSIT, held.c.since < before),
        "unlisted": and_(seen, ~listed),
    }


def _by(column: ColumnElement[Any], moment: _Moment) -> ColumnElement[bool]:
    """That it had happened by then."""
    happened = column.is_not(None)
    return happened if moment.until is None else and_(happened, column < moment.until)


def _announced(conn: Connection, moment: _Moment) -> Iterator[Unexplained]:
    came = select(custody.c.batch, func.count().label("units")).where(_by(custody.c.received_at, moment))
    counted = came.group_by(custody.c.batch).subquery()
    known = select(batches.c.batch, batches.c.announced, func.coalesce(counted.c.units, 0))
    query = known.join_from(batches, counted, counted.c.batch == batches.c.batch, isouter=True)
    if moment.until:
        query = query.where(batches.c.since < moment.until)
    for batch, announced, received in conn.execute(query.order_by(batches.c.batch)):
        if announced is not None and announced != received:
            yield Unexplained("announced", announced - received, of=batch)


def _missing(conn: Connection, moment: _Moment, among: _Among) -> Iterator[Unexplained]:
    still: ColumnElement[bool] = missing.c.until.is_(None)
    if moment.until:
        still = and_(missing.c.since < moment.until, or_(still, missing.c.until >= moment.until))
    still = and_(still, *_of(missing.c.unit, among))
    number = conn.scalar(select(func.count()).select_from(missing).where(still))
    if number:
        query = select(units.c.tag, units.c.serial).join_from(missing, units).where(still)
        yield Unexplained("missing", number, examples=_names(conn, query, missing.c.unit))


_GONE = (State.LOST, State.RETIRED, State.GIVEN_BACK, State.IN_TRANSIT)


def _seen_since(conn: Connection, among: _Among) -> Iterator[Unexplained]:
    odd = and_(custody.c.state.in_(_GONE), units.c.last_seen > custody.c.since, *_of(custody.c.unit, among))
    number = conn.scalar(select(func.count()).select_from(custody).join(units).where(odd))
    if number:
        query = select(units.c.tag, units.c.serial).join_from(custody, units).where(odd)
        yield Unexplained("seen_since", number, examples=_names(conn, query, custody.c.unit))


_BACK = (State.STOCK, State.AT_BENCH, State.AT_SCHOOL, State.IN_TRANSIT)


def _accepted(conn: Connection, among: _Among) -> Iterator[Unexplained]:
    """Nobody took it back, and yet it is not with its student: two benches said two things while they were apart."""
    odd = and_(acceptances.c.returned_at.is_(None), custody.c.state.in_(_BACK), *_of(custody.c.unit, among))
    both = acceptances.join(custody, custody.c.unit == acceptances.c.unit)
    number = conn.scalar(select(func.count(custody.c.unit.distinct())).select_from(both).where(odd))
    if number:
        taken = select(acceptances.c.unit).select_from(both).where(odd)
        query = select(units.c.tag, units.c.serial).where(units.c.key.in_(taken))
        yield Unexplained("accepted", number, examples=_names(conn, query, units.c.key))


def _names(conn: Connection, query: Select[Any], unit: ColumnElement[str]) -> tuple[str, ...]:
    """The first of them by key, found along the index of ``unit``."""
    rows = conn.execute(query.order_by(unit).limit(_EXAMPLES))
    return tuple(row.tag or row.serial for row in rows)
