"""What becomes of each row of a donor's list: new, matched with a unit that a bench has seen, unchanged, doubtful, or
refused with the reason. Looked up some hundreds at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, select

from fleet import tags
from fleet.account.custody import serials
from fleet.bulk import batches
from fleet.errors import UnitError
from fleet.lookalikes import fold
from fleet.models import custody, units
from fleet.values import storable
from provision.text import printable

_AT_ONCE = 2000


@dataclass(frozen=True)
class Listed:
    """A row of a donor's list, as it is written. ``number`` is the row of the file, 0 of what was typed; ``broken``
    says why the row cannot be read."""

    number: int
    serial: str
    imei: str = ""
    maker: str = ""
    model: str = ""
    tag: str = ""
    broken: str = ""


@dataclass(frozen=True)
class Known:
    """A unit that the registry has."""

    key: str
    serial: str
    tag: str | None
    imei: str
    state: str
    place: str
    batch: str
    holder: str | None


@dataclass(frozen=True)
class Judged:
    """``verdict`` is new, matched, unchanged, doubtful or refused; ``why`` says it of the last two.

    ``row`` has its values as they are kept. ``known``: the unit that it is, if there is one.
    """

    row: Listed
    verdict: str
    why: str = ""
    known: Known | None = None

    @property
    def key(self) -> str:
        """What the unit is known by."""
        if self.known:
            return self.known.key
        return f"{serials.platform_of(self.row.maker, self.row.model)}:{self.row.serial}"


@dataclass
class _Seen:
    """What the rows before have taken."""

    serials: dict[str, Listed]
    imeis: dict[str, Listed]
    tags: dict[str, Listed]


@dataclass(frozen=True)
class _Registry:
    """What the registry has of all that the rows name."""

    by_fold: Mapping[str, Sequence[Known]]
    by_imei: Mapping[str, Known]
    by_name: Mapping[str, Known]


def judge(conn: Connection, rows: Sequence[Listed], batch: str, *, sure: bool) -> tuple[Judged, ...]:
    """What becomes of every row, in their order. ``sure``: what is doubtful is taken as it is written."""
    read = [_read(row) for row in rows]
    kept = [one.row for one in read if one.verdict != "refused"]
    known = _look_up(conn, kept)
    seen = _Seen({}, {}, {})
    return tuple(one if one.verdict == "refused" else _judge(one.row, known, seen, batch, sure) for one in read)


def _read(row: Listed) -> Judged:
    """The row with its values as they are kept."""
    if row.broken:
        return Judged(row, "refused", row.broken)
    try:
        serial, imei = serials.checked(row.serial), serials.imei(row.imei)
        tag = tags.checked(row.tag) if row.tag.strip() else ""
    except UnitError as error:
        return Judged(row, "refused", error.what)
    maker, model = (storable(" ".join(text.split())) for text in (row.maker, row.model))
    return Judged(Listed(row.number, serial, imei, maker, model, tag), "new")


def _judge(row: Listed, known: _Registry, seen: _Seen, batch: str, sure: bool) -> Judged:
    folded = fold(row.serial)
    alike = known.by_fold.get(folded, ())
    same = [one for one in alike if one.serial.casefold() == row.serial.casefold()]
    unit = same[0] if same else None
    if why := _against(row, unit, same, known, seen, batch):
        return Judged(row, "refused", why, unit)
    before = seen.serials.get(folded)
    if not sure and (why := _doubt(row, unit, alike, before)):
        return Judged(row, "doubtful", why, unit)
    seen.serials[folded] = row
    seen.imeis |= {row.imei: row} if row.imei else {}
    seen.tags |= {row.tag: row} if row.tag else {}
    if unit is None:
        return Judged(row, "new")
    unchanged = unit.batch == batch and row.tag in ("", unit.tag)
    return Judged(row, "unchanged" if unchanged else "matched", known=unit)


def _against(row: Listed, unit: Known | None, same: Sequence[Known], known: _Registry, seen: _Seen, batch: str) -> str:
    """Why this row cannot be taken."""
    before = seen.serials.get(fold(row.serial))
    if before and before.serial.casefold() == row.serial.casefold():
        return f"{row.serial} is in {_row(before)} already"
    if len(same) > 1:
        return f"{row.serial} may mean {len(same)} units: {', '.join(printable(one.key) for one in same)}"
    if unit and unit.batch not in ("", batch):
        return f"{row.serial} was received with batch {printable(unit.batch)} already"
    if unit is None and not (row.maker or row.model):
        return "neither maker nor model is said (--maker): whether it is an Apple decides what it is known by"
    return _against_imei(row, unit, known, seen) or _against_tag(row, unit, known, seen)


def _against_imei(row: Listed, unit: Known | None, known: _Registry, seen: _Seen) -> str:
    if not row.imei:
        return ""
    if before := seen.imeis.get(row.imei):
        return f"IMEI {row.imei} is in {_row(before)} already, of another serial number"
    other = known.by_imei.get(row.imei)
    if other and (unit is None or other.key != unit.key):
        return f"IMEI {row.imei} is that of {other.tag or printable(other.serial)}, which has another serial number"
    return ""


def _against_tag(row: Listed, unit: Known | None, known: _Registry, seen: _Seen) -> str:
    if not row.tag:
        return ""
    if before := seen.tags.get(row.tag):
        return f"tag {row.tag} is in {_row(before)} already"
    if unit and unit.tag not in (None, row.tag):
        return f"it has the tag {unit.tag} already, not {row.tag}"
    other = known.by_name.get(row.tag)
    if other and (unit is None or other.key != unit.key):
        return f"tag {row.tag} is already a name of {printable(other.serial)}"
    return ""


def _doubt(row: Listed, unit: Known | None, alike: Sequence[Known], before: Listed | None) -> str:
    if unit:
        return ""
    if alike:
        return f"{row.serial} looks like {printable(alike[0].serial)}, which is known"
    if before:
        return f"{row.serial} looks like {before.serial} of {_row(before)}"
    return serials.doubt(row.serial, serials.platform_of(row.maker, row.model))


def _row(row: Listed) -> str:
    return f"row {row.number}" if row.number else "this list"


def _look_up(conn: Connection, rows: Sequence[Listed]) -> _Registry:
    spellings = {other for row in rows for other in (row.serial, *serials.lookalikes(row.serial))}
    by_fold: dict[str, list[Known]] = {}
    for one in _known(conn, units.c.serial, spellings):
        by_fold.setdefault(fold(one.serial), []).append(one)
    named = {row.tag for row in rows if row.tag}
    by_name = {one.tag: one for one in _known(conn, units.c.tag, named) if one.tag}
    by_name |= {one.serial: one for one in _known(conn, units.c.serial, named)}
    imeis = {one.imei: one for one in _known(conn, units.c.imei, {row.imei for row in rows if row.imei})}
    return _Registry(by_fold, imeis, by_name)


def _known(conn: Connection, column: Column[Any], values: Iterable[str]) -> Iterable[Known]:
    columns = (
        *(units.c.key, units.c.serial, units.c.tag, units.c.imei),
        *(custody.c.state, custody.c.place, custody.c.batch, custody.c.holder),
    )
    for some in batches(sorted(values), _AT_ONCE):
        query = select(*columns).join_from(units, custody).where(column.in_(some)).order_by(units.c.key)
        yield from (Known(*row) for row in conn.execute(query))
