"""The weeks before today, recorded in a registry, each thing on its day.

First the files of a world are taken in, and then what its story tells: by the functions behind ``fleet roster import``,
``receive``, ``sim import``, ``scan`` and so on, and by the reports of runs that benches would have recorded. Only the
clock of the ledger is not today's. ``keys.csv`` then has the students' pseudonyms.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from examples.programmes.reports import run
from examples.programmes.world import FIRST_DAY, Happening, World
from fleet.account.custody import places, steps
from fleet.account.custody.places import Place
from fleet.account.custody.receive import Lot, receive
from fleet.account.custody.receive_file import read as donors_list
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.account.desk.scan import Session
from fleet.account.people import students
from fleet.account.people.vault import the_vault
from fleet.account.programme.load import load
from fleet.account.programme.store import apply
from fleet.account.roster.read import Request, gathered
from fleet.account.roster.schools import Schools
from fleet.account.roster.taking_over import applied
from fleet.account.sims import importing, one_by_one, sheets
from fleet.account.sims.data_plan_terms import Terms
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import students as table
from fleet.units import Registry, open_registry
from provision.model import Verdict

STORE, WORKSHOP, BATCH = "STORE", "WORKSHOP", "DONATION"
KIT = {"device": 1, "charger": 1}


@dataclass
class Clock:
    """The same hour as now, so many days ago; a millisecond later at every look."""

    day: int = FIRST_DAY
    _now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _looks: int = 0

    def __call__(self) -> str:
        self._looks += 1
        moment = self._now + timedelta(days=self.day, milliseconds=self._looks)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class History:
    """``keys``: the pseudonym of each student's number."""

    registry: Registry
    world: World
    folder: Path
    keys: dict[str, str] = field(default_factory=dict)
    _cards: dict[str, str] = field(default_factory=dict)

    def begin(self, programme: Path) -> None:
        """Programme, places and lists."""
        apply(self.registry, load(programme))
        with transaction(self.registry.engine) as conn:
            for place in self._places():
                places.put(conn, self.registry.ledger, place)
        self._roster()
        rows = donors_list(self.folder / self._file("donor"), None)
        receive(self.registry, Lot(BATCH, STORE, "donors", len(rows), len(rows)), rows, all_of_them=True)
        self._sims()
        self._know()

    def _file(self, what: str) -> str:
        name: str = self.world.told["files"][what]
        return name

    def _places(self) -> Iterator[Place]:
        yield Place(STORE, "Store", "store", "")
        yield Place(WORKSHOP, "Workshop", "repair", "")
        for code, (name, area) in self.world.schools.items():
            yield Place(code, name, "school", area)

    def _roster(self) -> None:
        """As ``fleet roster import --source register --apply``."""
        request = Request(file=self.folder / self._file("roster"), today=datetime.now(UTC).date())
        with snapshot(self.registry.engine) as conn:
            vault, known = the_vault(self.registry.home, conn), Schools(places.listed(conn))
        with gathered(request, vault, known) as found, transaction(self.registry.engine) as conn:
            report = applied(conn, self.registry.ledger, vault, found, known, "register")
        assert (report.new, report.refused) == (len(self.world.students), []), report.refused[:3]

    def _sims(self) -> None:
        """As ``fleet sim import --apply``."""
        told, file = importing.Imported(), self.folder / self._file("sims")
        order = importing.Order(one_by_one.carrier_of(self.world.told["carrier"]), Terms(), STORE)
        wanted = ("msisdn", "plan", "quota", "days", "place")
        with sheets.rows(file, ("iccid",), wanted, None) as rows, transaction(self.registry.engine) as conn:
            self.registry.ledger.append_many(conn, importing.events(conn, rows, order, told))
        assert not told.refused, told.refused[:3]

    def _know(self) -> None:
        """Whose pseudonym is which: by the student numbers in the vault, and each reading is an event."""
        with transaction(self.registry.engine) as conn:
            vault = the_vault(self.registry.home, conn)
            for student in conn.scalars(select(table.c.student).order_by(table.c.student)).all():
                if person := vault.open(conn, self.registry.ledger, student, "the examples' own list of pseudonyms"):
                    self.keys[person.number] = student
        with (self.folder / "keys.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("number", "student"), *self.keys.items()])

    def tell(self, one: Happening) -> None:
        """Record one thing that happened."""
        _HOW[one.what](self, one)

    def run(self, one: Happening, verdict: Verdict = Verdict.VERIFIED, missing: str = "") -> None:
        device = next(device for device in self.world.devices if device.tag == one.unit)
        card = self._cards.get(one.unit, "")
        apps = {app: app != missing for app in self.world.told["apps"]}
        self.registry.record(run(device, card, apps, verdict, self.registry.ledger.clock()))

    def hand_over(self, one: Happening) -> None:
        """With the scanner: student, then unit or SIM."""
        session = Session(self.registry, {"taken-by": "guardian", "kit": "device, charger"})
        session.start("hand-over")
        session.take("FLEET:GUARDIAN")
        session.take("FLEET:ID guardian=1234")
        session.take(self.keys[one.student])
        answer = session.take(one.unit or one.sim)
        assert answer, one
        assert answer.result == "done", (one, answer.what)

    def hand_over_too(self, one: Happening) -> None:
        papers = {"guardian": "1234"}
        accepted = Acceptance("guardian", KIT, "good", True, papers, allowed="given by another donor, too")
        hand_over(self.registry, one.unit, self.keys[one.student], accepted)

    def sim(self, one: Happening) -> None:
        with self._writing() as conn:
            one_by_one.do(conn, self.registry.ledger, one.sim, one.what, self.registry.ledger.clock())

    def insert(self, one: Happening) -> None:
        self._cards[one.unit] = one.sim
        with self._writing() as conn:
            one_by_one.insert(conn, self.registry.ledger, one.sim, one.unit, self.registry.ledger.clock())

    def leave(self, one: Happening) -> None:
        with self._writing() as conn:
            students.leave(conn, self.registry.ledger, self.keys[one.student], "moved to another province")

    def step(self, one: Happening, step: str, said: Mapping[str, Any]) -> None:
        steps.do(self.registry, step, [one.unit], said)

    def _writing(self) -> Any:
        return transaction(self.registry.engine)


_LOST = {"search": "home, school, way", "evidence": "report of the commune"}
_HOW: Mapping[str, Callable[[History, Happening], None]] = {
    "bench": History.run,
    "seen": History.run,
    "failed": lambda history, one: history.run(one, Verdict.FAILED),
    "no-app": lambda history, one: history.run(one, Verdict.PARTIAL, history.world.told["apps"][-1]),
    "hand-over": History.hand_over,
    "hand-over-too": History.hand_over_too,
    "sim": History.hand_over,
    "insert": History.insert,
    "activate": History.sim,
    "suspend": History.sim,
    "leave": History.leave,
    "lost": lambda history, one: history.step(one, "lose", _LOST),
    "repair": lambda history, one: history.step(one, "repair", {"place": WORKSHOP, "fault": "screen"}),
    "send": lambda history, one: history.step(one, "send", {"place": next(iter(history.world.schools))}),
}


def record(world: World, folder: Path, programme: Path, home: Home) -> None:
    """All of it, from the first day to yesterday."""
    clock = Clock()
    with open_registry(home, None, "history", clock=clock) as registry:
        history = History(registry, world, folder)
        history.begin(programme)
        for one in world.story:
            clock.day = one.day
            history.tell(one)
