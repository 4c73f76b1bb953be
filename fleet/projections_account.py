"""What the events of the account change in its tables: places, students, SIMs, custody, programme.

A projection sees and changes the rows of its own subject, and nothing else (:mod:`fleet.rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table

from fleet.models import (
    PROJECTIONS,
    acceptances,
    batches,
    bench_places,
    bench_vaults,
    counts,
    custody,
    holdings,
    missing,
    places,
    programmes,
    student_ids,
    students,
    unit_joins,
    units,
)
from fleet.projections_agents import moved
from fleet.projections_students import BLANK
from fleet.rows import Mine
from fleet.values import Event, canonical

NEVER = ""
"""When a unit was last seen that no bench has seen: what a donor's list says of one is no look at it."""

Projection = Callable[[Mine, Event, Mapping[str, Any]], None]


def _place_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``place.set``: name, kind, area. The first one adds the place, later ones change it."""
    _put(mine, places, {name: body[name] for name in ("name", "kind", "area")}, {"since": event.at})


def _batch_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``batch.set``: donor, announced (a number or null)."""
    _put(mine, batches, {name: body[name] for name in ("donor", "announced")}, {"since": event.at})


def _student_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``student.set``: the columns of ``students`` that are new or changed, and ``ids`` (hash to kind) to be added."""
    _put(mine, students, {**body["fields"], "changed": event.at}, {**BLANK, "since": event.at})
    for digest, kind in body["ids"].items():
        mine.put(student_ids, {"hash": digest, "kind": kind})


def _student_forgotten(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``student.forgotten``: what could still lead to the person is gone; the pseudonym and its history stay."""
    mine.clear(student_ids)
    if mine.one(students):
        mine.put(students, {"state": "forgotten", "household": "", "changed": event.at})


def noted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """An event that changes no table: it is there to be read in the ledger."""


def _bench_placed(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``bench.placed``: the place where this bench stands from now on."""
    mine.put(bench_places, {"place": body["place"]})


def _bench_vault(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``bench.vault``: the fingerprint of the key with which this bench names students."""
    if all(row["vault"] != body["vault"] for row in mine.all(bench_vaults)):
        mine.put(bench_vaults, {"vault": body["vault"], "since": event.at})


def _tags_printed(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``tags.printed``: first, last. Labels with these numbers of the series are out there, so none is given again."""
    mine.reach(event.subject, body["last"])


def _place_counted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``place.counted``: how many were expected, found, missing, and there unexpectedly."""
    numbers = {name: body[name] for name in ("expected", "found", "missing", "unexpected")}
    mine.put(counts, {"at": event.at, **numbers})


def _unit_counted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.counted``: place, and whether it was found there. Only what is news: missing now, or not any more."""
    _no_longer_missing(mine, event)
    if not body["found"] and mine.one(units):
        mine.put(missing, {"since": event.at, "until": None, "place": body["place"]})


def _no_longer_missing(mine: Mine, event: Event) -> None:
    for row in mine.all(missing):
        if row["until"] is None:
            mine.put(missing, {**row, "until": event.at})


def first_held(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """A unit that nobody announced: it is where it was first seen, at a place that may have no name yet."""
    _hold(mine, event, {"step": "seen", "state": body["state"], "place": body.get("place", "")})


def benched(mine: Mine, event: Event) -> None:
    """A bench saw the unit."""
    held = mine.one(custody)
    if held and held["benched_at"] is None:
        mine.put(custody, {"benched_at": event.at})


def _unit_joined(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.joined``: into. It was that unit, misread: nothing is left of it but its names.

    One that a bench has read, or that was handed over, meanwhile or elsewhere, stays: then people have to look again.
    """
    unit, held = mine.one(units), mine.one(custody)
    if unit and held and not held["benched_at"] and not held["holder"]:
        names = {name: unit[name] for name in ("serial", "tag")}
        for table in _OF_UNITS:
            mine.clear(table)
        mine.put(unit_joins, {"into": body["into"], "at": event.at, **names})


_OF_UNITS = (*(table for table in PROJECTIONS if next(iter(table.primary_key)).name == "unit"), units)


def back_again(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """Something happens to a unit: on a bench that did not know that it was joined with another, it is there again."""
    joined = mine.one(unit_joins) if mine.one(units) is None else None
    if joined is None:
        return
    platform, _, _ = event.subject.partition(":")
    names = {"platform": platform, "serial": joined["serial"], "tag": joined["tag"], "imei": ""}
    told = {name: body.get(name, "") for name in ("maker", "model", "version")}
    seen = {"facts": canonical({}), "first_seen": event.at, "last_seen": NEVER}
    mine.clear(unit_joins)
    mine.put(units, {**names, **told, **seen, "state": "at_bench", "origin": "unrecorded"})
    _hold(mine, event, {"step": "seen", "state": "at_bench", "place": ""})


def _unit_papers(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:  # noqa: ARG001
    """``unit.papers``: batch, received_at and imei of the unit that was this one, misread (``was``)."""
    unit = mine.one(units)
    if unit and unit["origin"] == "unrecorded":
        mine.put(units, {"origin": body["batch"], "imei": unit["imei"] or body["imei"]})
        mine.put(custody, {"batch": body["batch"], "received_at": body["received_at"]})


def _unit_received(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.received``: batch, place, state, student, and what the donor's list says of a unit not known before."""
    if mine.one(units) is None:
        mine.clear(unit_joins)
        told = {name: body[name] for name in ("platform", "serial", "maker", "model", "version", "imei")}
        mine.put(units, {**told, "facts": canonical({}), "first_seen": _when(event, body), "last_seen": NEVER})
    mine.put(units, {"origin": body["batch"]})
    _hold(mine, event, {**body, "step": "receive"})
    mine.put(custody, {"batch": body["batch"], "received_at": _when(event, body)})


def _unit_custody(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.custody``: step, state, place, student, why; with kit and condition at a hand-over and a return; ``on``
    when it happened, where it was recorded later."""
    back_again(mine, event, body)
    _hold(mine, event, body)
    step = body["step"]
    if step == "hand_over":
        _accepted(mine, event, body)
    elif step in _BACK:
        _back(mine, event, body)
    if step in _UNASSIGNS:
        _assign(mine, None)


_BACK = frozenset({"return", "repair", "find"})
"""Steps by which a unit that a student had accepted is in other hands again."""

_UNASSIGNS = frozenset({"return", "refuse", "lose", "retire", "give_back"})
"""Steps after which a unit is not meant for anybody any more. From a repair it goes back to the same student."""


def _when(event: Event, body: Mapping[str, Any]) -> str:
    """When it happened: ``on`` where it was recorded later."""
    on: str = body.get("on") or event.at
    return on


def _accepted(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    taken = {name: body[name] for name in ("student", "taken_by", "condition")}
    said = {"kit": canonical(body["kit"]), "checks": canonical(body.get("checks", {}))}
    mine.put(acceptances, {"at": _when(event, body), **said, **taken})
    _assign(mine, body["student"])


def _back(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    kit = {"returned_kit": canonical(body["kit"])} if "kit" in body else {}
    for taken in mine.all(acceptances):
        if taken["returned_at"] is None:
            mine.put(
                acceptances,
                {**taken, "returned_at": _when(event, body), "returned_condition": body.get("condition"), **kit},
            )


def _hold(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """Close what was, open what is. Of two steps in one moment only the last is kept in the history of places.

    A clock that went back makes no gap and no overlap: the step counts from the one before it.
    """
    at = _when(event, body)
    for held in mine.all(holdings):
        if held["until"] is None:
            at = max(at, held["since"])
            mine.put(holdings, {**held, "until": at})
    mine.drop(holdings, {"since": at})
    where = {"state": body["state"], "place": body["place"]}
    said = {"student": body.get("student"), "step": body["step"], "why": body.get("why", "")}
    mine.put(holdings, {"since": at, **where, **said})
    before = mine.one(custody)
    moved(mine, event, before["state"] if before else "", body["state"])
    holder = body.get("student") if body["state"] == "with_student" else None
    _put(mine, custody, {**where, "holder": holder, "since": at}, {"batch": ""})
    if mine.one(units):
        mine.put(units, {"state": body["state"]})
    _no_longer_missing(mine, event)


def _unit_assigned(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``unit.assigned``: student, or null when the assignment is taken back; why."""
    back_again(mine, event, body)
    _assign(mine, body["student"])


def _assign(mine: Mine, student: str | None) -> None:
    if mine.one(custody):
        mine.put(custody, {"assigned": student})


def _programme_set(mine: Mine, event: Event, body: Mapping[str, Any]) -> None:
    """``programme.set``: digest and body (the programme as an object)."""
    values = {"digest": body["digest"], "body": canonical(body["programme"]), "since": event.at}
    _put(mine, programmes, values, {})


def _put(mine: Mine, table: Table, values: Mapping[str, Any], first: Mapping[str, Any]) -> None:
    """Change the subject's row; ``first``: what is said of one that was not there."""
    mine.put(table, values if mine.one(table) else {**first, **values})


KINDS: Mapping[str, Projection] = {
    "place.set": _place_set,
    "batch.set": _batch_set,
    "student.set": _student_set,
    "student.forgotten": _student_forgotten,
    "vault.read": noted,
    "place.counted": _place_counted,
    "tags.printed": _tags_printed,
    "bench.placed": _bench_placed,
    "bench.vault": _bench_vault,
    "unit.received": _unit_received,
    "unit.joined": _unit_joined,
    "unit.papers": _unit_papers,
    "unit.custody": _unit_custody,
    "unit.assigned": _unit_assigned,
    "unit.counted": _unit_counted,
    "programme.set": _programme_set,
}
