"""Where a SIM may go from where it is: its steps as a table, and what each needs. Pure.

The state says how far a SIM has come; what it needs beside that (a unit, a student, an activation) is in its row. So a
SIM that was activated before it was put into a unit stays activated when it is put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fleet.errors import AccountError


class SimState(StrEnum):
    ORDERED = "ordered"
    RECEIVED = "received"
    INSERTED = "inserted"
    READ = "read"
    ACTIVATED = "activated"
    HANDED_OVER = "handed_over"
    IN_USE = "in_use"
    IDLE = "idle"
    SUSPENDED = "suspended"
    ENDED = "ended"


_S = SimState
WITH_STUDENT = frozenset({_S.HANDED_OVER, _S.IN_USE, _S.IDLE})
_BEFORE = frozenset({_S.ORDERED, _S.RECEIVED, _S.INSERTED, _S.READ, _S.ACTIVATED})
_RUNNING = frozenset({_S.ACTIVATED}) | WITH_STUDENT


@dataclass(frozen=True)
class Step:
    """``to`` from every state of ``starts``; from a state of ``stays`` the step is possible and the state is kept.

    ``needs`` are columns of ``sims`` that have to be filled, with the words for what to do where one is not.
    """

    name: str
    starts: frozenset[SimState]
    to: SimState
    stays: frozenset[SimState] = frozenset()
    needs: Mapping[str, str] = field(default_factory=dict)


STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        Step("receive", frozenset({_S.ORDERED}), _S.RECEIVED),
        Step("insert", _BEFORE - {_S.ACTIVATED}, _S.INSERTED, stays=frozenset({_S.ACTIVATED})),
        Step("read", frozenset({_S.ORDERED, _S.RECEIVED, _S.INSERTED}), _S.READ, stays=frozenset(_S)),
        Step("activate", _BEFORE - {_S.ACTIVATED}, _S.ACTIVATED, stays=WITH_STUDENT),
        Step("accept", _BEFORE, _S.HANDED_OVER, stays=WITH_STUDENT | {_S.SUSPENDED}),
        Step("use", frozenset({_S.HANDED_OVER, _S.IDLE}), _S.IN_USE, stays=frozenset(_S)),
        Step("idle", frozenset({_S.HANDED_OVER, _S.IN_USE}), _S.IDLE),
        Step("suspend", _RUNNING, _S.SUSPENDED, needs={"activated_at": "Activate it first: fleet sim activate."}),
        Step("resume", frozenset({_S.SUSPENDED}), _S.ACTIVATED),
        Step("end", frozenset(_S) - {_S.ENDED}, _S.ENDED),
        Step("renew", WITH_STUDENT | {_S.ENDED, _S.SUSPENDED}, _S.HANDED_OVER, stays=frozenset({_S.IN_USE})),
    )
}
"""``resume`` and ``renew`` lead to as far as the SIM had come (:func:`reached`)."""


def where_to(step: str, sim: Mapping[Any, Any]) -> SimState:
    """The state that ``step`` leads to from the row ``sim``. AccountError says what is missing; nothing has changed."""
    wanted, state = STEPS[step], SimState(sim["state"])
    if state in wanted.stays - wanted.starts:
        return state
    if state not in wanted.starts:
        starts = ", ".join(words(one) for one in SimState if one in wanted.starts | wanted.stays)
        raise AccountError(
            f"SIM {sim['iccid']} is {words(state)}; to {step} it, it would have to be {starts}.",
            f"fleet sim show {sim['iccid']} tells what happened to it last.",
        )
    for column, advice in wanted.needs.items():
        if not sim[column]:
            raise AccountError(f"SIM {sim['iccid']} cannot be {_DONE[step]}: {_MISSING[column]}.", advice)
    return reached(sim) if step in {"resume", "renew"} else wanted.to


_DONE = {"suspend": "suspended"}
_MISSING = {"activated_at": "it was never activated"}


def reached(sim: Mapping[Any, Any]) -> SimState:
    """How far a SIM has come by what its row tells, suspension and end left aside."""
    if sim["accepted_at"]:
        return SimState.IN_USE if (sim["used_at"] or "") >= sim["accepted_at"][:10] else SimState.HANDED_OVER
    if sim["activated_at"]:
        return SimState.ACTIVATED
    if sim["read_at"]:
        return SimState.READ
    return SimState.INSERTED if sim["unit"] else SimState.RECEIVED


def words(state: str) -> str:
    """A state for people: ``handed_over`` is ``handed over``."""
    return str(state).replace("_", " ")
