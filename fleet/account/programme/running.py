"""Which SIMs run, said once: lists of data plans, gaps and reports all ask for it here."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_

from fleet.models import custody
from fleet.sim_states import SimState

_BY_STATE = (SimState.ACTIVATED, SimState.IN_USE)
_UNLESS_NEVER_ACTIVATED = (SimState.HANDED_OVER, SimState.IDLE)


def runs(card: FromClause) -> ColumnElement[bool]:
    """The operator gives data with this one of ``sims``: it was activated, or used, and neither suspended nor ended."""
    told = card.c.activated_at.is_not(None) | card.c.used_at.is_not(None)
    return or_(card.c.state.in_(_BY_STATE), and_(card.c.state.in_(_UNLESS_NEVER_ACTIVATED), told))


def in_hand(card: FromClause) -> ColumnElement[bool]:
    """Its student has it: alone, or with the unit that it is in. Not when that one came back or was lost."""
    unit = custody.alias("of_card")
    with_student = exists().where(unit.c.unit == card.c.unit, unit.c.holder == card.c.student).correlate(card)
    return and_(card.c.student.is_not(None), or_(card.c.unit.is_(None), with_student))
