"""What happened, day by day: events as the commands append them, and the units that benches saw.

A unit comes with the batch of its day, is made ready, sent to a school, handed over and seen again; units that came in
the last months are still on the way. ``World.years`` loans before that, ended by a return, make the history longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

from bench.million import reports
from bench.million.reports import PLAN
from bench.million.world import DAYS, World, mixed
from fleet.check_ins import CheckIn
from fleet.ledger import Happening
from fleet.sim_reading import changed
from fleet.values import Json
from provision.model import SimCard

REPAIRER = "SUA-01"
BENCHED, SENT, ARRIVED, HANDED, SEEN, BACK = 42, 57, 66, 105, 125, 200
"""Days after its batch on which a unit comes to a bench, is sent, arrives, is handed over, is seen again, and on which
something else becomes of one in twenty. So of all units 14 % are in store, 5 % at a bench, 3 % under way, 13 % at
school, and nearly all others with a student."""

_LENT, _LOOKED = 20, 40
_KIT: Json = {"cable": 1, "charger": 1}
_TAKEN: dict[str, Json] = {
    "taken_by": "guardian",
    "kit": _KIT,
    "condition": "good",
    "checks": {"guardian_present": True, "ids": {}},
    "allowed": "",
}
_GIVEN: dict[str, Json] = {"kit": _KIT, "condition": "worn"}
_NAMES_STUDENT = frozenset({"hand_over", "return", "lose", "repair"})


@dataclass(frozen=True)
class Day:
    """At ``at`` that ``happened``, and then these units were seen at a bench."""

    at: str
    happened: list[Happening]
    seen: list[CheckIn]


class Due(NamedTuple):
    """A student whose turn it is, at the school with that code; ``offline``: a SIM is needed at home."""

    student: str
    school: str
    offline: bool


@dataclass(frozen=True)
class Happenings:
    """``due``: the first is handed the first unit, and so on."""

    world: World
    due: Sequence[Due]

    def days(self) -> Iterator[Day]:
        """From the first day to the last."""
        for number in range(DAYS * (self.world.years + 1) + 1):
            seen: list[CheckIn] = []
            year, day = divmod(number, DAYS)
            if year < self.world.years:
                happened = [*self._begun(year, day), *self._of_past_year(day, number, seen)]
            else:
                day = number - DAYS * self.world.years
                happened = [*self._begun(self.world.years, day), *self._of_last_year(day, number, seen)]
            yield Day(self.world.moment(number), happened, seen)

    def _came(self, day: int) -> range:
        """The units whose batch is that of ``day``; no batch comes on the last one."""
        if not 0 <= day < DAYS:
            return range(0)
        return range(day * self.world.units // DAYS, (day + 1) * self.world.units // DAYS)

    def _begun(self, year: int, day: int) -> Iterator[Happening]:
        """A unit is new, or back from the loan of the year before."""
        for unit in self._came(day):
            if year:
                yield self._step(unit, "return", "stock", self._store(unit), _GIVEN)
            else:
                yield self._received(unit, day)
                yield self._sim(unit)

    def _of_past_year(self, day: int, number: int, seen: list[CheckIn]) -> Iterator[Happening]:
        for unit in self._came(day - _LENT):
            yield self._step(unit, "hand_over", "with_student", self._school(unit), _TAKEN)
        seen.extend(self._check_in(unit, number) for unit in self._came(day - _LOOKED))
        for unit in self._came(day):
            fields: Json = {"class_name": f"{unit % 12 + 1}{'ABCD'[number // DAYS % 4]}"}
            yield "student.set", self.due[unit].student, {"v": 1, "fields": fields, "ids": {}}

    def _of_last_year(self, day: int, number: int, seen: list[CheckIn]) -> Iterator[Happening]:
        for unit in self._came(day - BENCHED):
            yield from self._at_bench(unit, number, seen)
        for unit in self._came(day - SENT):
            if self._is_told(unit, DAYS - HANDED):
                yield self._step(unit, "send", "in_transit", self._school(unit))
        for unit in self._came(day - ARRIVED):
            yield from self._arrived(unit)
        for unit in self._came(day - HANDED):
            yield from self._handed_over(unit, number)
        for unit in self._came(day - SEEN):
            yield from self._seen(unit, number, seen)
        for unit in self._came(day - BACK):
            yield from self._what_became(unit)

    def _is_told(self, unit: int, after: int) -> bool:
        """Whether each of its ways is recorded: of those whose batch came on day ``after`` or later, which are still on
        it, and of some others."""
        return unit * DAYS >= after * self.world.units or mixed(unit, 34) % 16 == 0

    def _received(self, unit: int, day: int) -> Happening:
        maker, model, version = self.world.model_of(unit)
        platform, _, serial = self._keys[unit].partition(":")
        body: dict[str, Json] = {
            "v": 1,
            "batch": self.world.batches[day],
            "place": self._store(unit),
            "state": "stock",
            "student": None,
            "platform": platform,
            "serial": serial,
            "maker": maker,
            "model": model,
            "version": version,
            "imei": f"35{mixed(unit, 37) % 10**5:05}{unit:08}",
        }
        return "unit.received", self._keys[unit], body

    def _sim(self, unit: int) -> Happening:
        """From the operator's list."""
        fields: dict[str, Json] = {"carrier": "viettel", "msisdn": self.world.msisdn_of(unit), "quota": PLAN.quota}
        return changed("receive", self.world.iccid_of(unit), {**fields, "days": PLAN.days, "state": "received"})

    def _at_bench(self, unit: int, number: int, seen: list[CheckIn]) -> Iterator[Happening]:
        if self._is_told(unit, DAYS - SENT):
            yield self._step(unit, "move", "at_bench", self._bench_place(unit))
        if mixed(unit, 30) % 4 == 0:
            yield "unit.tagged", self._keys[unit], {"v": 1, "tag": f"VN-{unit + 1:07}", "was": None}
            seen.append(self._check_in(unit, number))

    def _arrived(self, unit: int) -> Iterator[Happening]:
        if self._is_told(unit, DAYS - HANDED):
            yield self._step(unit, "arrive", "at_school", self._school(unit))
        if mixed(unit, 31) % 8 == 0:
            yield "unit.assigned", self._keys[unit], {"v": 1, "student": self.due[unit].student, "why": ""}

    def _handed_over(self, unit: int, number: int) -> Iterator[Happening]:
        """With a SIM in it for who needs one; one in fifty of these was never activated."""
        yield self._step(unit, "hand_over", "with_student", self._school(unit), _TAKEN)
        if not self._has_sim(unit):
            return
        at, iccid = self.world.moment(number), self.world.iccid_of(unit)
        if mixed(unit, 36) % 50:
            yield changed("activate", iccid, {"state": "activated", "activated_at": at, "unit": self._keys[unit]})
        ends = (date.fromisoformat(at[:10]) + timedelta(days=PLAN.days)).isoformat() + at[10:]
        fields: dict[str, Json] = {"state": "handed_over", "student": self.due[unit].student, "accepted_at": at}
        yield changed("accept", iccid, {**fields, "ends_at": ends, "unit": self._keys[unit]})

    def _seen(self, unit: int, number: int, seen: list[CheckIn]) -> Iterator[Happening]:
        """A bench reads nineteen of twenty, and the card in it where the device tells of that."""
        if mixed(unit, 32) % 20 == 0:
            return
        if not self._has_sim(unit):
            seen.append(self._check_in(unit, number))
            return
        card = reports.card_of(self.world, unit)
        seen.append(self._check_in(unit, number, card))
        if card.state != "ABSENT" and mixed(unit, 46) % 5 == 0:
            at = self.world.moment(number)
            used: dict[str, Json] = {"months": [[at[:7], 1, mixed(unit, 47) % 10**10]], "used_at": at[:10]}
            yield "sim.used", self.world.iccid_of(unit), {"v": 1, **used}

    def _check_in(self, unit: int, number: int, card: SimCard | None = None) -> CheckIn:
        return reports.check_in(self.world, unit, number, self.world.moment(number), *([card] if card else []))

    def _what_became(self, unit: int) -> Iterator[Happening]:
        match mixed(unit, 38) % 100:
            case 0 | 1:
                said: dict[str, Json] = {"search": "asked at home and at school", "evidence": "report of the school"}
                yield self._step(unit, "lose", "lost", self._school(unit), said)
            case 2:
                yield self._step(unit, "repair", "in_repair", REPAIRER, {"fault": "screen"})
            case 3 | 4:
                yield self._step(unit, "return", "at_school", self._school(unit), _GIVEN)

    def _step(self, unit: int, step: str, state: str, place: str, said: dict[str, Json] | None = None) -> Happening:
        student = self.due[unit].student if step in _NAMES_STUDENT else None
        told: dict[str, Json] = {"step": step, "state": state, "place": place, "student": student, **(said or {})}
        return "unit.custody", self._keys[unit], {"v": 1, **told}

    def _has_sim(self, unit: int) -> bool:
        return self.due[unit].offline and mixed(unit, 35) % 20 > 0

    def _school(self, unit: int) -> str:
        return self.due[unit].school

    def _store(self, unit: int) -> str:
        return self.world.stores[mixed(unit, 43) % len(self.world.stores)]

    def _bench_place(self, unit: int) -> str:
        return self.world.benches[mixed(unit, 44) % len(self.world.benches)]

    @cached_property
    def _keys(self) -> Sequence[str]:
        return [self.world.key_of(unit) for unit in range(self.world.units)]
