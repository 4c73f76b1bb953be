"""What a bench reads of SIMs, taken over into the account: a SIM of ours that is read is in that unit.

A reading by itself is the unit's (``sim_slots``); here it is joined to the SIMs that are known. A list of SIMs that
comes later, or from a bench that was offline, finds the readings there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, RowMapping, exists, func, select

from fleet.bulk import batches
from fleet.models import custody, sim_slots, sims, units
from fleet.sim_states import SimState, where_to
from fleet.values import Json

if TYPE_CHECKING:
    from fleet.ledger import Ledger

Change = tuple[str, str, dict[str, Json]]
"""Kind, subject and body of an event."""

_NAMED = 2000


def changed(step: str, iccid: str, fields: Mapping[str, Json]) -> Change:
    """``sim.set``: ``step`` says by what, ``fields`` are the columns of ``sims`` that are new."""
    return "sim.set", iccid, {"v": 1, "step": step, "fields": {**fields}}


def take_over(conn: Connection, ledger: Ledger, read: Sequence[str]) -> None:
    """After a reading of each of these units was recorded: the SIMs of ours in them are read, planned as their profile
    says; those that belong in them and are not there are missed."""
    known(conn, ledger, read)
    if gone := list(_gone(conn, read)):
        ledger.append_many(conn, gone)


def known(conn: Connection, ledger: Ledger, read: Sequence[str]) -> None:
    """The SIMs of ours that were read in these units, whenever that was. None is missed: it may have come in since."""
    if found := list(_found(conn, read)):
        ledger.append_many(conn, found)


def _found(conn: Connection, read: Sequence[str]) -> Iterator[Change]:
    """Unit by unit. Of a SIM that two of them read, the second one's reading comes after the first one's."""
    cards: dict[str, list[RowMapping]] = {}
    for some in batches(read, _NAMED):
        for row in conn.execute(_READ.where(sim_slots.c.unit.in_(some))).mappings():
            cards.setdefault(row["slot_unit"], []).append(row)
    news: dict[str, dict[str, Json]] = {}
    for row in (row for unit in read for row in cards.get(unit, ())):
        before = news.get(row["iccid"], {})
        if fields := _read({**row, **before} if before else row):
            news[row["iccid"]] = {**before, **fields}
            yield changed("read", row["iccid"], fields)


def _gone(conn: Connection, read: Sequence[str]) -> Iterator[Change]:
    """Of units that told of all their slots: the SIMs that belong in them, and are in none."""
    for some in batches(read, _NAMED):
        slots: dict[str, list[Row[Any]]] = {}
        for slot in conn.execute(select(sim_slots).where(sim_slots.c.unit.in_(some))):
            slots.setdefault(slot.unit, []).append(slot)
        whole = {unit: told for unit, told in slots.items() if all(one.iccid or one.state == _EMPTY for one in told)}
        mine = sims.c.unit.in_(whole) & sims.c.missed_at.is_(None) & (sims.c.state != SimState.ENDED)
        for sim in conn.execute(select(sims.c.iccid, sims.c.unit).where(mine).order_by(sims.c.unit, sims.c.iccid)):
            if sim.iccid not in {slot.iccid for slot in whole[sim.unit]}:
                yield changed("miss", sim.iccid, {"missed_at": whole[sim.unit][0].at})


def unsettled(conn: Connection) -> Iterator[Change]:
    """What readings say of SIMs and the account does not know yet: of those that were listed after they were read."""
    later = (sims.c.read_unit != sim_slots.c.unit) & (sims.c.read_at < sim_slots.c.at)
    query = _READ.where(sims.c.read_at.is_(None) | later).order_by(sims.c.iccid, sim_slots.c.at.desc())
    last = ""
    for row in conn.execute(query).mappings():
        if row["iccid"] != last and (fields := _read(row)):
            yield changed("read", row["iccid"], fields)
        last = row["iccid"]


def remarks(conn: Connection, unit: str) -> Iterator[str]:
    """What is odd about the SIMs that were read in ``unit``, and of those that belong in it, in sentences."""
    read = conn.scalars(_TOLD.where(sim_slots.c.unit == unit)).all()
    ours = {sim.iccid: sim for sim in conn.execute(_OURS.where(sims.c.iccid.in_(read) | (sims.c.unit == unit)))}
    listed = bool(ours) or bool(conn.scalar(select(exists(select(sims.c.iccid)))))
    others = conn.execute(_ELSEWHERE.where(sim_slots.c.iccid.in_(read), sim_slots.c.unit != unit)).all()
    for iccid in read:
        if iccid not in ours and listed:
            yield f"SIM {iccid} is not ours: it is in no operator's list."
        elif iccid in ours and ours[iccid].unit not in (None, unit):
            yield f"SIM {iccid} was put into {ours[iccid].shown}, and was read here."
        yield from (f"SIM {iccid} was read in {row.shown}, too: {row.at[:10]}." for row in others if row.iccid == iccid)
    yield from _missing(conn, unit, [sim for sim in ours.values() if sim.iccid not in read], changed=bool(read))


def _missing(conn: Connection, unit: str, absent: Iterable[Row[Any]], *, changed: bool) -> Iterator[str]:
    """Those that belong in a unit and were not read there; ``changed``: others were."""
    holder = conn.scalar(select(custody.c.holder).where(custody.c.unit == unit))
    for sim in absent:
        if sim.unit != unit or sim.state == SimState.ENDED:
            continue
        if changed:
            since = " since its hand-over" if holder and sim.accepted_at else ""
            yield f"SIM {sim.iccid} belongs in it and was not read: the SIM was changed{since}."
        elif sim.missed_at:
            yield f"SIM {sim.iccid} belongs in it, and there was none in it: {sim.missed_at[:10]}."


_SHOWN = func.coalesce(units.c.tag, units.c.key).label("shown")
_TOLD = select(sim_slots.c.iccid).where(sim_slots.c.iccid != "").order_by(sim_slots.c.slot)
_OURS = select(sims, _SHOWN).outerjoin(units, units.c.key == sims.c.unit).order_by(sims.c.iccid)
_ELSEWHERE = (
    select(sim_slots.c.iccid, sim_slots.c.at, _SHOWN)
    .join(units, units.c.key == sim_slots.c.unit)
    .order_by(sim_slots.c.at.desc(), units.c.key)
)
_EMPTY = "ABSENT"

_READ = select(
    sims,
    sim_slots.c.unit.label("slot_unit"),
    sim_slots.c.at.label("slot_at"),
    sim_slots.c.quota.label("planned_quota"),
    sim_slots.c.days.label("planned_days"),
).join_from(sim_slots, sims, sims.c.iccid == sim_slots.c.iccid)


def _read(row: Mapping[Any, Any]) -> dict[str, Json]:
    """The columns that change; none when the account knows it all."""
    unit = row["slot_unit"]
    fields: dict[str, Json] = {"state": str(where_to("read", row)), "unit": row["unit"] or unit}
    if row["read_unit"] != unit:
        fields |= {"read_unit": unit, "read_at": row["slot_at"]}
    if fields["unit"] == unit:
        fields["missed_at"] = None
    if row["planned_quota"] and not row["quota"] and row["days"] is None:
        fields |= {"quota": row["planned_quota"], "days": row["planned_days"]}
    return {name: value for name, value in fields.items() if row[name] != value}
