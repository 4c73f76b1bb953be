"""Units that are ready to be given to somebody, and which of them suits whom."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from fleet.account.programme.in_force import Kind, Programme
from fleet.models import custody, health_now, intakes, missing, places, units

LYING = ("stock", "at_bench", "at_school")
GOOD = ("verified", "partial")


@dataclass(frozen=True, slots=True)
class Ready:
    """``shown`` is its tag or serial. ``area`` of its place, "" for everybody; ``school``: it is kept for that one."""

    key: str
    shown: str
    place: str
    school: str
    area: str
    since: str
    suits: int


def _is_ready() -> list[ColumnElement[bool]]:
    """Made what its profile says, lying somewhere, nobody's, not missed at the last count, not refused at an intake."""
    gone = select(missing.c.unit).where(missing.c.unit == units.c.key, missing.c.until.is_(None))
    refused = select(intakes.c.unit).where(intakes.c.unit == units.c.key, intakes.c.refused_since.is_not(None))
    return [
        custody.c.state.in_(LYING),
        custody.c.assigned.is_(None),
        units.c.last_verdict.in_(GOOD),
        ~gone.exists(),
        ~refused.exists(),
    ]


COLUMNS = (
    *(units.c.key, units.c.tag, units.c.serial, units.c.platform, units.c.model),
    *(custody.c.state, custody.c.place, custody.c.since, custody.c.assigned, units.c.last_verdict),
    func.coalesce(places.c.kind, "").label("kind"),
    func.coalesce(places.c.area, "").label("area"),
    health_now.c.storage_total,
)
JOINED = (
    units.join(custody, custody.c.unit == units.c.key)
    .outerjoin(places, places.c.place == custody.c.place)
    .outerjoin(health_now, health_now.c.unit == units.c.key)
)


def ready(conn: Connection, programme: Programme, ignored: Collection[str], place: str = "") -> Iterator[Ready]:
    """Every unit that is ready, at ``place`` if one is named; the longest there first, then by key. Also those that the
    rules of health call unfit."""
    query = select(*COLUMNS).select_from(JOINED).where(*_is_ready()).order_by(custody.c.since, units.c.key)
    if place:
        query = query.where(custody.c.place == place)
    with conn.execute(query, execution_options={"yield_per": 5000}) as found:
        for row in found:
            if row.serial not in ignored:
                yield as_ready(row, programme)


def as_ready(row: Any, programme: Programme) -> Ready:
    """A row of :data:`COLUMNS`. What lies at a school is for its students; elsewhere for those of the area."""
    school = row.place if row.kind == "school" else ""
    suits = 0
    for number, kind in enumerate(programme.kinds):
        if suits_kind(row, programme, kind):
            suits |= 1 << number
    return Ready(row.key, row.tag or row.serial, row.place, school, row.area, row.since, suits)


def suits_kind(row: Any, programme: Programme, kind: Kind) -> bool:
    """What is not known of a unit (its storage, whether it is a tablet) does not suit a rule that asks for it."""
    if kind.platform and row.platform != kind.platform:
        return False
    if kind.kind and _kind(row.platform, row.model, programme) != kind.kind:
        return False
    return not kind.storage or (row.storage_total or 0) >= kind.storage


def _kind(platform: str, model: str, programme: Programme) -> str:
    """tablet or phone; "" of an Android device when the programme names no models of tablets."""
    if platform == "ios":
        return "tablet" if "iPad" in model else "phone"
    if not programme.tablets:
        return ""
    return "tablet" if any(fnmatchcase(model.casefold(), one.casefold()) for one in programme.tablets) else "phone"


@dataclass
class Pools:
    """Ready units by where they may go; taken one by one, the least useful to others first."""

    left: int = 0
    _pools: defaultdict[tuple[str, str], dict[int, deque[Ready]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, unit: Ready) -> None:
        pool = self._pools[("school", unit.school) if unit.school else ("area", unit.area)]
        pool.setdefault(unit.suits, deque()).append(unit)
        self.left += 1

    def take(self, school: str, area: str, rule: int | None) -> Ready | None:
        """One for a student: of the school, else of the area, else of no area. ``rule``: the kind that it must suit.

        Of those that suit, one that suits the fewest kinds; of these the one that is longest where it is.
        """
        for name in (("school", school), ("area", area), ("area", "")):
            pool = self._pools.get(name)
            fitting = [suits for suits in pool if rule is None or suits >> rule & 1] if pool else []
            if not pool or not fitting:
                continue
            best = min(fitting, key=lambda suits: (suits.bit_count(), pool[suits][0].since, pool[suits][0].key))
            unit = pool[best].popleft()
            if not pool[best]:
                del pool[best]
            self.left -= 1
            return unit
        return None
