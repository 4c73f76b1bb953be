"""SIMs for tests: numbers that fit, and the real import of a file that is really there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from fleet.account.sims import importing as sim_import
from fleet.account.sims import one_by_one as sims
from fleet.account.sims import sheets as sim_sheets
from fleet.account.sims.data_plan_terms import terms
from fleet.db import snapshot, transaction
from fleet.iccid import check_digit
from fleet.models import sims as table
from fleet.sim_reading import unsettled
from fleet.units import Registry
from provision.model import Cellular, SimCard
from tests.fleet.making import facts, identity, report
from tests.fleets import ROOT

DATA = ROOT / "tests" / "data" / "sims"
STUDENT, OTHER = "S000000001", "S000000002"


def cases(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text("utf-8"))


def number(n: int) -> str:
    """The n-th card of Viettel."""
    payload = f"89840480{n:010d}"
    return payload + check_digit(payload)


def listed(registry: Registry, count: int, plan: str = "4 GB/day, 90 days", **row: str) -> list[str]:
    """SIMs taken over from a list; their ICCIDs."""
    numbers = [number(n) for n in range(1, count + 1)]
    rows = [sim_sheets.Row(n, {"iccid": one, "msisdn": f"09800000{n:02d}", **row}) for n, one in enumerate(numbers, 1)]
    told = sim_import.Imported()
    order = sim_import.Order(sims.carrier_of("viettel"), terms(plan))
    with transaction(registry.engine) as conn:
        registry.ledger.append_many(conn, sim_import.events(conn, rows, order, told))
        registry.ledger.append_many(conn, tuple(unsettled(conn)))
    assert told.new == count, told
    return numbers


def write(folder: Path, case: Mapping[str, Any], key: str = "file") -> Path:
    file = folder / f"{key}-{case['name']}"
    file.write_bytes(case[key].encode(case.get("encoding", "utf-8")))
    return file


def read(registry: Registry, serial: str, *iccids: str, **changes: Any) -> str:
    """A run that read these cards ("" a slot without one, "?" one that does not tell its number); the unit's key."""
    cards = tuple(
        SimCard(slot, "READY" if told else "ABSENT", "45204", "Viettel", told.strip("?"))
        for slot, told in enumerate(iccids)
    )
    who = identity(serial)
    found = facts(who)
    plan = changes.pop("plan", None)
    seen = type(found)(**{**vars(found), "cellular": Cellular(cards, found.cellular.imei)})
    registry.record(report(who, facts=seen, **changes), plan=plan)
    return f"android:{serial}"


def row(registry: Registry, iccid: str) -> dict[str, Any]:
    with snapshot(registry.engine) as conn:
        return dict(conn.execute(select(table).where(table.c.iccid == iccid)).mappings().one())


def step(registry: Registry, name: str, iccids: Sequence[str], at: str = "2025-03-01T09:00:00.000Z") -> None:
    with transaction(registry.engine) as conn:
        for iccid in iccids:
            sims.do(conn, registry.ledger, iccid, name, at)


def accept(registry: Registry, unit: str, student: str, at: str) -> tuple[sims.Accepted, ...]:
    """What a hand-over does to the SIMs of a unit, with the unit itself."""
    body = {"step": "hand_over", "state": "with_student", "place": "", "student": student, "taken_by": "guardian"}
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.custody", unit, {"v": 1, **body, "kit": {}, "condition": "good"})
        return sims.accepted(conn, registry.ledger, unit, student, at)


def enrol(registry: Registry, *keys: str, **fields: str) -> None:
    with transaction(registry.engine) as conn:
        for key in keys:
            registry.ledger.append(conn, "student.set", key, {"v": 1, "fields": {**fields}, "ids": {}})
