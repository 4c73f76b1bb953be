"""Six units whose state, health, plans and places differ, for the tests of status and filters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from fleet import runs, unit_states
from fleet.account.custody import places
from fleet.account.custody.places import Place
from fleet.db import transaction
from fleet.models import health_now
from fleet.units import Registry
from fleet.values import Json
from provision.model import Verdict
from tests.fleet.making import identity, report

NOW = "2026-03-01T08:00:00.000Z"
_STUDENTS = ("S000000001", "S000000002")


def at(days: int) -> str:
    """So many days after :data:`NOW`."""
    moment = datetime.fromisoformat(NOW).astimezone(UTC) + timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Clock:
    """Stands at so many days after :data:`NOW`."""

    days: int = -100

    def __call__(self) -> str:
        return at(self.days)


def furnish(registry: Registry, clock: Clock) -> None:
    """A-1 and A-2 with students, A-3 at their school, A-4 lost, A-5 in stock, A-6 an iPad at a bench."""
    with transaction(registry.engine) as conn:
        for code, kind, area in (("LE-LOI", "school", "Quận 1"), ("STORE", "store", ""), ("BENCH", "bench", "")):
            places.put(conn, registry.ledger, Place(code, code.title(), kind, area))
        for number, student in enumerate(_STUDENTS):
            fields: dict[str, Json] = {"state": "enrolled", "school": "LE-LOI", "grade": str(6 + number)}
            registry.ledger.append(conn, "student.set", student, {"v": 1, "fields": fields, "ids": {}})
    models = ("SM-A105F", "Redmi 9A", "SM-T220", "SM-A207", "Pad 100%", "iPad 6")
    for number, model in enumerate(models, 1):
        _add(registry, number, model)
    for number, digest, days, verdict in (
        (3, "new", 40, "failed"),
        (1, "old", 20, "verified"),
        (2, "new", 1, "partial"),
    ):
        clock.days = -days
        _run(registry, number, digest, days, verdict)
    _sims(registry)
    _readings(registry)


def _add(registry: Registry, number: int, model: str) -> None:
    maker = {"Redmi 9A": "Xiaomi", "Pad 100%": "OPPO", "iPad 6": "Apple"}.get(model, "samsung")
    version = {"Redmi 9A": "12", "Pad 100%": "", "iPad 6": "12.5.7"}.get(model, "13")
    platform = "ios" if maker == "Apple" else "android"
    where = [("with_student", "LE-LOI"), ("with_student", "LE-LOI"), ("at_school", "LE-LOI")]
    where += [("lost", "BENCH"), ("stock", "STORE"), ("at_bench", "BENCH")]
    state, place = where[number - 1]
    student = _STUDENTS[number - 1] if number < 3 else None
    key = f"{platform}:SN{number}"
    body: dict[str, Json] = {
        "v": 1,
        "batch": "B-1",
        "place": place,
        "state": state,
        "student": student,
        "platform": platform,
        "serial": f"SN{number}",
        "maker": maker,
        "model": model,
        "version": version,
        "imei": "",
    }
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "batch.set", "B-1", {"v": 1, "donor": "VNPT", "announced": 6})
        registry.ledger.append(conn, "unit.received", key, body)
        registry.ledger.append(conn, "unit.tagged", key, {"v": 1, "tag": f"A-{number}", "was": None})


def _run(registry: Registry, number: int, digest: str, days: int, verdict: str) -> None:
    versions = {2: ("Xiaomi", "Redmi 9A", "12"), 1: ("samsung", "SM-A105F", "13"), 3: ("samsung", "SM-T220", "13")}
    maker, model, version = versions[number]
    who = identity(f"SN{number}", maker=maker, model=model, version=version)
    made = report(
        who,
        profile="primary",
        profile_digest=digest,
        verdict=Verdict(verdict),
        facts=None,
        started=at(-days),
        ended=at(-days),
    )
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "unit.run", f"android:SN{number}", runs.body_of(made, who))


def _sims(registry: Registry) -> None:
    """A-2 has two: one that is missed, one that ended long ago."""
    cards = ((1, "in_use", at(10), None), (2, "in_use", at(-3), at(-1)), (2, "ended", at(-200), None))
    with transaction(registry.engine) as conn:
        for place, (number, state, ends, missed) in enumerate(cards):
            fields: dict[str, Json] = {
                "carrier": "viettel",
                "quota": "4 GB/day",
                "days": 90,
                "state": state,
                "unit": f"android:SN{number}",
                "student": _STUDENTS[number - 1],
                "accepted_at": at(-90),
                "ends_at": ends,
            }
            subject = f"898404800001234567{place}"
            registry.ledger.append(conn, "sim.set", subject, {"v": 1, "step": "receive", "fields": fields})
            if missed:
                gone: dict[str, Json] = {"v": 1, "step": "miss", "fields": {"missed_at": missed}}
                registry.ledger.append(conn, "sim.set", subject, gone)


def _readings(registry: Registry) -> None:
    for number, worn, free, patch in (
        (1, 30, 9_000, "2023-01-05"),
        (2, 10, 9_000, "2023-01-05"),
        (3, 45, 400, "2020-05-01"),
    ):
        row = {"unit": f"android:SN{number}", "at": at(-1), "bench": "b", "battery_faked": False}
        values = {"battery_worn": worn, "storage_free": free * 1_000_000, "patch": patch}
        with transaction(registry.engine) as conn:
            conn.execute(insert(health_now).values({**row, **values}))
            unit_states.of_readings(conn, [f"android:SN{number}"])
