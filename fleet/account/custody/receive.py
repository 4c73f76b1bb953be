"""Receiving what a donor gave: one batch, one place, one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from fleet.account.custody import batches, places, serials, when
from fleet.account.custody.batches import Batch
from fleet.account.custody.machine import BY_PLACE
from fleet.account.custody.places import Place
from fleet.account.custody.receive_rows import Judged, Listed, judge
from fleet.db import snapshot, transaction
from fleet.errors import CustodyError
from fleet.ledger import Happening
from fleet.units import Registry
from fleet.values import Json

TAKEN = ("new", "matched")


@dataclass(frozen=True)
class Lot:
    """What is said of a whole list. ``donor`` and ``announced`` ``None``: as they are, where the batch is known, else
    ``listed``: how many rows the list has. ``on``: the day on which it came, where that was earlier."""

    batch: str
    place: str
    donor: str | None = None
    announced: int | None = None
    listed: int | None = None
    on: str = ""


@dataclass(frozen=True)
class Received:
    """What became of each row. ``applied``: whether it was written; ``place`` where it all is."""

    batch: Batch
    place: str
    rows: tuple[Judged, ...]
    applied: bool

    @property
    def numbers(self) -> Mapping[str, int]:
        """How many rows of each verdict."""
        found = Counter(one.verdict for one in self.rows)
        return {name: found[name] for name in ("new", "matched", "unchanged", "doubtful", "refused")}


def plan(registry: Registry, lot: Lot, rows: Sequence[Listed], *, sure: bool = False) -> Received:
    """What :func:`receive` would do. AccountError for a place or batch that is not."""
    if lot.on:
        when.day(lot.on, registry.ledger.clock())
    with snapshot(registry.engine) as conn:
        place, batch = _of(conn, lot)
        return Received(batch, place.place, judge(conn, rows, batch.batch, sure=sure), applied=False)


def receive(registry: Registry, lot: Lot, rows: Sequence[Listed], *, sure: bool = False, all_of_them: bool) -> Received:
    """Take over every row that is new or matched; doing it again does nothing.

    ``all_of_them``: CustodyError when any row is doubtful or refused, and nothing is written.
    """
    with transaction(registry.engine) as conn:
        place, batch = _of(conn, lot)
        found = judge(conn, rows, batch.batch, sure=sure)
        if all_of_them and (against := [one for one in found if one.verdict in ("doubtful", "refused")]):
            raise _refused(against)
        batches.put(conn, registry.ledger, batch)
        on = when.day(lot.on, registry.ledger.clock()).after(None, lot.batch) if lot.on else ""
        registry.ledger.append_many(conn, _events(found, batch, place, on))
    return Received(batch, place.place, found, applied=True)


def _of(conn: Connection, lot: Lot) -> tuple[Place, Batch]:
    return places.the(conn, lot.place), batches.wanted(conn, lot.batch, lot.donor, lot.announced, lot.listed)


def _events(found: Sequence[Judged], batch: Batch, place: Place, on: str) -> Iterator[Happening]:
    for one in found:
        if one.verdict not in TAKEN:
            continue
        if not one.known or one.known.batch != batch.batch:
            yield "unit.received", one.key, {**_body(one, batch, place), **({"on": on} if on else {})}
        if one.row.tag and not (one.known and one.known.tag == one.row.tag):
            yield "unit.tagged", one.key, {"v": 1, "tag": one.row.tag, "was": None}


def _body(one: Judged, batch: Batch, place: Place) -> dict[str, Json]:
    """A unit that is known stays where it is: papers that come later move nothing."""
    row, known = one.row, one.known
    if known and (known.place or known.state != "at_bench"):
        where, state = known.place, known.state
    else:
        where, state = place.place, str(BY_PLACE[place.kind])
    return {
        "v": 1,
        "batch": batch.batch,
        "place": where,
        "state": state,
        "student": known.holder if known else None,
        "platform": serials.platform_of(row.maker, row.model),
        "serial": row.serial,
        "maker": row.maker,
        "model": row.model,
        "version": "",
        "imei": row.imei,
    }


def _refused(against: Sequence[Judged]) -> CustodyError:
    doubtful = all(one.verdict == "doubtful" for one in against)
    advice = "Look at the label again; if it is right, say so with --sure." if doubtful else "Nothing was changed."
    return CustodyError("\n".join(f"{one.why}." for one in against), advice)
