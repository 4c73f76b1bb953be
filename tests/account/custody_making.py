"""Places, students and units for the tests of custody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, create_engine, select

from fleet.account.custody import places
from fleet.account.custody.places import Place
from fleet.account.custody.receive import Lot, receive
from fleet.account.custody.receive_rows import Listed
from fleet.db import snapshot, transaction
from fleet.ledger_replay import replay
from fleet.models import custody, metadata, units
from fleet.units import Registry
from fleet.values import Json
from tests.fleet.making import identity, report, tables

KINDS: Mapping[str, str] = {
    "STORE": "store",
    "BENCH-1": "bench",
    "LE-LOI": "school",
    "BA-DINH": "school",
    "WS": "repair",
}
STUDENTS = ("S000000001", "S000000002", "S000000003")


def furnish(registry: Registry, students: Iterable[str] = STUDENTS, household: str = "") -> None:
    """The places of :data:`KINDS`, and students who are enrolled at LE-LOI."""
    with transaction(registry.engine) as conn:
        for code, kind in KINDS.items():
            places.put(conn, registry.ledger, Place(code, code.title(), kind, "Q1"))
        for student in students:
            enrol(conn, registry, student, household=household)


def enrol(conn: Connection, registry: Registry, student: str, **fields: str) -> None:
    known: dict[str, Json] = {"state": "enrolled", "school": "LE-LOI", **fields}
    registry.ledger.append(conn, "student.set", student, {"v": 1, "fields": known, "ids": {}})


def take_in(
    registry: Registry, tags: Iterable[str], *, batch: str = "VNPT-1", place: str = "STORE", **row: str
) -> None:
    """Units with these tags, received from a donor."""
    rows = [Listed(0, f"SN{tag.replace('-', '')}", tag=tag, **{"maker": "samsung", **row}) for tag in tags]
    receive(registry, Lot(batch, place, "VNPT"), rows, all_of_them=True)


def make_ready(registry: Registry, tags: Iterable[str]) -> None:
    """A bench made these units what a profile says."""
    for tag in tags:
        registry.record(report(identity(f"SN{tag.replace('-', '')}")))


def where(registry: Registry, tag: str) -> tuple[str, str, str | None, str | None]:
    """State, place, holder and whom it is meant for."""
    query = select(custody.c.state, custody.c.place, custody.c.holder, custody.c.assigned).join_from(custody, units)
    with snapshot(registry.engine) as conn:
        row = conn.execute(query.where(units.c.tag == tag)).one()
    return row.state, row.place, row.holder, row.assigned


def assert_replays(registry: Registry) -> None:
    """The tables are what the ledger says."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with snapshot(registry.engine) as conn, engine.connect() as target:
        replay(conn, target)
        assert tables(target) == tables(conn)
    engine.dispose()
