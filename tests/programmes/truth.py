"""What is so in a generated programme, worked out from its files alone: who has what, and who is left out why.

Nothing of fleet is asked but which pseudonym is whose, and which units are assigned: these depend on a key.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.programmes.playing import rows

PATIENCE = 7
"""Days of seen_within in all three programmes."""

GONE = ("lost",)
CAME = -100


@dataclass
class Unit:
    """``state`` as fleet calls it. Days are counted back from today; ``ran`` is the last run; who it is ``meant`` for
    without having it yet was said by this day's assignment."""

    state: str = "stock"
    holder: str = ""
    meant: str = ""
    given: int = 0
    since: int = CAME
    ran: int | None = None
    failed: bool = False
    missing: bool = False


@dataclass
class Sim:
    state: str = "received"
    unit: str = ""
    student: str = ""
    given: int | None = None
    since: int = CAME
    activated: bool = False

    @property
    def runs(self) -> bool:
        return self.activated and self.state in ("activated", "handed_over")


@dataclass
class Truth:
    """``people`` by number, ``units`` by tag, ``sims`` by ICCID; ``left`` and ``lost`` numbers to their days."""

    people: dict[str, dict[str, str]]
    later: frozenset[str]
    is_household: bool
    units: defaultdict[str, Unit] = field(default_factory=lambda: defaultdict(Unit))
    sims: defaultdict[str, Sim] = field(default_factory=lambda: defaultdict(Sim))
    left: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    handed_over: list[tuple[int, str]] = field(default_factory=list)

    @property
    def enrolled(self) -> list[str]:
        return [number for number in self.people if number not in self.left]

    @property
    def in_repair(self) -> list[tuple[int, str]]:
        """When which student's unit went away to be repaired."""
        return [(unit.since, unit.meant) for unit in self.units.values() if unit.state == "in_repair"]

    def tell(self, row: Mapping[str, str]) -> None:
        """One line of the story."""
        day, what, who = int(row["day"]), row["what"], row["student"]
        if what == "leave":
            self.left[who] = day
        elif row["unit"] and what != "insert":
            self._of_unit(row["unit"], what, who, day)
        else:
            self._of_sim(self.sims[row["sim"]], what, row, day)

    def _of_unit(self, tag: str, what: str, who: str, day: int) -> None:
        unit = self.units[tag]
        if what in ("bench", "seen", "failed", "no-app"):
            unit.ran, unit.failed, unit.missing = day, what == "failed", what == "no-app"
            return
        unit.since = day
        unit.state = {"send": "in_transit", "lost": "lost", "repair": "in_repair"}.get(what, "with_student")
        unit.holder = who if unit.state == "with_student" else ""
        if what == "lost":
            unit.meant, self.lost[who] = "", day
        if what.startswith("hand-over"):
            unit.meant, unit.given = who, day
            self.handed_over.append((day, who))
            for card in self.sims.values():
                if card.unit == tag:
                    card.state, card.student, card.given, card.since = "handed_over", who, day, day

    def _of_sim(self, sim: Sim, what: str, row: Mapping[str, str], day: int) -> None:
        if what == "insert":
            sim.unit = row["unit"]
        elif what == "sim":
            sim.state, sim.student, sim.given, sim.since = "handed_over", row["student"], day, day
        else:
            sim.state, sim.since = {"activate": "activated", "suspend": "suspended"}[what], day
            sim.activated = sim.activated or what == "activate"

    def family(self, number: str) -> list[str]:
        phone = self.people[number]["phone"]
        return [one for one in self._by_phone[phone] if one not in self.left]

    @cached_property
    def _by_phone(self) -> Mapping[str, list[str]]:
        found = defaultdict(list)
        for number, person in self.people.items():
            found[person["phone"]].append(number)
        return found

    def theirs(self, number: str) -> list[Unit]:
        """Units that are meant for the student, the one in their hands first, then the one that is longest there."""
        mine = [unit for unit in self._by_student.get(number, ()) if unit.state not in GONE]
        return sorted(mine, key=lambda unit: (unit.state != "with_student", unit.since))

    @cached_property
    def _by_student(self) -> Mapping[str, list[Unit]]:
        found = defaultdict(list)
        for unit in self.units.values():
            found[unit.meant].append(unit)
        return found

    def assign(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Tag and number: units that were assigned since, as fleet says."""
        for tag, number in pairs:
            self.units[tag].meant = number
        self.__dict__.pop("_by_student", None)

    def device(self, number: str) -> Unit | None:
        """Their own, else their sibling's: no household has more than two children."""
        own = self.theirs(number)
        if own or not self.is_household:
            return own[0] if own else None
        others = [unit for other in self.family(number) for unit in self.theirs(other)]
        return min(others, key=lambda unit: (unit.state != "with_student", unit.since), default=None)

    def sim(self, number: str, device: Unit | None) -> Sim | None:
        """One that is with them, alone or in a unit that they have, or in their device; one that runs before others."""
        mine = [one for one in self.sims.values() if one.student == number and self._has(number, one)]
        if device:
            mine += [one for one in self.sims.values() if one.unit and self.units[one.unit] is device]
        return min(mine, key=lambda one: not one.runs, default=None)

    def _has(self, number: str, sim: Sim) -> bool:
        return not sim.unit or self.units[sim.unit].holder == number

    def reasons(self, number: str) -> dict[str, int]:
        """Why they are not served, with the day since when."""
        unit = self.device(number)
        found = self._of_device(number, unit)
        card, connection = self.sim(number, unit), self.people[number]["connection"]
        if card and connection != "line":
            if not card.runs:
                found["no_plan"] = card.since
            elif card.given is not None and card.given <= -90:
                found["plan_over"] = card.given + 90
        if unit and unit.missing:
            found["no_app"] = unit.ran or 0
        if card is None and connection == "none":
            found["no_connection"] = self._came(number)
        return found

    def _of_device(self, number: str, unit: Unit | None) -> dict[str, int]:
        if unit is None:
            return {"lost": self.lost[number]} if number in self.lost else {"no_device": self._came(number)}
        if unit.state == "in_repair":
            return {"in_repair": unit.since}
        if unit.state != "with_student":
            return {"not_handed_over": 0}
        found = {}
        if (unit.ran or CAME) < unit.given <= -PATIENCE:
            found["never_seen"] = unit.given
        if unit.failed:
            found["broken"] = unit.ran or 0
        return found

    def _came(self, number: str) -> int:
        return 0 if number in self.later else CAME

    def gaps(self) -> dict[str, dict[str, int]]:
        """Everybody who is not served."""
        return {number: why for number in self.enrolled if (why := self.reasons(number))}

    def due(self) -> list[str]:
        """Who would be given one today: of a household one, and nobody in whose hands one was lost."""
        found: dict[str, str] = {}
        for number in self.enrolled:
            if number not in self.lost and self.device(number) is None:
                found.setdefault(self.people[number]["phone"] if self.is_household else number, number)
        return list(found.values())

    @property
    def ready(self) -> list[str]:
        """Units that were at a bench and lie in the store."""
        return [tag for tag, unit in self.units.items() if unit.state == "stock" and not unit.meant and unit.ran]


def read(made: Path, told: Mapping[str, Any]) -> Truth:
    """From the files of a programme; ``told`` is its world.yaml."""
    people = {row["number"]: row for row in rows(made / "students.csv")}
    first = {row["number"] for row in rows(made / "keys.csv")}
    found = Truth(people, frozenset(people.keys() - first), told["one_per"] == "household")
    for row in rows(made / "story.csv"):
        found.tell(row)
    if "status" in told:
        later = (made / told["files"]["later"]).read_text(encoding=told["encoding"]).splitlines()[1:]
        for row in csv.DictReader(later):
            if row[told["headings"]["roster"][-1]] == told["status"][1]:
                found.left.setdefault(row["学号"], 0)
    found.units.pop("", None)
    found.sims.pop("", None)
    return found
