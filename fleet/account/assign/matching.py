"""Units that are ready are matched to students who are due; by itself for all, or by hand for one.

The same registry gives the same matches every time: students in the order of :mod:`fleet.account.assign.due`, and for
each the unit that suits (:class:`fleet.account.assign.units.Pools`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from fleet.account.assign.due import Due, Given, due
from fleet.account.assign.units import Pools, ready
from fleet.account.custody import places
from fleet.account.programme.in_force import Programme, current
from fleet.account.status.unfit import Unfit
from fleet.account.status.unfit import unfit as unfit_units
from fleet.db import transaction
from fleet.ledger import Happening
from fleet.units import Registry
from fleet.values import Json


@dataclass(frozen=True, slots=True)
class Match:
    """``number``: the student's place in the order among those who were due. ``shown``: tag or serial of the unit."""

    number: int
    student: str
    school: str
    area: str
    category: str
    unit: str
    shown: str
    place: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A unit that is ready, and is not given to anybody: why, by the rules of health."""

    unit: str
    shown: str
    place: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """``due`` students were looked at, in order, until no unit was left; ``ready`` units there were before, without
    those that are ``unfit``."""

    matches: tuple[Match, ...]
    ready: int
    due: int
    unfit: tuple[Kept, ...] = ()

    @property
    def without(self) -> int:
        """How many of those who were looked at got none: no unit that is left suits them."""
        return self.due - len(self.matches)


def plan(
    conn: Connection, programme: Programme, day: str, ignored: Collection[str], unfit: Unfit, place: str = ""
) -> Plan:
    """Who would be given what on ``day`` (2021-10-15); at ``place`` only units that lie there. Writes nothing."""
    pools, kept = pools_of(conn, programme, ignored, unfit, places.the(conn, place).place if place else "")
    before, number = pools.left, 0
    matches: list[Match] = []
    for number, one, unit_of in walk(conn, programme, day, pools):  # noqa: B007
        if unit_of is not None:
            matches.append(unit_of)
    return Plan(tuple(matches), before, number, kept)


def pools_of(
    conn: Connection, programme: Programme, ignored: Collection[str], unfit: Unfit, place: str
) -> tuple[Pools, tuple[Kept, ...]]:
    """The units that may be given, and those that are ready but unfit."""
    pools = Pools()
    kept = []
    for unit in ready(conn, programme, ignored, place):
        if reasons := unfit.get(unit.key):
            kept.append(Kept(unit.key, unit.shown, unit.place, reasons))
        else:
            pools.add(unit)
    return pools, tuple(kept)


def walk(conn: Connection, programme: Programme, day: str, pools: Pools) -> Iterator[tuple[int, Due, Match | None]]:
    """Everybody who is due, in order, with what they are given; it ends when no unit is left."""
    given = Given()
    rules = {grade: number for number, kind in enumerate(programme.kinds) for grade in kind.grades}
    number = 0
    if not pools.left:
        return
    for one in due(conn, programme, day):
        if given.serves(programme, one):
            continue
        number += 1
        unit = pools.take(one.school, one.area, rules.get(one.grade))
        if unit is None:
            yield number, one, None
            continue
        given.add(one)
        yield (
            number,
            one,
            Match(number, one.student, one.school, one.area, one.category, unit.key, unit.shown, unit.place),
        )
        if not pools.left:
            return


def auto(registry: Registry, day: str, place: str = "") -> Plan:
    """Do what :func:`plan` says, in one transaction; doing it again finds nothing to do. Raises as it does."""
    with transaction(registry.engine) as conn:
        unfit = unfit_units(conn, registry.home, registry.ledger.clock())
        found = plan(conn, current(conn), day, registry.ignored, unfit, place)
        registry.ledger.append_many(conn, (_assigned(match) for match in found.matches))
    return found


def _assigned(match: Match) -> Happening:
    body: dict[str, Json] = {"v": 1, "student": match.student, "why": f"number {match.number} in the order"}
    return "unit.assigned", match.unit, {**body, "allowed": ""}
