"""Where a unit may go from where it is: the steps of custody as a table, and what each has to say. Pure.

Every unit is in exactly one state. A step names the states it starts from, where it leads, and what has to be said for
it; a step that is not in the table does not happen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet.errors import CustodyError


class State(StrEnum):
    STOCK = "stock"
    AT_BENCH = "at_bench"
    IN_TRANSIT = "in_transit"
    AT_SCHOOL = "at_school"
    WITH_STUDENT = "with_student"
    IN_REPAIR = "in_repair"
    LOST = "lost"
    RETIRED = "retired"
    GIVEN_BACK = "given_back"


ENDS = frozenset({State.RETIRED, State.GIVEN_BACK})

BY_PLACE: Mapping[str, State] = {
    "store": State.STOCK,
    "bench": State.AT_BENCH,
    "school": State.AT_SCHOOL,
    "repair": State.IN_REPAIR,
}
"""The state of a unit that lies at a place of this kind."""

_LOOK = "fleet unit show tells what happened to it last."

_LYING = frozenset({State.STOCK, State.AT_BENCH, State.AT_SCHOOL})


@dataclass(frozen=True)
class Step:
    """``to`` ``None``: the kind of the place decides. ``needs`` are the words that have to be said."""

    name: str
    starts: frozenset[State]
    to: State | None
    needs: tuple[str, ...] = ()


STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        Step("move", _LYING, None, ("place",)),
        Step("send", _LYING | {State.IN_REPAIR}, State.IN_TRANSIT, ("place",)),
        Step("arrive", frozenset({State.IN_TRANSIT}), None, ("place",)),
        Step("hand_over", _LYING | {State.IN_TRANSIT}, State.WITH_STUDENT, ("student", "taken_by", "kit", "condition")),
        Step("return", frozenset({State.WITH_STUDENT}), None, ("place", "kit", "condition")),
        Step("refuse", _LYING | {State.IN_TRANSIT}, None, ("place", "student", "why")),
        Step("lose", frozenset(State) - ENDS - {State.LOST}, State.LOST, ("search", "evidence")),
        Step("find", frozenset({State.LOST}), None, ("place",)),
        Step("repair", _LYING | {State.WITH_STUDENT, State.IN_TRANSIT}, State.IN_REPAIR, ("place", "fault")),
        Step("repaired", frozenset({State.IN_REPAIR}), None, ("place", "done")),
        Step("retire", _LYING | {State.IN_REPAIR, State.LOST}, State.RETIRED, ("why",)),
        Step("give_back", _LYING, State.GIVEN_BACK, ("why",)),
    )
}


def where_to(step: str, state: State, kind: str | None, said: Collection[str]) -> State:
    """The state that ``step`` leads to from ``state``. ``kind`` is that of the place that was named.

    Raises CustodyError with all that is missing; nothing has happened then.
    """
    wanted = STEPS[step]
    if state not in wanted.starts:
        *most, last = sorted(words(one) for one in wanted.starts)
        starts = f"{', '.join(most)} or {last}" if most else last
        raise CustodyError(f"It cannot {cannot(step)}: it is {words(state)}, and not {starts}.", _LOOK)
    if missing := [word for word in wanted.needs if word not in said]:
        options = " and ".join(_option(step, word) for word in missing)
        raise CustodyError(f"It cannot {cannot(step)} without {options}.", "Say it, and do it again.")
    if wanted.to is not None:
        return wanted.to
    if kind is None or kind not in BY_PLACE:
        raise CustodyError("It is not known what kind of place that is.", "fleet place list shows those that are.")
    if kind == "repair":
        raise CustodyError("That place is a repairer.", "Say what is wrong with it: fleet repair TAG --fault WORD.")
    return BY_PLACE[kind]


def words(state: State | str) -> str:
    """A state for people: ``with_student`` is ``with student``."""
    return str(state).replace("_", " ")


def cannot(step: str) -> str:
    """What a unit cannot do, for people: "be handed over"."""
    return _DOES[step]


_DOES = {
    "move": "be moved",
    "send": "be sent",
    "arrive": "arrive",
    "hand_over": "be handed over",
    "return": "come back",
    "refuse": "be refused",
    "lose": "be recorded as lost",
    "find": "be recorded as found",
    "repair": "go to repair",
    "repaired": "come back from repair",
    "retire": "be retired",
    "give_back": "be given back",
}
_AT = frozenset({"arrive", "return", "refuse", "find"})


def _option(step: str, word: str) -> str:
    """How a person says at the command what a step needs."""
    if word == "place":
        return "--at PLACE" if step in _AT else "--to PLACE"
    return "STUDENT" if word == "student" else f"--{word.replace('_', '-')}"
