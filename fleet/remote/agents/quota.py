"""What a phone may fetch by its SIM: an app or file that takes more than a quarter of a day's quota waits for Wi-Fi."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from fleet.account.sims.data_plan_terms import size
from fleet.models import agents, sims
from fleet.sim_states import SimState

_PART = 4
_UNKNOWN = 10_000_000
"""Bytes of an app or file above which it waits where no quota is known."""

_MONTH = 30


def waits_for_wifi(content: int, quota: int | None) -> bool:
    """Whether an app or file of so many bytes waits; ``quota`` is that of a day in bytes, ``None`` unknown."""
    return content > (_UNKNOWN if quota is None else quota // _PART)


def of_a_day(quota: str, days: int | None) -> int | None:
    """Bytes that a data plan gives a day, such as ``4 GB/day``; ``None`` where it is not known.

    What is for a month, or for all ``days`` together, is divided evenly.
    """
    given, per = size(quota)
    spread = {"day": 1, "month": _MONTH, "all": days}[per]
    return given // spread if given and spread else None


def columns() -> list[ColumnElement[Any]]:
    """What :func:`of` needs of an enrolment: columns of a select from agents. Their labels begin with ``quota_``."""
    return [_of_sim(sims.c.quota).label("quota_text"), _of_sim(sims.c.days).label("quota_days")]


def of(row: Any) -> int | None:
    """The quota of a day, in bytes, of the unit of which ``row`` has the :func:`columns`."""
    return of_a_day(row.quota_text or "", row.quota_days)


def _of_sim(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Of the first SIM of the unit that has not ended."""
    mine = (sims.c.unit == agents.c.unit) & (sims.c.state != SimState.ENDED.value)
    return select(column).where(mine).order_by(sims.c.iccid).limit(1).correlate(agents).scalar_subquery()
