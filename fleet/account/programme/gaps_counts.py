"""How many are not served, and why first: by school, area, category, reason, or way to be online."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from fleet.account.programme.gaps_sql import REASONS, first_of, for_first, joined, online, reasons
from fleet.account.programme.in_force import Programme
from fleet.account.programme.scope import Scope, conditions, place
from fleet.models import students


@dataclass(frozen=True)
class Row:
    """``key`` is a school, area, category, reason or way to be online; ``first`` counts every student who is not served
    once. ``families``: of how many households they are, where that was counted (by online)."""

    key: str
    enrolled: int
    unserved: int
    first: Mapping[str, int]
    families: int | None = None


@dataclass
class _Tally:
    enrolled: int = 0
    first: Counter[str] = field(default_factory=Counter)


def counted(conn: Connection, programme: Programme, at: str, by: str, scope: Scope) -> tuple[Row, ...]:
    """Enrolled students and gaps by school, area, category, online or reason; areas, categories in their order."""
    kept = online(at) if by == "online" else students.c["category" if by == "reason" else by]
    whose = None if by == "online" else for_first(programme)
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    for key, why, count in _by(conn, programme, at, [kept], scope, whose):
        for name in {why, ""} if by == "reason" else (key,):
            tallies[name].enrolled += count
            if why:
                tallies[name].first[why] += count
    if by == "reason":
        return _of_reasons(tallies)
    found = _of_keys(programme, by, tallies)
    return _with_families(conn, programme, at, scope, found) if by == "online" else found


def crossed(
    conn: Connection, programme: Programme, at: str, by: Sequence[ColumnElement[str]]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """By what columns of students together say: how many are enrolled, and how many of these are not served."""
    tallies: defaultdict[tuple[str, ...], Counter[bool]] = defaultdict(Counter)
    for *keys, why, count in _by(conn, programme, at, by, Scope(), for_first(programme)):
        tallies[tuple(keys)][bool(why)] += count
    for key, found in tallies.items():
        yield key, found.total(), found[True]


def _by(
    conn: Connection,
    programme: Programme,
    at: str,
    by: Sequence[ColumnElement[str]],
    scope: Scope,
    whose: ColumnElement[bool] | None,
) -> Iterator[Any]:
    """What is in the columns ``by``, the first reason ("" served), and of how many enrolled students."""
    kept = [column.label(f"kept_{number}") for number, column in enumerate(by)]
    first = first_of(reasons(programme, at)).label("first")
    rows = select(*kept, first).select_from(joined(programme, whose)).where(*conditions(scope)).subquery()
    yield from conn.execute(select(*rows.c, func.count()).group_by(*rows.c))


def _with_families(
    conn: Connection, programme: Programme, at: str, scope: Scope, found: tuple[Row, ...]
) -> tuple[Row, ...]:
    """Who is of no known household is a family, too."""
    family = func.coalesce(func.nullif(students.c.household, ""), students.c.student)
    inner = select(online(at).label("kept"), family.label("family")).select_from(joined(programme))
    rows = inner.where(*conditions(scope)).subquery()
    query = select(rows.c.kept, func.count(rows.c.family.distinct()).label("families")).group_by(rows.c.kept)
    families = {row.kept: row.families for row in conn.execute(query)}
    return tuple(replace(row, families=families.get(row.key, 0)) for row in found)


def _of_reasons(tallies: Mapping[str, _Tally]) -> tuple[Row, ...]:
    whole = tallies.get("", _Tally())
    return tuple(
        Row(name, whole.enrolled, whole.first[name], {name: whole.first[name]}) for name in REASONS if whole.first[name]
    )


def _of_keys(programme: Programme, by: str, tallies: Mapping[str, _Tally]) -> tuple[Row, ...]:
    order = {"area": [one.area for one in programme.areas], "category": programme.categories}.get(by, ())
    keys = sorted(tallies, key=lambda key: place(order, key))
    return tuple(
        Row(
            key,
            tallies[key].enrolled,
            tallies[key].first.total(),
            {name: tallies[key].first[name] for name in REASONS if tallies[key].first[name]},
        )
        for key in keys
    )
