"""The tallies: how many units are in each state, by place, by model, by profile, …, kept up with every change of a row.

To count a million units takes longer than all else that ``fleet status`` does. A tally follows from the rows of units
alone, in whatever order they changed, so benches that merge come to the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table

from fleet.bulk import add_to_rows
from fleet.models import custody, tallies, units

Row = Mapping[str, Any]
Change = tuple[Row | None, Row | None]
"""A row of a unit before and after; ``None`` is none."""


@dataclass(frozen=True)
class Tally:
    """Units by their state and by one or two columns of ``table``. ``there``: not what is in it, but whether there is
    anything ("yes") or not ("")."""

    name: str
    table: Table
    columns: tuple[Column[str], ...]
    there: bool = False

    def key(self, row: Row) -> tuple[str, str, str, str]:
        """Tally, state, a and b."""
        first, *second = self.columns
        a = row[first.name] or ""
        return self.name, row["state"], "yes" if self.there and a else a, row[second[0].name] or "" if second else ""


_U, _C = units.c, custody.c
TALLIES: Mapping[str, Tally] = {
    tally.name: tally
    for tally in (
        Tally("place", custody, (_C.place,)),
        Tally("batch", custody, (_C.batch,)),
        Tally("verdict", units, (_U.last_verdict,)),
        Tally("profile", units, (_U.last_profile, _U.last_digest)),
        Tally("model", units, (_U.maker, _U.model)),
        Tally("version", units, (_U.platform, _U.version)),
        Tally("tag", units, (_U.tag,), there=True),
    )
}


def keep_up(conn: Connection, table: Table, changes: Iterable[Change]) -> None:
    """Bring the tallies of ``table`` from before to after these changes of its rows."""
    mine = [tally for tally in TALLIES.values() if tally.table is table]
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for before, after in changes:
        for tally in mine:
            was, now = before and tally.key(before), after and tally.key(after)
            if was != now:
                if was:
                    counts[was] -= 1
                if now:
                    counts[now] += 1
    rows = [{**dict(zip(_KEY, key, strict=True)), "units": number} for key, number in counts.items() if number]
    add_to_rows(conn, tallies, "units", rows)


_KEY = ("tally", "state", "a", "b")
