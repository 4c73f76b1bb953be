"""What events change of devices at home: enrolments of their agents, and orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleet.models import agents, orders
from fleet.rows import Mine
from fleet.values import Event
from profiles.rules import AGENTS
from provision.model import Locks

_OF_A_STUDENT = frozenset({"with_student", "lost", "in_repair"})
"""Where a device may be whose student still counts on it. In all other places its number is dead once it had one."""

_NEXT = {
    "asked": frozenset({"open", "done", "withdrawn"}),
    "open": frozenset({"begun", "done", "withdrawn"}),
    "begun": frozenset({"withdrawn"}),
}
"""What an order may become. Of benches that were apart, what one says may come after the other ended it."""


def _agent_enrolled(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``agent.enrolled``: number (hashed), agent, profile, digest, server. The enrolments before it end."""
    _end(mine, event, "enrolled anew")
    told = {name: body[name] for name in ("number", "agent", "profile", "digest", "server")}
    mine.put(agents, {**told, "at": event.at, "actor": event.actor, "why": ""})


def _agent_renewed(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``agent.renewed``: profile, digest, server. A bench sets up the number that lives with another profile; its files
    count as new from then on."""
    told = {name: body[name] for name in ("profile", "digest", "server")}
    for row in mine.all(agents):
        if row["ended_at"] is None:
            mine.put(agents, {**row, **told, "at": event.at})


def _agent_ended(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``agent.ended``: why. Whatever enrolment of the unit lives ends."""
    _end(mine, event, body["why"])


def moved(mine: Mine, event: Event, was: str, state: str) -> None:
    """A unit that comes back from its student, or leaves for good, is nobody's device at home any more."""
    if state in ("retired", "given_back") or (was in _OF_A_STUDENT and state not in _OF_A_STUDENT):
        _end(mine, event, state)


def looked(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """A run that finds another owner than the agent, or none, ends the enrolment: the phone was reset meanwhile.

    Not one that enrols it: its number is given while that goes on. Nor one that broke off after it did something: what
    it read may be older than what it did.
    """
    if "facts" not in body or (body["error"] and body["steps"]):
        return
    locks = body["facts"]["locks"]
    if not locks["owner_known"]:
        return
    owner = Locks(owner=locks["owner"]).owner_package
    for row in mine.all(agents):
        if row["ended_at"] is None and row["at"] < body["started"] and owner != AGENTS[row["agent"]]:
            _end(mine, event, "the phone came to a bench without its agent")


def _end(mine: Mine, event: Event, why: str) -> None:
    """What was ordered goes with it: the next to have the device is not locked or wiped for the last."""
    for row in mine.all(agents):
        if row["ended_at"] is None:
            mine.put(agents, {**row, "ended_at": event.at, "why": why})
    for row in mine.all(orders):
        if row["state"] in ("asked", "open"):
            mine.put(orders, {**row, "state": "withdrawn", "changed": event.at, "by": event.actor})


def _unit_ordered(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.ordered``: number (hashed), kind, text, why, state (asked or open). To a number that is dead, nothing."""
    told = {name: body[name] for name in ("number", "kind", "text", "why", "state")}
    if not any(row["number"] == body["number"] and row["ended_at"] is None for row in mine.all(agents)):
        told["state"] = "withdrawn"
    when = {"at": event.at, "actor": event.actor, "changed": event.at, "by": event.actor}
    mine.put(orders, {"order_id": f"{event.bench}-{event.seq}", **told, **when})


def _unit_order_changed(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.order_changed``: order, state (open, begun, done or withdrawn)."""
    for row in mine.all(orders):
        if row["order_id"] == body["order"] and body["state"] in _NEXT.get(row["state"], ()):
            mine.put(orders, {**row, "state": body["state"], "changed": event.at, "by": event.actor})


ORDERS = frozenset({"unit.ordered", "unit.order_changed"})
"""The kinds that are for the hub alone to write: no site has another's device locked or wiped."""

AGENT_KINDS: Mapping[str, Callable[[Mine, Event, Mapping[str, Any]], None]] = {
    "agent.enrolled": _agent_enrolled,
    "agent.renewed": _agent_renewed,
    "agent.ended": _agent_ended,
    "unit.ordered": _unit_ordered,
    "unit.order_changed": _unit_order_changed,
}
