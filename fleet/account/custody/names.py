"""Which units are meant: tags, serials, IMEIs, and ranges of tags; looked up many at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from fleet import tags
from fleet.errors import UnitError
from fleet.models import custody, units
from fleet.values import storable
from provision.text import printable

_RANGE = re.compile(r"(.*?)(\d{1,9})\.\.(.*?)(\d{1,9})")
_MOST = 100_000
_AT_ONCE = 2000
_IMEI = re.compile(r"\d{15}")


@dataclass(frozen=True)
class Held:
    """A unit, and where it is. ``place`` is "" where nobody said."""

    key: str
    serial: str
    tag: str | None
    state: str
    place: str
    batch: str
    holder: str | None
    assigned: str | None
    since: str

    @property
    def shown(self) -> str:
        """Its tag, else its serial."""
        return self.tag or printable(self.serial)


@dataclass(frozen=True)
class Found:
    """The units in the order in which they were named, each once; and why names mean none."""

    units: tuple[Held, ...]
    refusals: tuple[str, ...]


def lines(text: str) -> list[str]:
    """The names in a file: one per line, ``#`` begins a comment."""
    return [name for line in text.splitlines() if (name := line.partition("#")[0].strip())]


def expanded(names: Iterable[str]) -> list[str]:
    """``A-0001..A-0003`` as three names. UnitError for a range that is none."""
    return [one for name in names for one in (_range(name) if ".." in name else [name])]


def _range(name: str) -> list[str]:
    match = _RANGE.fullmatch(name.strip())
    if not match or match[3] not in ("", match[1]) or len(match[2]) != len(match[4]):
        raise UnitError(
            f"{printable(name)!r} is no range of tags.", "Write the first and the last one: A-0001..A-0040."
        )
    first, last, width = int(match[2]), int(match[4]), len(match[2])
    if not first <= last < first + _MOST:
        raise UnitError(f"{printable(name)!r} begins after its end, or is too long.", "Check its two numbers.")
    return [f"{match[1]}{number:0{width}d}" for number in range(first, last + 1)]


def find(conn: Connection, names: Sequence[str]) -> Found:
    """The units that ``names`` mean. As there is one writer at a time, nobody moves them during a transaction."""
    typed = [storable(name.strip()) for name in names]
    meant: dict[str, list[Held]] = {}
    unique = sorted(set(typed))
    for start in range(0, len(unique), _AT_ONCE):
        _look_up(conn, unique[start : start + _AT_ONCE], meant)
    for name in [name for name in unique if not meant[name]]:
        if key := tags.joined(conn, name):
            _look_up(conn, [key], meant)
            meant[name] = meant[key]
    found: dict[str, Held] = {}
    refusals = []
    for name in typed:
        match meant.get(name, []):
            case [held]:
                found[held.key] = held
            case []:
                refusals.append(f"No unit has the tag or serial {printable(name)!r}.")
            case several:
                keys = ", ".join(printable(held.key) for held in several)
                refusals.append(f"{printable(name)!r} may mean {len(several)} units: {keys}.")
    return Found(tuple(found.values()), tuple(dict.fromkeys(refusals)))


def _look_up(conn: Connection, names: Sequence[str], meant: dict[str, list[Held]]) -> None:
    wanted = [units.c.tag.in_({name.upper() for name in names}), units.c.serial.in_(names), units.c.key.in_(names)]
    if imeis := [name for name in names if _IMEI.fullmatch(name)]:
        wanted.append(units.c.imei.in_(imeis))
    columns = (
        *(units.c.key, units.c.serial, units.c.tag, custody.c.state, custody.c.place, custody.c.batch),
        *(custody.c.holder, custody.c.assigned, custody.c.since, units.c.imei),
    )
    query = select(*columns).join_from(units, custody).where(or_(*wanted)).order_by(units.c.key)
    rows = conn.execute(query).all()
    by_name: dict[str, list[Held]] = {}
    for row in rows:
        held = Held(*row[:-1])
        for name in {held.key, held.serial, held.tag, row.imei} - {None, ""}:
            by_name.setdefault(str(name), []).append(held)
    for name in names:
        both = [*by_name.get(name, ()), *(by_name.get(name.upper(), ()) if name.upper() != name else ())]
        meant[name] = list({held.key: held for held in both if _is(held, name)}.values())


def _is(held: Held, name: str) -> bool:
    """A tag in any case; all else as it is written."""
    return held.tag == name.upper() or name in (held.serial, held.key) or bool(_IMEI.fullmatch(name))
