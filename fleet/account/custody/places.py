"""Places where units lie: stores, benches, schools, repairers. Each has a short code that fits on a label."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fleet import tags
from fleet.account.custody.machine import BY_PLACE, ENDS, State
from fleet.db import transaction
from fleet.errors import AccountError, UnitError
from fleet.ledger import Ledger
from fleet.models import bench_places, custody, places, students
from fleet.units import Registry
from fleet.values import Json, storable
from profiles.errors import meant
from provision.text import counted, printable

KINDS = tuple(BY_PLACE)
_LAST_THERE = ENDS | {State.LOST}


@dataclass(frozen=True)
class Place:
    """``kind`` is one of :data:`KINDS`; ``area`` the district or town that it belongs to, "" unknown."""

    place: str
    name: str
    kind: str
    area: str


def checked(code: str) -> str:
    """The code as it is kept: in capitals. AccountError when it fits no label."""
    try:
        return tags.checked(code)
    except UnitError:
        raise AccountError(
            f"{printable(code)!r} cannot be the code of a place.",
            "Use up to 32 letters A–Z, digits, and . _ - between them, such as LE-LOI.",
        ) from None


def wanted(conn: Connection, code: str, kind: str | None, name: str | None, area: str | None) -> Place:
    """The place as it is to be: what is ``None`` stays as it is. AccountError for a new one without a kind."""
    before = find(conn, checked(code))
    if before is None and kind is None:
        raise AccountError(
            f"No place has the code {printable(code)!r}{_near(conn, code)}.",
            f"A new one needs --kind {'|'.join(KINDS)}.",
        )
    was = before or Place(checked(code), "", "", "")
    texts = (was.name if name is None else storable(name.strip()), was.area if area is None else storable(area.strip()))
    return Place(was.place, texts[0], kind or was.kind, texts[1])


def put(conn: Connection, ledger: Ledger, place: Place) -> bool:
    """Add a place, or change what is known of it; whether anything changed.

    AccountError for a kind that is not, and for another kind than units or students there have been counted by.
    """
    if place.kind not in KINDS:
        raise AccountError(
            f'A place of kind "{printable(place.kind)}" is not known{meant(place.kind, KINDS)}.',
            f"Kinds are {', '.join(KINDS)}.",
        )
    new = Place(checked(place.place), storable(place.name), place.kind, storable(place.area))
    before = find(conn, new.place)
    if before == new:
        return False
    if before and before.kind != new.kind:
        _check_empty(conn, before, new.kind)
    body: dict[str, Json] = {"v": 1, "name": new.name, "kind": new.kind, "area": new.area}
    ledger.append(conn, "place.set", new.place, body)
    return True


def _check_empty(conn: Connection, place: Place, kind: str) -> None:
    """The state of units, and the school of students, come from the kind: it does not change under them."""
    here = (custody.c.place == place.place) & custody.c.state.not_in(sorted(_LAST_THERE))
    held = conn.scalar(select(func.count()).select_from(custody).where(here)) or 0
    of_school = (students.c.school == place.place) & (students.c.state == "enrolled")
    enrolled = conn.scalar(select(func.count()).select_from(students).where(of_school)) or 0
    if held or enrolled:
        there = [counted(number, what) for number, what in ((held, "unit"), (enrolled, "student")) if number]
        raise AccountError(
            f"{place.place} is a {place.kind} and cannot become a {kind}: it has {' and '.join(there)}.",
            f"Add another place of kind {kind}, with a code of its own, or bring them elsewhere first.",
        )


def find(conn: Connection, code: str) -> Place | None:
    """The place with this code, in any case."""
    row = conn.execute(select(*_COLUMNS).where(places.c.place == storable(code.strip().upper()))).one_or_none()
    return Place(*row) if row else None


def the(conn: Connection, code: str) -> Place:
    """The place with this code. AccountError, with the nearest one, when there is none."""
    if found := find(conn, code):
        return found
    raise AccountError(
        f"No place has the code {printable(code)!r}{_near(conn, code)}.",
        "fleet place list shows those that are; fleet place add makes a new one.",
    )


def listed(conn: Connection, *, kind: str | None = None, area: str | None = None) -> tuple[Place, ...]:
    """All places, by code."""
    query = select(*_COLUMNS).order_by(places.c.place)
    if kind is not None:
        query = query.where(places.c.kind == kind)
    if area is not None:
        query = query.where(places.c.area == storable(area))
    return tuple(Place(*row) for row in conn.execute(query))


def of_bench(conn: Connection, bench: str) -> str:
    """Where the bench with this id stands; "" when nobody said."""
    return conn.scalar(select(bench_places.c.place).where(bench_places.c.bench == bench)) or ""


def set_here(registry: Registry, code: str) -> Place:
    """Say where the bench of this registry stands: what it sees for the first time is there from now on."""
    with transaction(registry.engine) as conn:
        place = the(conn, code)
        if place.kind != "bench":
            raise AccountError(
                f"{place.place} is a {place.kind}, and no bench.",
                f"Add a place of kind bench for it, such as {place.place[:26]}-BENCH.",
            )
        if of_bench(conn, registry.ledger.bench.id) != place.place:
            registry.ledger.append(conn, "bench.placed", registry.ledger.bench.id, {"v": 1, "place": place.place})
    return place


_COLUMNS = (places.c.place, places.c.name, places.c.kind, places.c.area)


def _near(conn: Connection, code: str) -> str:
    """A code that is near, or the code of the place that is called so."""
    known = {row.place: row.name for row in conn.execute(select(places.c.place, places.c.name))}
    called = [place for place, name in known.items() if name.casefold() == code.strip().casefold()]
    return f' (did you mean "{called[0]}"?)' if called else meant(code.strip(), known)
