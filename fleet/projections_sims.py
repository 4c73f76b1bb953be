"""What events change of SIMs: the SIM itself, what was used of its plan, what the operator was asked, unit by unit what
was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleet.iccid import normal
from fleet.models import sim_counts, sim_requests, sim_slots, sim_usage, sims
from fleet.rows import Mine
from fleet.sim_states import SimState
from fleet.values import Event

_BLANK = {"msisdn": None, "carrier": "", "quota": "", "days": None, "state": "received", "place": ""}
_USE_OF = frozenset({SimState.HANDED_OVER, SimState.IDLE})


def slots(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """The SIM slots of a unit, by the facts of a run or an intake; one without facts says nothing of them.

    ``data_plan`` (quota and days) is that of the run's profile; an intake has none, and keeps what the run before said.
    """
    if "facts" not in body:
        return
    before = {row["slot"]: row for row in mine.all(sim_slots)}
    mine.clear(sim_slots)
    for card in body["facts"]["sims"]:
        told = {"slot": card["slot"], "state": card["state"], "iccid": normal(card["iccid"])}
        plan = body["data_plan"] if "data_plan" in body else before.get(card["slot"])
        planned = {name: plan[name] if plan else None for name in ("quota", "days")}
        mine.put(sim_slots, {**told, "at": event.at, **planned})


def _sim_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``sim.set``: ``fields``, the columns of ``sims`` that are new or changed; ``step``, by what."""
    before = mine.one(sims) or {**_BLANK, "since": event.at}
    values = {**before, **body["fields"]}
    if values["state"] != before["state"]:
        values["since"] = event.at
    if values.get("unit") != before.get("unit"):
        values["missed_at"] = None
    mine.put(sims, values)


def _sim_used(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``sim.used``: ``months``, a list of month, days (bits) and bytes; ``used_at``, the last day with use, or null.

    Days that were counted already are not counted again. A student's SIM that was used is in use.
    """
    counted = {row["month"]: row for row in mine.all(sim_usage)}
    for month, days, size in body["months"]:
        before = counted.get(month, {"days": 0, "bytes": 0})
        if not before["days"] & days:
            mine.put(sim_usage, {"month": month, "days": before["days"] | days, "bytes": before["bytes"] + size})
    if sim := mine.one(sims):
        used_at = max(sim["used_at"] or "", body["used_at"] or "") or None
        used = sum(row["bytes"] for row in mine.all(sim_usage))
        mine.put(sims, {"used_at": used_at, "used_bytes": used})
        if sim["state"] in _USE_OF and used_at != sim["used_at"] and (used_at or "") >= sim["accepted_at"][:10]:
            mine.put(sims, {"state": str(SimState.IN_USE), "since": event.at})


def _sims_counted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``sims.counted``: a usage file of an operator; ``through`` is its last day."""
    before = mine.one(sim_counts) or {"through": ""}
    mine.put(sim_counts, {"through": max(before["through"], body["through"])})


def _sim_asked(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``sim.asked``: request, batch, ask."""
    asked = {name: body[name] for name in ("request", "batch", "ask")}
    mine.put(sim_requests, {**asked, "status": "open", "asked_at": event.at, "asked_by": event.actor})


def _sim_answered(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``sim.answered``: request, status."""
    if any(row["request"] == body["request"] for row in mine.all(sim_requests)):
        mine.put(sim_requests, {"request": body["request"], "status": body["status"], "answered_at": event.at})


SIM_KINDS: Mapping[str, Callable[[Mine, Event, Mapping[str, Any]], None]] = {
    "sim.set": _sim_set,
    "sim.used": _sim_used,
    "sims.counted": _sims_counted,
    "sim.asked": _sim_asked,
    "sim.answered": _sim_answered,
}
