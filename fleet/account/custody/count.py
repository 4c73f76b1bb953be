"""Counting a place: what was scanned there beside what is recorded there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from fleet.account.custody import names as custody_names
from fleet.account.custody import places
from fleet.account.custody.machine import BY_PLACE
from fleet.account.custody.names import Held
from fleet.bulk import batches
from fleet.db import snapshot, transaction
from fleet.ledger import Happening
from fleet.models import custody, missing, units
from fleet.units import Registry
from fleet.values import Json

_AT_ONCE = 2000


@dataclass(frozen=True)
class Count:
    """``expected`` = ``found`` + ``missing``. ``unexpected`` lay there and are recorded elsewhere; ``unknown`` are
    labels that are no unit's. ``recorded``: whether this was written down."""

    place: str
    expected: int
    found: int
    missing: tuple[Held, ...]
    unexpected: tuple[Held, ...]
    unknown: tuple[str, ...]
    recorded: bool

    @property
    def variance(self) -> int:
        """What lay there, less what should have."""
        return len(self.unexpected) - len(self.missing)


def count(registry: Registry, code: str, names: Sequence[str], *, apply: bool) -> Count:
    """Compare what was scanned (tags, serials; doubles count once) with the place. ``apply``: write it down, too.

    AccountError when there is no such place, UnitError for a range that is none.
    """
    if not apply:
        with snapshot(registry.engine) as conn:
            return _compared(conn, code, names, recorded=False)
    with transaction(registry.engine) as conn:
        found = _compared(conn, code, names, recorded=True)
        body: dict[str, Json] = {
            "v": 1,
            "expected": found.expected,
            "found": found.found,
            "missing": len(found.missing),
            "unexpected": len(found.unexpected),
            "unknown": len(found.unknown),
        }
        registry.ledger.append_many(conn, [("place.counted", found.place, body), *_news(conn, found, names)])
    return found


def _compared(conn: Connection, code: str, names: Sequence[str], *, recorded: bool) -> Count:
    place = places.the(conn, code)
    scanned = custody_names.find(conn, custody_names.expanded(names))
    there = {held.key for held in scanned.units}
    expected = _expected(conn, place.place, str(BY_PLACE[place.kind]))
    lying = {held.key for held in expected}
    lacking = tuple(held for held in expected if held.key not in there)
    odd = tuple(held for held in scanned.units if held.key not in lying)
    return Count(
        place.place, len(expected), len(expected) - len(lacking), lacking, odd, scanned.refusals, recorded=recorded
    )


def _expected(conn: Connection, place: str, state: str) -> list[Held]:
    """What should lie there; what its students have, and what is on its way, does not."""
    columns = (
        *(units.c.key, units.c.serial, units.c.tag, custody.c.state, custody.c.place, custody.c.batch),
        *(custody.c.holder, custody.c.assigned, custody.c.since),
    )
    query = select(*columns).join_from(units, custody).where(custody.c.place == place, custody.c.state == state)
    return [Held(*row) for row in conn.execute(query.order_by(units.c.tag, units.c.key))]


def _news(conn: Connection, found: Count, names: Sequence[str]) -> Iterator[Happening]:
    """Units that are missing now and were not, and those that are not any more."""
    scanned = [held.key for held in custody_names.find(conn, custody_names.expanded(names)).units]
    was = _missing_of(conn, [*scanned, *(held.key for held in found.missing)])
    for held in found.missing:
        if held.key not in was:
            yield "unit.counted", held.key, {"v": 1, "place": found.place, "found": False}
    for key in scanned:
        if key in was:
            yield "unit.counted", key, {"v": 1, "place": found.place, "found": True}


def _missing_of(conn: Connection, keys: Sequence[str]) -> frozenset[str]:
    """Which of these units a count did not find, and nobody has since."""
    found: set[str] = set()
    for some in batches(keys, _AT_ONCE):
        found |= set(conn.scalars(select(missing.c.unit).where(missing.c.unit.in_(some), missing.c.until.is_(None))))
    return frozenset(found)
