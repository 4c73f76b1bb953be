"""A registry as a case file describes it, made by the ledger's own events.

Days of a case are local to no place: everything happens at noon UTC of its day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection

from fleet.account.programme.load import load
from fleet.account.programme.store import apply
from fleet.db import transaction
from fleet.units import Registry
from fleet.values import Json
from provision.model import Health, Item, Met, Outcome, Result, Verdict
from tests.fleet.making import facts, identity, report

CASES = Path(__file__).parent.parent / "data" / "programmes" / "cases"
FIRST = "2020-01-01"
Do = Callable[[Connection], None]


@dataclass
class Clock:
    """Noon of a day that can be set."""

    day: str = FIRST

    def __call__(self) -> str:
        return at(self.day)


def at(day: str) -> str:
    return f"{day}T12:00:00.000Z"


def cases() -> list[Path]:
    return sorted(CASES.glob("*.yaml"))


def read(file: Path) -> dict[str, Any]:
    found = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)  # only texts: days stay texts
    assert isinstance(found, dict)
    return found


def key(name: str) -> str:
    """A key of a student that a case calls ``An``: its letters, filled up."""
    return "S" + name.upper().replace("I", "1").replace("L", "1").replace("O", "0").replace("U", "V").ljust(9, "0")


@dataclass
class World:
    registry: Registry
    clock: Clock
    case: Mapping[str, Any]

    def make(self, folder: Path) -> None:
        """All that the case tells, in the order of its days."""
        if "programme" in self.case:
            file = folder / "programme.yaml"
            file.write_text(self.case["programme"], encoding="utf-8")
            apply(self.registry, load(file))
        steps = sorted(self._steps(), key=lambda step: step[0])
        for day, kind, subject, body in steps:
            self.clock.day = day
            if kind == "run":
                self._run(subject, body)
            else:
                self.append(kind, subject, body)

    def append(self, kind: str, subject: str, body: Mapping[str, Json]) -> None:
        with transaction(self.registry.engine) as conn:
            self.registry.ledger.append(conn, kind, subject, {"v": 1, **body})

    def _steps(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        for place, told in self.case.get("places", {}).items():
            yield FIRST, "place.set", place, {"name": place, "kind": told["kind"], "area": told.get("area", "")}
        for name, told in self.case.get("students", {}).items():
            yield from _student(name, dict(told))
        for tag, told in self.case.get("units", {}).items():
            yield from self._unit(tag, told)
        for iccid, told in self.case.get("sims", {}).items():
            fields = {name: value for name, value in told.items() if name != "day"}
            if "student" in fields:
                fields["student"] = key(fields["student"])
            if "unit" in fields:
                fields["unit"] = f"android:{fields['unit']}"
            if "used_bytes" in fields:
                fields["used_bytes"] = int(fields["used_bytes"])
            for column in ("ends_at", "accepted_at", "activated_at"):
                if column in fields:
                    fields[column] = at(fields[column])
            yield told.get("day", FIRST), "sim.set", iccid, {"fields": fields, "step": "set"}

    def _unit(self, tag: str, told: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        unit, place = f"android:{tag}", told.get("place", "")
        device = {"platform": "android", "serial": tag, "maker": "samsung", "model": told.get("model", "SM-A105F")}
        kinds = {"store": "stock", "bench": "at_bench", "school": "at_school"}
        state = kinds[self.case["places"][place]["kind"]] if place else "at_bench"
        where = {"state": state, "place": place}
        received = {**device, "version": "13", "imei": "", "batch": "B1", **where, "student": None}
        yield told.get("came", FIRST), "unit.received", unit, received
        for run in told.get("runs", [{}]):
            yield run.get("day", FIRST), "run", tag, {**told, **run}
        for step in told.get("steps", []):
            yield step["day"], *_custody(unit, dict(step), where)

    def _run(self, serial: str, told: Mapping[str, Any]) -> None:
        who = identity(serial, model=told.get("model", "SM-A105F"))
        health = Health(storage_total=int(told["storage"]) * 1_000_000_000) if "storage" in told else Health()
        apps = told.get("apps", {})
        done = tuple(
            Outcome(Item("apps", app, app, Met("equal"), "p:1"), Result(how), how) for app, how in apps.items()
        )
        found = replace(facts(who), health=health)
        verdict = Verdict(told.get("verdict", "verified"))
        self.registry.record(report(who, facts=found, outcomes=done, verdict=verdict, ended=self.clock()), who)


def _student(name: str, told: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    ids = dict.fromkeys(told.pop("ids", []), "id") | dict.fromkeys(told.pop("alike", []), "alike")
    day, left = told.pop("came", FIRST), told.pop("left", None)
    yield day, "student.set", key(name), {"fields": told, "ids": ids}
    if left:
        yield left, "student.set", key(name), {"fields": {"state": "left"}, "ids": {}}


def _custody(unit: str, step: dict[str, Any], where: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind, who = step["step"], step.get("student")
    student = key(who) if who else None
    if kind == "assign":
        return "unit.assigned", unit, {"student": student, "why": "case"}
    to = {
        "refuse": "at_school",
        "hand_over": "with_student",
        "repair": "in_repair",
        "lose": "lost",
        "send": "in_transit",
    }
    body = {"step": kind, "state": to.get(kind, where["state"]), "place": step.get("place", where["place"])}
    kit = {"taken_by": "guardian", "kit": {"charger": 1}, "condition": "good"}
    return "unit.custody", unit, {**body, "student": student, **(kit if kind in ("hand_over", "return") else {})}
