"""The programme in force, as readers of the account take it: the one that was last applied. Needs no pydantic.

Without a programme every enrolled student is due, one device each, in the order of areas and categories by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from fleet.models import programmes
from fleet.values import Json, canonical


@dataclass(frozen=True)
class Area:
    """``officer`` is a desk or a role."""

    area: str
    name: str
    officer: str


@dataclass(frozen=True)
class Target:
    """``number`` ``None``: all. ``by`` is a day; ``area`` and ``category`` "" where it is for all of its phase."""

    what: str
    number: int | None
    by: str
    area: str
    category: str


@dataclass(frozen=True)
class Phase:
    """``areas`` and ``categories`` empty: all. Days as 2021-10-15."""

    phase: str
    begin: str
    end: str
    areas: tuple[str, ...]
    categories: tuple[str, ...]
    targets: tuple[Target, ...]

    def holds(self, area: str, category: str) -> bool:
        return area in (self.areas or (area,)) and category in (self.categories or (category,))


@dataclass(frozen=True)
class Kind:
    """What suits ``grades``; ``None`` does not matter. ``storage`` in bytes."""

    grades: frozenset[str]
    kind: str | None
    platform: str | None
    storage: int | None

    @property
    def words(self) -> str:
        size = f"at least {self.storage // 1_000_000_000} GB" if self.storage else None
        parts = [
            part for part in ({"ios": "iOS", "android": "Android"}.get(self.platform or ""), self.kind, size) if part
        ]
        return ", ".join(parts) or "any unit"


@dataclass(frozen=True)
class DataPlan:
    """An offer. ``categories`` empty: for all; ``carrier`` "" any; ``days`` ``None`` without an end."""

    categories: tuple[str, ...]
    carrier: str
    quota: str
    days: int | None


@dataclass(frozen=True)
class HandOver:
    """``takers`` empty: anybody. ``kit`` is piece to number."""

    takers: tuple[str, ...]
    id_checks: tuple[str, ...]
    kit: Mapping[str, int]


@dataclass(frozen=True)
class Programme:
    """``key`` "" when none was applied yet. ``most`` ``None``: a household may share without a limit.
    ``sims_only``: categories that are due a SIM and no device. ``second_person_wipes``: wiping a device at home takes
    somebody else's word, too."""

    key: str
    name: str
    one_per: str
    most: int | None
    another: bool
    seen_within: int
    areas: tuple[Area, ...]
    categories: tuple[str, ...]
    sims_only: tuple[str, ...]
    stages: Mapping[str, tuple[str, ...]]
    phases: tuple[Phase, ...]
    terms: tuple[tuple[str, str, str], ...]
    quiet: tuple[tuple[str, str, str], ...]
    lessons: Mapping[str, tuple[str, ...]]
    kinds: tuple[Kind, ...]
    tablets: tuple[str, ...]
    data_plans: tuple[DataPlan, ...]
    hand_over: HandOver
    second_person_wipes: bool
    lesson_apps: Mapping[str, tuple[str, ...]]

    @property
    def shares(self) -> bool:
        """Whether a device is for a household and not for one student."""
        return self.one_per == "household"

    @cached_property
    def clashes(self) -> frozenset[tuple[str, str]]:
        """Pairs of grades, both ways, that have lessons at the same hour."""
        return frozenset(
            (one, other)
            for one in self.lessons
            for other in self.lessons
            if _overlap(self.lessons[one], self.lessons[other])
        )

    def kind_for(self, grade: str) -> Kind | None:
        return next((kind for kind in self.kinds if grade in kind.grades), None)

    def offer_for(self, category: str) -> DataPlan | None:
        """The first data plan that is offered to students of this category."""
        return next((offer for offer in self.data_plans if category in (offer.categories or (category,))), None)

    def phase_for(self, area: str, category: str) -> Phase | None:
        """The first phase that is for them; ``None`` when there is none, or no phases at all."""
        return next((phase for phase in self.phases if phase.holds(area, category)), None)

    def stage_of(self, grade: str) -> str:
        return next((stage for stage, grades in self.stages.items() if grade in grades), "")

    def is_quiet(self, day: str) -> bool:
        return any(begin <= day <= end for begin, end, _ in self.quiet)

    def working_days(self, begin: date, end: date) -> int:
        """How many of the days after ``begin`` up to ``end`` are not quiet."""
        total = max((end - begin).days, 0)
        covered: set[date] = set()
        for first, last, _ in self.quiet:
            day = max(date.fromisoformat(first), begin + timedelta(1))
            while day <= min(date.fromisoformat(last), end):
                covered.add(day)
                day += timedelta(1)
        return total - len(covered)

    def days_before(self, day: date, working: int) -> date:
        """The day so many days before ``day``, quiet ones left out."""
        while working > 0:
            if not self.is_quiet(day.isoformat()):
                working -= 1
            day -= timedelta(1)
        return day


def digest(body: Mapping[str, Json]) -> str:
    """What tells two programmes apart: the SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical(dict(body)).encode()).hexdigest()


def in_force(conn: Connection) -> dict[str, Any]:
    """``programme``, ``digest``, ``since`` and ``body`` of the one that was applied last; empty when none was."""
    query = select(programmes).order_by(programmes.c.since.desc(), programmes.c.programme).limit(1)
    row = conn.execute(query).mappings().one_or_none()
    return {**row, "body": json.loads(row["body"])} if row else {}


def current(conn: Connection) -> Programme:
    """The programme that was applied last; one that asks for nothing when none was."""
    found = in_force(conn)
    return of(found["body"]) if found else of({"programme": "", "one_per": "student"})


def of(body: Mapping[str, Any]) -> Programme:
    """The programme of the object that the ledger keeps."""
    sharing = body.get("sharing", {})
    over = body.get("hand_over", {})
    return Programme(
        key=body["programme"],
        name=body.get("name", body["programme"]),
        one_per=body["one_per"],
        most=sharing.get("most"),
        another=sharing.get("same_hour") == "another",
        seen_within=body.get("seen_within", 0),
        areas=tuple(Area(a["area"], a.get("name", a["area"]), a.get("officer", "")) for a in body.get("areas", ())),
        categories=tuple(c["category"] for c in body.get("categories", ())),
        sims_only=tuple(c["category"] for c in body.get("categories", ()) if c.get("due") == "sim"),
        stages={s["stage"]: tuple(s["grades"]) for s in body.get("stages", ())},
        phases=tuple(_phase(phase) for phase in body.get("phases", ())),
        terms=tuple((t["term"], t["from"], t["to"]) for t in body.get("calendar", ())),
        quiet=tuple((q["from"], q["to"], q["why"]) for q in body.get("quiet", ())),
        lessons=_by_grade(body.get("lessons", ()), "hours"),
        kinds=tuple(_kind(kind) for kind in body.get("kinds", ())),
        tablets=tuple(body.get("tablets", ())),
        data_plans=tuple(_offer(offer) for offer in body.get("data_plans", ())),
        hand_over=HandOver(tuple(over.get("takers", ())), tuple(over.get("id_checks", ())), dict(over.get("kit", {}))),
        second_person_wipes=body.get("wipe", {}).get("second_person", False),
        lesson_apps=_by_grade(body.get("lesson_apps", ()), "apps"),
    )


def _phase(body: Mapping[str, Any]) -> Phase:
    targets = tuple(
        Target(
            t["what"], None if t["number"] == "all" else t["number"], t["by"], t.get("area", ""), t.get("category", "")
        )
        for t in body["targets"]
    )
    return Phase(body["phase"], body["from"], body["to"], tuple(body["areas"]), tuple(body["categories"]), targets)


def _kind(body: Mapping[str, Any]) -> Kind:
    storage = int(body["storage"].removesuffix("GB")) * 1_000_000_000 if "storage" in body else None
    return Kind(frozenset(body["grades"]), body.get("kind"), body.get("platform"), storage)


def _offer(body: Mapping[str, Any]) -> DataPlan:
    return DataPlan(tuple(body["categories"]), body.get("carrier", ""), body["quota"], body.get("days"))


def _by_grade(rows: Any, key: str) -> dict[str, tuple[str, ...]]:
    return {grade: tuple(row[key]) for row in rows for grade in row["grades"]}


def _overlap(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return any(one[:5] < other[6:] and other[:5] < one[6:] for one in some for other in others)
