"""The rows that a batch of events changes: read at once, changed in memory, written at once.

An event changes rows of its own subject only: the unit's, the student's, the SIM's. Projections are handed nothing but
these (:class:`Mine`), so that events of several subjects may come in any order, and events that come late (a bench was
offline) are put right by folding the events of that one subject again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select, update

from fleet import unit_states
from fleet.bulk import batches, delete_rows, insert_rows, read_rows, update_rows
from fleet.models import OF_NO_SUBJECT, PROJECTIONS, custody, sims, tag_series, units
from fleet.tallies import keep_up

Row = dict[str, Any]
_Kept = dict[str, dict[Any, Row]]
_NAMED = 5000
"""Subjects named in one query."""


_OWNED = tuple(table for table in PROJECTIONS if table not in OF_NO_SUBJECT)
_OWNERS = {table: next(iter(table.primary_key)).name for table in _OWNED}
"""The column that holds the subject to which a row belongs: the first of its key."""

_KEYS = {table: tuple(one.name for one in table.primary_key if one.name != _OWNERS[table]) for table in _OWNED}
"""What tells the rows of one subject apart: mostly nothing, as there is but one, or one column."""

_PARENTS = {
    table: next(iter(table.c[mine].foreign_keys)).column.table
    for table, mine in _OWNERS.items()
    if table.c[mine].foreign_keys
}
"""Where a subject has to be for it to have rows here."""

_BLANKS: Mapping[Table, Row] = {table: dict.fromkeys(table.columns.keys()) for table in _OWNED}


class _Changes(NamedTuple):
    """Rows of a table that are gone, new, and changed, by the columns that are: the indexes of others need not be
    touched."""

    gone: list[Row]
    new: list[Row]
    changed: dict[tuple[str, ...], list[Row]]

    def of(self, *columns: str) -> Iterator[Row]:
        """The rows of which one of these columns is another one now."""
        yield from chain(self.gone, self.new)
        for names, rows in self.changed.items():
            if not set(columns).isdisjoint(names):
                yield from rows


@dataclass
class Rows:
    """The rows of ``subjects``. With ``afresh`` their events are folded from nothing, all of them."""

    conn: Connection
    subjects: Collection[str]
    afresh: bool = False
    _before: dict[Table, _Kept] = field(default_factory=dict)
    _after: dict[Table, _Kept] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def of(self, subject: str) -> Mine:
        """What an event of ``subject`` may see and change."""
        return Mine(self, subject)

    def kept(self, table: Table, subject: str) -> dict[Any, Row]:
        """The rows of one subject by what tells them apart, as they are now."""
        if table not in self._after:
            if not self.afresh:
                self._read(table)
            self._after[table] = {name: dict(rows) for name, rows in self._before.get(table, {}).items()}
        after = self._after[table]
        rows = after.get(subject)
        if rows is None:
            rows = after[subject] = {}
        return rows

    def reach(self, prefix: str, number: int) -> None:
        """A number of a series of tags was given."""
        self._numbers[prefix] = max(number, self._numbers.get(prefix, 0))

    def write(self, *, empty: bool = False) -> None:
        """Bring the tables to what was made of them here. ``empty``: there are no rows of these subjects yet."""
        if self.afresh and not empty:
            for table in _OWNED:
                self._read(table)
        changes = {table: self._changes(table) for table in _OWNED if table in self._after or self.afresh}
        for table in reversed(changes):
            delete_rows(self.conn, table, changes[table].gone)
        for table, (_, new, changed) in changes.items():
            insert_rows(self.conn, table, new)
            for columns, rows in changed.items():
                update_rows(self.conn, table, rows, columns)
        self._follow(changes)
        self._raise_series()

    def _follow(self, changes: Mapping[Table, _Changes]) -> None:
        """What the tables themselves say, whatever event changed them: tallies, and states beside other things."""
        for table in (units, custody):
            if table in changes:
                keep_up(self.conn, table, self._pairs(table, changes[table]))
        moved = changes[units].of("state") if units in changes else ()
        unit_states.of_units(self.conn, [row["key"] for row in moved])
        put = changes[sims].of("unit", "unit_state") if sims in changes else ()
        unit_states.of_sims(self.conn, [row["iccid"] for row in put if row["unit"] or row["unit_state"]])

    def _pairs(self, table: Table, changes: _Changes) -> Iterator[tuple[Row | None, Row | None]]:
        """Before and after, of a table that has one row per subject."""
        yield from ((row, None) for row in changes.gone)
        yield from ((None, row) for row in changes.new)
        for row in chain(*changes.changed.values()):
            yield self._before[table][row[_OWNERS[table]]][()], row

    def _changes(self, table: Table) -> _Changes:
        before, after = self._before.get(table, {}), self._after.get(table, {})
        gone: list[Row] = []
        new: list[Row] = []
        changed: dict[tuple[str, ...], list[Row]] = {}
        for subject, rows in after.items():
            old = before.get(subject)
            if not old:
                new.extend(rows.values())
                continue
            for key, row in rows.items():
                if key not in old:
                    new.append(row)
                elif (was := old[key]) != row:
                    columns = tuple([name for name, value in row.items() if was[name] != value])
                    changed.setdefault(columns, []).append(row)
        for subject, rows in before.items():
            now = after.get(subject, {})
            gone.extend(row for key, row in rows.items() if key not in now)
        return _Changes(gone, new, changed)

    def _read(self, table: Table) -> None:
        """Those of a subject that is not in the table to which they belong need not be looked for."""
        found: _Kept = {}
        mine, keys = _OWNERS[table], _KEYS[table]
        subjects: Collection[str] = self.subjects
        parent = _PARENTS.get(table)
        if parent is not None:
            if parent not in self._before:
                self._read(parent)
            subjects = self._before[parent]
        for row in read_rows(self.conn, table, mine, subjects):
            found.setdefault(row[mine], {})[_key(keys, row)] = row
        self._before[table] = found

    def _raise_series(self) -> None:
        """Never lowered: a number that was on a label once is never given again."""
        for names in batches(self._numbers, _NAMED):
            query = select(tag_series.c.prefix, tag_series.c.last).where(tag_series.c.prefix.in_(names))
            last = {row.prefix: row.last for row in self.conn.execute(query)}
            new = [{"prefix": name, "last": self._numbers[name]} for name in names if name not in last]
            insert_rows(self.conn, tag_series, new)
            for name in names:
                if self._numbers[name] > last.get(name, self._numbers[name]):
                    mine = tag_series.c.prefix == name
                    self.conn.execute(update(tag_series).where(mine).values(last=self._numbers[name]))


class Mine:
    """The rows of the subject of one event. Rows are not to be changed in place: :meth:`put` them."""

    __slots__ = ("_rows", "_subject")

    def __init__(self, rows: Rows, subject: str) -> None:
        self._rows = rows
        self._subject = subject

    def one(self, table: Table) -> Row | None:
        """The row of a table that has one per subject."""
        return self._rows.kept(table, self._subject).get(())

    def all(self, table: Table) -> list[Row]:
        """All rows of the subject, in no order."""
        return list(self._rows.kept(table, self._subject).values())

    def put(self, table: Table, values: Mapping[str, Any]) -> None:
        """Change the row with this key, or add it: what is not said stays, or is NULL."""
        key, blank = _key(_KEYS[table], values), _BLANKS[table]
        rows = self._rows.kept(table, self._subject)
        row = {**(rows.get(key) or blank), **values, _OWNERS[table]: self._subject}
        if len(row) != len(blank):
            raise KeyError(f"{table.name} has no column {', '.join(row.keys() - blank.keys())}")
        rows[key] = row

    def put_all(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """These in the place of all rows of the subject: what is not said is NULL."""
        blank, names, owner = _BLANKS[table], _KEYS[table], {_OWNERS[table]: self._subject}
        found = {_key(names, values): {**blank, **values, **owner} for values in rows}
        if strange := {name for row in found.values() if len(row) != len(blank) for name in row.keys() - blank.keys()}:
            raise KeyError(f"{table.name} has no column {', '.join(strange)}")
        kept = self._rows.kept(table, self._subject)
        kept.clear()
        kept.update(found)

    def drop(self, table: Table, row: Mapping[str, Any]) -> None:
        """Take the row with this key away."""
        self._rows.kept(table, self._subject).pop(_key(_KEYS[table], row), None)

    def clear(self, table: Table) -> None:
        """Take all rows of the subject away."""
        self._rows.kept(table, self._subject).clear()

    def reach(self, prefix: str, number: int) -> None:
        """A number of a series of tags was given."""
        self._rows.reach(prefix, number)


def _key(names: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    return values[names[0]] if len(names) == 1 else tuple(values[name] for name in names)
