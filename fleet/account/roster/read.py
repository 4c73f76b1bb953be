"""A list of students read to its end: rows that can be taken, rows that cannot and why, and which are one student."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

from fleet.account.people.dates import Order, order
from fleet.account.people.identifiers import same_name
from fleet.account.people.vault import Vault
from fleet.account.roster import columns as roster_columns
from fleet.account.roster.blocks import Block, Blocks
from fleet.account.roster.columns import HEADER_WITHIN, Columns
from fleet.account.roster.doubles import Doubles, Marks, alike, mark_of
from fleet.account.roster.entries import Entry, Noted, Refused, Row, keys
from fleet.account.roster.rows import Reader
from fleet.account.roster.schools import Schools
from fleet.account.roster.spool import Spool
from fleet.account.sheets.books import opened
from fleet.account.sheets.lines import Book, Line, Sheet
from fleet.bulk import batches
from fleet.errors import FileError

CROWD = 12
"""More students than one home has: a phone that so many share is the school's, or the teacher's."""

_SAMPLE = 1000
_SCHOOL, _STATE, _HOUSEHOLD = map(Row._fields.index, ("school", "state", "household"))
_TOGETHER = 1000
_REGIONS = {"vi": "VN", "zh": "CN"}
_NOTES = 1000


@dataclass(frozen=True)
class Request:
    """What is to be read, and how. ``school``: the code for all rows; ``region``, ``encoding`` and ``first`` (which of
    day and month stands first) where they are not to be guessed. ``spool``: the folder for what is put aside."""

    file: Path
    today: date
    school: str = ""
    region: str = ""
    encoding: str = ""
    first: Order | None = None
    spool: Path | None = None


@dataclass(frozen=True)
class Table:
    """A sheet that was read."""

    sheet: str
    columns: Columns
    region: str
    first: Order


@dataclass
class Gathered:
    """``tables`` are the sheets by number, ``None`` where no header was found. ``others`` counts rows that are no
    students, ``taken`` those that can be taken, ``left`` those of them who are said to have left; ``crowds`` are phones
    that are no household's. ``alike``: sheet and row of who has the
    name, birthday and school of a row above, and is another. ``schools`` are those of rows that can be taken."""

    spool: Spool
    tables: list[Table | None] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    encoding: str = ""
    refused: list[Refused] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    note_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: int = 0
    taken: int = 0
    left: int = 0
    crowds: frozenset[int] = frozenset()
    alike: set[tuple[int, int]] = field(default_factory=set)
    teachers: dict[str, str] = field(default_factory=dict)
    schools: set[str] = field(default_factory=set)
    doubles: Doubles = field(default_factory=Doubles)
    _shared: Marks = field(default_factory=Marks)

    def take(self, vault: Vault, sheet: int, block: Block) -> None:
        self.others += block.others
        self.refused += [one._replace(why=sys.intern(one.why)) for one in block.refused]
        if not block.rows:
            return
        rows = block.rows
        self.spool.add(keys(vault, rows), rows)
        self._shared.add([mark_of(row[_HOUSEHOLD]) for row in rows if row[_HOUSEHOLD]])
        self.doubles.add(str(sheet), rows)
        self.schools.update({row[_SCHOOL] for row in rows})
        self.taken += len(rows)
        self.left += sum([row[_STATE] == "left" for row in rows])

    @cached_property
    def keys(self) -> Marks:
        """The keys of all rows. Of most lists nobody asks for them."""
        found = Marks()
        for some in self.spool.every_key():
            found.add(map(mark_of, some))
        found.sort()
        return found

    def note(self, noted: list[Noted]) -> None:
        for one in noted:
            self.note_counts[one.column, one.what] += 1
        self.notes += noted[: _NOTES - len(self.notes)]
        noted.clear()

    def finish(self) -> None:
        """Find the rows that are one student, and the phones that are no household's."""
        self.crowds = self._shared.often(CROWD + 1)
        self.refused += _again(self)


@contextmanager
def gathered(request: Request, vault: Vault, schools: Schools) -> Iterator[Gathered]:
    """The list, read. Raises FileError when there is no list in the file."""
    with Spool(request.spool) as spool, opened(request.file, request.encoding or None) as book:
        found = Gathered(spool, encoding=book.encoding, unread=[*book.hidden])
        for number, sheet in enumerate(book.sheets):
            table, lines = _table(sheet, request)
            found.tables.append(table)
            if table is None:
                found.unread += [sheet.name] * any(line.cells for line in lines)
                continue
            _read(number, sheet, table, lines, request, vault, schools, found)
        if not any(found.tables):
            raise _no_header(request.file, book)
        found.finish()
        yield found


def _table(sheet: Sheet, request: Request) -> tuple[Table | None, Iterator[Line]]:
    lines = sheet.lines()
    top = list(islice(lines, HEADER_WITHIN))
    columns = roster_columns.find(top)
    if columns is None:
        return None, iter(top)
    rows = [line for line in top if line.number > columns.row]
    rows += islice(lines, _SAMPLE)
    region = request.region or _REGIONS.get(columns.language, "")
    first = request.first or order(_dates(rows, columns), Order.DAY)
    return Table(sheet.name, columns, region, first), chain(rows, lines)


def _dates(rows: Iterable[Line], columns: Columns) -> Iterator[str]:
    for place in columns.places.get("birthday", ()):
        yield from (line.cells[place] for line in rows if place < len(line.cells))


def _read(
    number: int,
    sheet: Sheet,
    table: Table,
    lines: Iterable[Line],
    request: Request,
    vault: Vault,
    schools: Schools,
    found: Gathered,
) -> None:
    reader = Reader(
        vault=vault,
        columns=table.columns,
        sheet=number,
        schools=schools,
        region=table.region,
        today=request.today,
        first=table.first,
        school=request.school,
        from_1904=sheet.from_1904,
        teachers=found.teachers,
    )
    blocks = Blocks(reader)
    for some in batches(lines, _TOGETHER):
        found.take(vault, number, blocks.read(some))
        if reader.noted:
            found.note(reader.noted)


def _again(found: Gathered) -> list[Refused]:
    """Rows that are a student of a row above. Two that only look alike are told apart by their numbers."""
    every = sorted(found.spool.of(found.doubles.rows()), key=lambda entry: entry.where)
    seen: dict[tuple[str, ...], list[Entry]] = {}
    refused = []
    for entry in every:
        before = {one.where: one for said in alike(entry) for one in seen.get(said, ())}
        why = next((why for one in before.values() if (why := _one(one, entry, found.tables))), "")
        if why:
            refused.append(Refused(*entry.where, "", why))
            found.taken -= 1
            found.left -= entry.state == "left"
            continue
        if "birth" in entry.numbers and any(
            entry.numbers["birth"] == one.numbers.get("birth") for one in before.values()
        ):
            found.alike.add(entry.where)
        for said in alike(entry):
            seen.setdefault(said, []).append(entry)
    return refused


def _one(first: Entry, then: Entry, tables: list[Table | None]) -> str:
    """Why two rows are one student; "" when they are two."""
    where = f"row {first.row}"
    if first.sheet != then.sheet and (table := tables[first.where[0]]):
        where += f" of {table.sheet}"
    mine, others = then.numbers, first.numbers
    if mine.get("id") and mine.get("id") == others.get("id"):
        return f"has the ID number of {where}"
    two = differ(mine, others)
    if mine.get("number") and mine.get("number") == others.get("number"):
        return f"has the student number of {where}" + (", but another ID number" if two else "")
    if two or not same_name(first.name, then.name):
        return ""
    if mine.get("birth") and mine.get("birth") == others.get("birth"):
        return f"has the name, birthday and school of {where}: if they are two, write their student numbers"
    if first.birthday and then.birthday and first.birthday != then.birthday:
        return ""
    return f"has the name and phone of {where}: if they are two, write their birthdays"


def differ(mine: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Whether both have an ID number, or both a student number, and not the same."""
    return any(mine.get(kind) and others.get(kind) and mine[kind] != others[kind] for kind in ("id", "number"))


def _no_header(file: Path, book: Book) -> FileError:
    where = "none of its sheets has" if len(book.sheets) > 1 else "it does not have"
    return FileError(
        f"{file} cannot be read as a list of students: {where} a row of headers that are known.",
        "A header names at least the student and one thing more, such as: name, birthday, school. "
        "The words that are known are in fleet/account/roster/words.yaml.",
    )
