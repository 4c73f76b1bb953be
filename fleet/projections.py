"""What an event changes in the tables. The ledger calls this, and nothing else writes a projection.

Each kind has one projection, for a single event, an import of a million, and a replay alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from fleet.models import benches, intakes, items, runs, seals, unit_joins, units
from fleet.projections_account import KINDS, Projection, back_again, benched, first_held, noted
from fleet.projections_agents import AGENT_KINDS, looked
from fleet.projections_remote import REMOTE_KINDS
from fleet.projections_sims import SIM_KINDS, slots
from fleet.projections_students import Told, new_students
from fleet.rows import Mine, Rows
from fleet.tag_numbers import series
from fleet.values import Event, canonical


def project(conn: Connection, happened: Sequence[Told]) -> None:
    """Bring the projections from before these events to after them. They are newer than all of their subjects."""
    happened = new_students(conn, happened)
    rows = Rows(conn, {event.subject for event, _ in happened})
    for event, body in happened:
        _fold(rows, event, body)
    rows.write()


def project_afresh(conn: Connection, happened: Sequence[Event], *, empty: bool = False) -> None:
    """Make the projections of some subjects from nothing, by all their events: subject by subject, each in its order.

    ``empty``: there are no rows of these subjects yet.
    """
    rows = Rows(conn, {event.subject for event in happened}, afresh=True)
    for event in happened:
        try:
            body = json.loads(event.body)
        except ValueError as error:
            raise Unprojectable(event) from error
        _fold(rows, event, body)
    rows.write(empty=empty)


class Unprojectable(Exception):
    """An event that makes no sense: of no known kind, or without what its kind has to say."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"event {event.seq} of bench {event.bench}, {event.kind}")
        self.event = event


def _fold(rows: Rows, event: Event, body: Any) -> None:
    try:
        _BY_KIND[event.kind](rows.of(event.subject), event, body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unprojectable(event) from error


def _bench_opened(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    mine.put(benches, {"name": body["name"], "since": event.at})


def _unit_added(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """A second bench that was offline may see it for the first time, too: then it is known already."""
    if mine.one(units):
        return
    mine.clear(unit_joins)
    told = {name: body[name] for name in ("platform", "serial", "state", "origin", "maker", "model", "version")}
    first = {"imei": "", "facts": canonical({}), "first_seen": event.at, "last_seen": event.at}
    mine.put(units, {**told, **first})
    first_held(mine, event, body)


def _unit_tagged(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    if mine.one(units):
        mine.put(units, {"tag": body["tag"]})
    if numbered_tag := series(body["tag"]):
        mine.reach(*numbered_tag)


def _seen(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a run or an intake tells of the unit itself."""
    seen: dict[str, Any] = {name: body[name] for name in ("maker", "model", "version")}
    if "facts" in body:
        seen["facts"] = canonical(body["facts"])
    if body["imei"]:
        seen["imei"] = body["imei"]
    return seen


def _unit_run(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    back_again(mine, event, body)
    last = {"last_verdict": body["verdict"], "last_profile": body["profile"], "last_digest": body["digest"]}
    mine.put(units, {**_seen(body), "last_seen": event.at, **last})
    benched(mine, event)
    slots(mine, event, body)
    looked(mine, event, body)
    _replace_run(mine, event, body)
    if body["items"]:
        _replace_seals(mine, body["items"])


def _replace_run(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    copied = ("started", "ended", "profile", "digest", "verdict", "steps", "port", "error", "next_action", "allowed")
    who = {"bench": event.bench, "actor": event.actor, "left_on": canonical(body["left_on"])}
    mine.put(runs, {**who, **{name: body[name] for name in copied}})
    shown = [{**item, "position": position} for position, item in enumerate(body["items"])]
    for row in shown:
        del row["sealed"]
    mine.put_all(items, shown)


def _replace_seals(mine: Mine, found: list[dict[str, Any]]) -> None:
    """Only those of the items that this run had: of others it says nothing, so what was set before still holds."""
    if not mine.all(seals) and not any(item["sealed"] for item in found):
        return
    for item in found:
        if item["sealed"]:
            mine.put(seals, {"item": item["item"], "sealed": item["sealed"]})
        else:
            mine.drop(seals, {"item": item["item"]})


def _unit_intake(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    back_again(mine, event, body)
    mine.put(units, {**_seen(body), "last_seen": event.at})
    benched(mine, event)
    slots(mine, event, body)
    before = mine.one(intakes) or {"label": None, "refused_since": None, "times": 0, **_UNSEEN_RESET}
    refused = body["verdict"] == "refuse"
    values: dict[str, Any] = {
        "at": event.at,
        "bench": event.bench,
        "actor": event.actor,
        "verdict": body["verdict"],
        "port": body["port"],
        "label": body["label"] or before["label"],
        "findings": canonical(body["findings"]),
        "trace": canonical(body["trace"]),
        "refused_since": (before["refused_since"] or event.at) if refused else None,
        "times": before["times"] + 1,
    }
    mine.put(intakes, {**values, **_reset(event, body["reset"], before)})


_UNSEEN_RESET = {"reset": None, "reset_at": None, "reset_before": None}


def _reset(event: Event, reset: Mapping[str, Any] | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """The last reset that was proved stays; before the first one, what the last comparison showed."""
    signs = canonical({name: reset[name] for name in ("shown", "not_shown")} if reset else {})
    if reset and reset["proved"]:
        return {"reset": signs, "reset_at": event.at, "reset_before": reset["before"]}
    return {name: before[name] for name in _UNSEEN_RESET} if before["reset_at"] else {**_UNSEEN_RESET, "reset": signs}


_BY_KIND: Mapping[str, Projection] = {
    "bench.opened": _bench_opened,
    "unit.added": _unit_added,
    "unit.tagged": _unit_tagged,
    "unit.run": _unit_run,
    "unit.intake": _unit_intake,
    "supervision.init": noted,
    **KINDS,
    **SIM_KINDS,
    **REMOTE_KINDS,
    **AGENT_KINDS,
}
