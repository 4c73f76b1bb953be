"""Doing a step of custody: on one unit or on many, all or nothing, and every refusal said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from fleet.account.custody import names as custody_names
from fleet.account.custody import places
from fleet.account.custody.machine import STEPS, State, cannot, where_to, words
from fleet.account.custody.names import Held
from fleet.account.custody.places import Place
from fleet.db import transaction
from fleet.errors import CustodyError
from fleet.units import Registry
from fleet.values import Json, storable
from provision.text import counted

Said = Mapping[str, Json]

_WHERE_IT_IS = frozenset({"arrive", "refuse"})
"""Steps that happen where the unit is, or is bound for, when no other place is named."""


@dataclass(frozen=True)
class Moved:
    """A unit, where it was and where it is; ``student`` is who had it, or has it now."""

    key: str
    shown: str
    step: str
    was: str
    was_at: str
    state: str
    place: str
    student: str | None


@dataclass(frozen=True)
class Going:
    """What a unit is about to do."""

    held: Held
    state: State
    place: str
    student: str | None

    def body(self, step: str, said: Said) -> dict[str, Json]:
        """The body of its ``unit.custody``."""
        told = {name: storable(value) if isinstance(value, str) else value for name, value in said.items()}
        told |= {"step": step, "state": str(self.state), "place": self.place, "student": self.student}
        return {"v": 1, **told, "was": {"state": self.held.state, "place": self.held.place}}

    def moved(self, step: str) -> Moved:
        was = self.held
        return Moved(was.key, was.shown, step, was.state, was.place, str(self.state), self.place, self.student)


def do(registry: Registry, step: str, names: Sequence[str], said: Said) -> tuple[Moved, ...]:
    """``step`` with every unit that is named, in one transaction.

    ``said`` has what the step needs (:data:`STEPS`) and what else is to be kept. CustodyError lists every unit that
    cannot do it; nothing has happened then. UnitError and AccountError for names that mean nothing.
    """
    with transaction(registry.engine) as conn:
        going = plan(conn, step, names, said)
        registry.ledger.append_many(conn, (("unit.custody", one.held.key, one.body(step, said)) for one in going))
    return tuple(one.moved(step) for one in going)


def plan(conn: Connection, step: str, names: Sequence[str], said: Said) -> tuple[Going, ...]:
    """Where every unit would go; raises as :func:`do` does."""
    named = said.get("place")
    place = places.the(conn, str(named)) if named else None
    wanted = custody_names.expanded(names)
    found = custody_names.find(conn, wanted)
    going, refusals = [], []
    own = _places_of(conn, found.units) if place is None and step in _WHERE_IT_IS else {}
    for held in found.units:
        try:
            going.append(_going(step, held, place or own.get(held.place), said))
        except CustodyError as error:
            refusals.append(error.what if len(found.units) == 1 else f"{held.shown}: {error.what}")
    if refusals or found.refusals:
        raise _refused(step, refusals, found.refusals, len(found.units) + len(found.refusals))
    return tuple(going)


def _places_of(conn: Connection, held: Sequence[Held]) -> dict[str, Place]:
    """The places where units are, or are bound for."""
    codes = sorted({one.place for one in held} - {""})
    return {code: place for code in codes if (place := places.find(conn, code))}


def _going(step: str, held: Held, place: Place | None, said: Said) -> Going:
    words = {name for name, value in said.items() if value not in (None, "", {})} | ({"place"} if place else set())
    state = where_to(step, State(held.state), place.kind if place else None, words)
    where = place.place if place and "place" in STEPS[step].needs else held.place
    if step == "move" and (state, where) == (held.state, held.place):
        raise CustodyError(f"It is at {where} already.")
    student = said.get("student") or held.holder
    return Going(held, state, where, str(student) if student else None)


def sentences(done: Sequence[Moved]) -> list[str]:
    """What was done, for people: one line for each way that units went."""
    ways: dict[tuple[str, str], list[Moved]] = {}
    for one in done:
        ways.setdefault((one.state, one.place), []).append(one)
    return [_sentence(state, place, some) for (state, place), some in ways.items()]


def _sentence(state: str, place: str, some: Sequence[Moved]) -> str:
    where = _WHERE.get(state, " at {}").format(place) if place else ""
    what = f"{words(state)}{where}"
    if len(some) > 1:
        return f"{counted(len(some), 'unit')}: {what}."
    who = some[0].student if state == State.WITH_STUDENT else None
    return f"{some[0].shown}: {f'with student {who[0]}-{who[1:]}' if who else what}."


_WHERE = {"in_transit": " to {}", "lost": ", last at {}", "retired": ", last at {}", "given_back": ", last at {}"}


_LISTED = 20


def _refused(step: str, refusals: Sequence[str], unknown: Sequence[str], total: int) -> CustodyError:
    """What stands against units first, then names that mean none: a range may have many of these."""
    if total == 1:
        return CustodyError(
            [*refusals, *unknown][0], "Nothing was changed. fleet unit show tells what happened to it last."
        )
    listed = "\n".join(f"  {line}" for lines in (refusals, unknown) for line in _cut(lines))
    number = f"{len(refusals) + len(unknown)} of {counted(total, 'unit')}"
    return CustodyError(
        f"{number} cannot {cannot(step)}, so nothing was changed.\n{listed}", "Leave these out, or mend them."
    )


def _cut(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _LISTED
    return [*lines[:_LISTED], *([f"… and {more} more such."] if more > 0 else [])]
