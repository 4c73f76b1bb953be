"""What was used of data plans, by the operator's file: bytes per SIM and day. A day is counted once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, select

from fleet import iccid
from fleet.account.people.identifiers import Unusable
from fleet.account.people.phones import phone
from fleet.account.sims.importing import is_rounded
from fleet.account.sims.sheets import Refused, Row
from fleet.bulk import batches
from fleet.ledger import Happening
from fleet.models import sim_counts, sim_usage, sims
from fleet.sim_reading import changed
from fleet.sim_states import SimState
from fleet.values import Json
from profiles.carriers import Carrier

IDLE_DAYS = 60
"""Days without use after which a SIM is idle, and its student is asked (47 CFR 54, facts of E-Rate)."""

NEEDED = (("iccid", "msisdn"), "day", ("bytes", "megabytes", "gigabytes"))
_AT_ONCE = 5000
_SIZES = {"bytes": 1, "megabytes": 1_000_000, "gigabytes": 1_000_000_000}
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[ T].*)?")
_AMOUNT = re.compile(r"(\d+)(?:[.,](\d+))?")
_FIRST_DAY = date(2010, 1, 1)


@dataclass
class Used:
    """What became of the rows. ``counted`` are days of SIMs; ``sims`` those of which something was new."""

    counted: int = 0
    unchanged: int = 0
    sims: int = 0
    through: str = ""
    refused: list[Refused] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.counted + self.unchanged + len(self.refused)


@dataclass
class _Month:
    """Bits of days: ``named`` in the file, and ``days`` of which that is new."""

    named: int = 0
    days: int = 0
    bytes: int = 0


@dataclass
class _Sim:
    months: dict[str, _Month] = field(default_factory=dict)
    used_at: str = ""


@dataclass(frozen=True)
class _Read:
    row: int
    what: str
    number: str
    day: date
    bytes: int


def events(conn: Connection, rows: Iterable[Row], carrier: Carrier, today: date, told: Used) -> Iterator[Happening]:
    """What counting ``rows`` would write; ``told`` is filled on the way."""
    found: dict[str, _Sim] = {}
    for batch in batches(_readable(rows, carrier, today, told), _AT_ONCE):
        _count(conn, batch, found, told)
    for number, sim in found.items():
        months: list[Json] = [[month, one.days, one.bytes] for month, one in sorted(sim.months.items()) if one.days]
        if not months:
            continue
        told.sims += 1
        yield "sim.used", number, {"v": 1, "months": months, "used_at": sim.used_at or None}
    before = conn.scalar(select(sim_counts.c.through).where(sim_counts.c.carrier == carrier.id)) or ""
    if told.through > before:
        yield "sims.counted", carrier.id, {"v": 1, "through": told.through}


def idle(conn: Connection, carrier: Carrier) -> Iterator[Happening]:
    """SIMs of which nothing was used for :data:`IDLE_DAYS`, as far as the operator's files reach."""
    through = conn.scalar(select(sim_counts.c.through).where(sim_counts.c.carrier == carrier.id))
    if not through:
        return
    last = (date.fromisoformat(through) - timedelta(IDLE_DAYS)).isoformat()
    unused = (sims.c.used_at.is_(None) | (sims.c.used_at <= last)) & (sims.c.accepted_at < last)
    states = sims.c.state.in_((SimState.HANDED_OVER, SimState.IN_USE))
    query = select(sims.c.iccid).where(sims.c.carrier == carrier.id, states, unused).order_by(sims.c.iccid)
    for number in conn.scalars(query).all():
        yield changed("idle", number, {"state": str(SimState.IDLE)})


def _readable(rows: Iterable[Row], carrier: Carrier, today: date, told: Used) -> Iterator[_Read]:
    for row in rows:
        what = row["iccid"] or row["msisdn"]
        try:
            if row.broken:
                raise Unusable(row.broken)
            yield _Read(row.number, what, _number(row, carrier), _day(row["day"], today), _size(row))
        except Unusable as error:
            told.refused.append(Refused(row.number, what, str(error)))


def _number(row: Row, carrier: Carrier) -> str:
    if row["iccid"]:
        if is_rounded(row["iccid"]):
            raise Unusable("lost its digits in a spreadsheet")
        if why := iccid.problem(row["iccid"]):
            raise Unusable(why)
        return iccid.normal(row["iccid"])
    if not row["msisdn"]:
        raise Unusable("names no SIM")
    return phone(row["msisdn"], carrier.country.upper())


def _day(text: str, today: date) -> date:
    """A day as operators write them, the year in front or at the end. Unusable when it is none or has not been."""
    first, last = _YEAR_FIRST.fullmatch(text), _DAY_FIRST.fullmatch(text)
    try:
        if first:
            day = date(int(first[1]), int(first[2]), int(first[3]))
        elif last:
            day = date(int(last[3]), int(last[2]), int(last[1]))
        else:
            raise ValueError(text)
    except ValueError:
        raise Unusable(f"is of no day: {text or 'empty'}; write it as 2021-10-05") from None
    if not _FIRST_DAY <= day <= today:
        raise Unusable(f"is of a day that {'has not been yet' if day > today else 'is too long ago'}: {text}")
    return day


def _size(row: Row) -> int:
    for unit, size in _SIZES.items():
        if row[unit]:
            found = _AMOUNT.fullmatch(row[unit].replace(" ", ""))
            if not found:
                raise Unusable(f"is no amount of data: {row[unit]}")
            part = (found[2] or "").ljust(9, "0")[:9]
            return int(found[1]) * size + int(part) * size // 1_000_000_000
    raise Unusable("says no amount of data")


def _count(conn: Connection, batch: list[_Read], found: dict[str, _Sim], told: Used) -> None:
    numbers = _iccids(conn, {one.number for one in batch})
    counted = _counted(conn, set(numbers.values()), {one.day.isoformat()[:7] for one in batch})
    for one in batch:
        number = numbers.get(one.number)
        if number is None:
            told.refused.append(Refused(one.row, one.what, "is not one of our SIMs"))
            continue
        day, bit = one.day.isoformat(), 1 << one.day.day - 1
        told.through = max(told.through, day)
        sim = found.setdefault(number, _Sim())
        month = sim.months.setdefault(day[:7], _Month())
        if month.named & bit:
            told.refused.append(Refused(one.row, one.what, f"has a row for {day} above already"))
        elif counted.get((number, day[:7]), 0) & bit:
            told.unchanged += 1
        else:
            month.days, month.bytes = month.days | bit, month.bytes + one.bytes
            sim.used_at = max(sim.used_at, day) if one.bytes else sim.used_at
            told.counted += 1
        month.named |= bit


def _iccids(conn: Connection, numbers: set[str]) -> Mapping[str, str]:
    """The ICCIDs of SIMs that are named by it or by their phone number."""
    by_iccid = select(sims.c.iccid).where(sims.c.iccid.in_([one for one in numbers if one[0] != "+"]))
    phones = [one for one in numbers if one[0] == "+"]
    found = {number: number for number in conn.scalars(by_iccid)}
    by_phone = select(sims.c.msisdn, sims.c.iccid).where(sims.c.msisdn.in_(phones)) if phones else None
    return found | ({row.msisdn: row.iccid for row in conn.execute(by_phone)} if by_phone is not None else {})


def _counted(conn: Connection, numbers: set[str], months: set[str]) -> Mapping[tuple[str, str], int]:
    mine = sim_usage.c.iccid.in_(numbers) & sim_usage.c.month.in_(months)
    rows: Any = conn.execute(select(sim_usage.c.iccid, sim_usage.c.month, sim_usage.c.days).where(mine))
    return {(row.iccid, row.month): row.days for row in rows}
