"""SIMs from an operator's list: what is new, changed, unchanged, refused, looked up some thousands at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fleet import iccid
from fleet.account.people.identifiers import LOST_DIGITS
from fleet.account.sims import one_by_one
from fleet.account.sims.data_plan_terms import Terms, day_count, quota_of, terms
from fleet.account.sims.one_by_one import Listed, Sim
from fleet.account.sims.sheets import Refused, Row
from fleet.bulk import batches
from fleet.errors import AccountError
from fleet.ledger import Happening
from fleet.models import places, sims
from fleet.sim_reading import changed
from fleet.sim_states import SimState
from profiles.carriers import Carrier
from provision.text import printable

_AT_ONCE = 5000
_EXACT = 15
"""Digits of a number that spreadsheets keep."""

_CHANCE = 500
"""Of so many SIMs hardly one has a number that ends as if a spreadsheet had rounded it."""


@dataclass
class Imported:
    """What became of the rows, so far. ``freed``: SIMs that ended, and whose number is on another one now.
    ``unread``: headings of columns that say nothing known."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    freed: int = 0
    refused: list[Refused] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.new + self.changed + self.unchanged + len(self.refused)


@dataclass(frozen=True)
class Order:
    """What is said of a whole list. ``ordered``: the SIMs are on their way."""

    carrier: Carrier
    terms: Terms = field(default_factory=Terms)
    place: str = ""
    ordered: bool = False


@dataclass
class _Seen:
    """What the rows before have taken: numbers (as numbers: they are a million), and their rows."""

    iccids: dict[int, int] = field(default_factory=dict)
    msisdns: dict[int, int] = field(default_factory=dict)


def events(conn: Connection, rows: Iterable[Row], order: Order, told: Imported) -> Iterator[Happening]:
    """What taking over ``rows`` would write; ``told`` is filled on the way. Memory: two numbers per row."""
    known_places = set(conn.scalars(select(places.c.place)))
    suspects: list[Row] = []
    seen = _Seen()
    for batch in batches(_sound(rows, suspects, told), _AT_ONCE):
        yield from _taken(conn, batch, order, known_places, seen, told)
    rounded = len(suspects) * _CHANCE > told.rows + len(suspects)
    if rounded:
        why = "ends in zeros as if a spreadsheet had rounded it; add it with fleet sim add if it is really so"
        told.refused.extend(Refused(row.number, row["iccid"], why) for row in suspects)
    for batch in batches([] if rounded else suspects, _AT_ONCE):
        yield from _taken(conn, batch, order, known_places, seen, told)


def _sound(rows: Iterable[Row], suspects: list[Row], told: Imported) -> Iterator[Row]:
    """The rows but those that cannot be read; what looks rounded is put aside until it is known how many there are."""
    for row in rows:
        number = iccid.plain(row["iccid"])
        if row.broken:
            told.refused.append(Refused(row.number, row["iccid"], row.broken))
        elif not row["iccid"]:
            told.refused.append(Refused(row.number, "", "no ICCID"))
        elif is_rounded(row["iccid"]):
            why = "lost its digits in a spreadsheet; ask for a file in which the column is text"
            told.refused.append(Refused(row.number, row["iccid"], why))
        elif len(number) in iccid.LENGTHS and not number[_EXACT:].strip("0") and iccid.is_digits(number):
            suspects.append(row)
        else:
            yield row


def is_rounded(text: str) -> bool:
    """Whether a long number was certainly rounded by a spreadsheet: 8.98405E+18, or 8984048000012345856.0."""
    return bool(LOST_DIGITS.match(text)) or bool(re.fullmatch(r"\d{16,}[.,]0+", text))


def _taken(
    conn: Connection, batch: list[Row], order: Order, known_places: set[str], seen: _Seen, told: Imported
) -> Iterator[Happening]:
    listed: list[tuple[Row, Listed]] = []
    for row in batch:
        try:
            listed.append((row, _new_in_file(row, _listed(row, order, known_places), seen)))
        except AccountError as error:
            told.refused.append(Refused(row.number, row["iccid"], error.what))
    known = _known(conn, sims.c.iccid, [one.iccid for _, one in listed])
    holders = _known(conn, sims.c.msisdn, [one.msisdn for _, one in listed if one.msisdn])
    for row, one in listed:
        holder = holders.get(one.msisdn)
        if holder and holder["iccid"] != one.iccid and holder["state"] != SimState.ENDED:
            told.refused.append(
                Refused(row.number, row["iccid"], f"{one.msisdn} is the number of SIM {holder['iccid']}")
            )
            continue
        before = known.get(one.iccid)
        if before and before["carrier"] not in ("", one.carrier):
            told.refused.append(Refused(row.number, row["iccid"], f"is known as a SIM of {before['carrier']}"))
            continue
        if holder and holder["iccid"] != one.iccid:
            told.freed += 1
            yield changed("free", holder["iccid"], {"msisdn": None})
        if happening := _event(one, before, order, told):
            yield happening


def _event(one: Listed, before: Sim | None, order: Order, told: Imported) -> Happening | None:
    if before is None:
        told.new += 1
        state = SimState.ORDERED if order.ordered else SimState.RECEIVED
        return changed("order" if order.ordered else "receive", one.iccid, one_by_one.fields_of(one, state))
    came = before["state"] == SimState.ORDERED and not order.ordered
    fields = one_by_one.fields_of(one, SimState.RECEIVED if came else None)
    if ends_at := one_by_one.new_end(before, one.terms.days):
        fields["ends_at"] = ends_at
    fields = {name: value for name, value in fields.items() if before[name] != value}
    if not fields:
        told.unchanged += 1
        return None
    told.changed += 1
    return changed("receive" if came else "list", one.iccid, fields)


def _listed(row: Row, order: Order, known_places: set[str]) -> Listed:
    """The row with its values as they are kept. AccountError."""
    place = (row["place"] or order.place).upper()
    if place and place not in known_places:
        raise AccountError(f"no place has the code {printable(place)}")
    said = _said(row)
    whole = Terms(said.quota or order.terms.quota, order.terms.days if said.days is None else said.days)
    return one_by_one.checked(row["iccid"], order.carrier, row["msisdn"], whole, place)


def _said(row: Row) -> Terms:
    """What the row says of its plan, in one column or in several; what the column of the plan says comes first."""
    said = terms(row["plan"]) if row["plan"] else Terms()
    quota = quota_of(row["quota"]) if row["quota"] else ""
    if row["quota"] and not quota:
        raise AccountError(f"{printable(row['quota'])!r} is no amount such as 4 GB/day")
    days = day_count(row["days"]) if row["days"] else None
    return Terms(said.quota or quota, days if said.days is None else said.days)


def _new_in_file(row: Row, one: Listed, seen: _Seen) -> Listed:
    if before := _before(seen.iccids, one.iccid, row.number):
        raise AccountError(f"is in row {before} already")
    if one.msisdn and (before := _before(seen.msisdns, one.msisdn, row.number)):
        raise AccountError(f"{one.msisdn} is in row {before} already, on another SIM")
    return one


def _before(taken: dict[int, int], number: str, row: int) -> int:
    """The row that has this number already; 0 when this is the first."""
    first = taken.setdefault(int(number), row)
    return 0 if first == row else first


def _known(conn: Connection, column: Any, values: list[str]) -> Mapping[str, Sim]:
    found: dict[str, Sim] = {}
    for some in batches(values, _AT_ONCE):
        for row in conn.execute(select(sims).where(column.in_(some))).mappings():
            found[row[column.name]] = row
    return found
