"""Rows as almost all are, a thousand at once: column by column, each different cell looked at but once.

A row of which any cell is not plain is left to :class:`Reader`, which says what is wrong with it. Both come to the same
for every row that is read here; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fleet.account.people import identifiers
from fleet.account.people.dates import birthday
from fleet.account.people.identifiers import Unusable, loose, spelled
from fleet.account.people.phones import phones, usual
from fleet.account.roster.entries import Flat, Refused, Row
from fleet.account.roster.rows import LONGEST, Reader, category, class_of, connection, grade, household_of, status
from fleet.account.sheets.lines import Line

K = TypeVar("K")
V = TypeVar("V")
_REMEMBERED = 50_000
"""Different cells of a column; of names there are more, but most rows have one of those that are frequent."""

_ID_DIGITS = 12


@dataclass
class Block:
    """``others`` counts rows that are no students."""

    rows: list[Flat] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    others: int = 0

    def take(self, found: Row | Refused | None) -> None:
        if found is None:
            self.others += 1
        elif isinstance(found, Row):
            self.rows.append(found)
        else:
            self.refused.append(found)


class Blocks:
    """Reads the rows of the sheet of ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._titles = {title for title in reader.columns.header if title}
        self._names = _Seen(self._name)
        self._pairs = _Seen(self._pair)
        self._compared = _Seen(loose)
        self._births = _Seen(self._birth)
        self._phones = _Seen(_said(lambda text: " ".join(phones(text, reader.region))))
        self._nationals = _Seen(_said(lambda text: identifiers.national_id(text, reader.region)))
        self._numbers = _Seen(_said(identifiers.school_number))
        self._texts = _Seen(_said(spelled))
        self._addresses = _Seen(_said(spelled))
        self._classes = _Seen(_said(class_of))
        self._grades: _Seen[tuple[str, str | None], str] = _Seen(lambda pair: grade(_plain(pair[0]) or pair[1] or ""))
        self._categories = _Seen(_said(category))
        self._connections = _Seen(_said(_understood(connection)))
        self._states = _Seen(_said(_understood(status)))
        self._schools = _Seen(self._school)
        self._teachers: _Seen[tuple[Any, Any], str] = _Seen(lambda pair: reader.teacher(*pair))
        self._households: _Seen[tuple[Any, Any], Any] = _Seen(lambda pair: household_of(*pair))

    def read(self, lines: Sequence[Line]) -> Block:
        """What some lines say, as if they were read one by one: schools are made in the order of lines, too."""
        columns = self._early(lines)
        doubtful = {at for column in columns if None in column for at, cell in enumerate(column) if cell is None}
        found, begin = Block(), 0
        for end in (*sorted(doubtful), len(lines)):
            if begin < end:
                some = columns if end - begin == len(lines) else [column[begin:end] for column in columns]
                self._rows(some, lines[begin:end], found)
            if end < len(lines):
                found.take(self._reader.read(lines[end]))
            begin = end + 1
        return found

    def _early(self, lines: Sequence[Line]) -> list[Sequence[Any]]:
        """All but what depends on the school; ``None`` in place of what is not plain."""
        cells = _Cells(self._reader.columns.places, lines)
        of, each = cells.of, cells.each
        names = self._all_names(cells)
        nationals = self._all_nationals(of("national_id"))
        births = self._all_births(each("birthday", self._births), nationals)
        numbers = each("number", self._numbers)
        known = [
            None if line.broken else national or number or born or None
            for line, national, number, born in zip(lines, nationals, numbers, births, strict=True)
        ]
        classes = each("class_name", self._classes)
        return [
            known,
            *([str(line.number) for line in lines], names, births, self._all_phones(of("phone"))),
            *(each("guardian", self._texts), each("address", self._addresses), each("number", self._texts)),
            *(nationals, numbers, each("area", self._texts), of("school"), of("school_code"), classes),
            [*map(self._grades.__getitem__, zip(of("grade"), classes, strict=True))],
            *(each("category", self._categories), each("connection", self._connections), each("status", self._states)),
            *(each("teacher", self._texts), each("household", self._texts)),
        ]

    def _rows(self, columns: Sequence[Sequence[Any]], lines: Sequence[Line], found: Block) -> None:
        _, rows, names, births, numbers, guardians, addresses, typed, nationals, compared, *rest = columns
        areas, school_cells, codes, classes, grades, categories, connections, states, teacher_cells, homes = rest
        asked = zip(school_cells, codes, areas, strict=True)
        schools = (
            [self._reader.school] * len(lines) if self._reader.school else [*map(self._schools.__getitem__, asked)]
        )
        if None in schools:
            known = [index for index, school in enumerate(schools) if school is not None]
            for index, school in enumerate(schools):
                if school is None:
                    found.take(self._reader.read(lines[index]))
            self._rows([[column[index] for index in known] for column in columns], [lines[i] for i in known], found)
            return
        teachers = map(self._teachers.__getitem__, zip(schools, teacher_cells, strict=True))
        shared = [phones.partition(" ")[0] if " " in phones else phones for phones in numbers]
        if "household" in self._reader.columns.places:
            told = zip(areas, schools, homes, shared, strict=True)
            shared = [self._households[area or school, home] if home else phone for area, school, home, phone in told]
        plain = map(self._compared.__getitem__, names)
        sheets = [str(self._reader.sheet)] * len(lines)
        person = (names, births, numbers, guardians, addresses, typed)
        said = (schools, areas, grades, classes, categories, connections, teachers, states)
        found.rows += zip(sheets, rows, *person, plain, nationals, compared, *said, shared, strict=True)

    def _all_names(self, cells: _Cells) -> Sequence[str | None]:
        if "name" in self._reader.columns.places:
            return cells.each("name", self._names)
        pairs = zip(cells.of("family_name"), cells.of("given_name"), strict=True)
        return [*map(self._pairs.__getitem__, pairs)]

    def _all_nationals(self, cells: Sequence[str]) -> list[str | None]:
        """Most are all digits, and no two are the same: not remembered."""
        if self._reader.region != "VN":
            return [*map(self._nationals.__getitem__, cells)]
        seen = self._nationals
        return [
            text if len(text) == _ID_DIGITS and text[0] == "0" and text.isascii() and text.isdigit() else seen[text]
            for text in cells
        ]

    def _all_births(self, said: Sequence[str | None], nationals: Sequence[str | None]) -> Sequence[str | None]:
        """Where the number of the identity card says the birthday, too, they have to agree."""
        if self._reader.region != "CN":
            return said
        known = [identifiers.born(national or "", "CN") for national in nationals]
        return [
            (by_number or text) if (text is not None and by_number.startswith(text)) or not by_number else None
            for text, by_number in zip(said, known, strict=True)
        ]

    def _all_phones(self, cells: Sequence[str]) -> list[str | None]:
        if not self._reader.region:
            return [*map(self._phones.__getitem__, cells)]
        match, country = usual(self._reader.region)
        seen = self._phones
        return [country + found[1] if (found := match(text)) else seen[text] for text in cells]

    def _name(self, text: str) -> str:
        kept = identifiers.name(_plain(text))
        if kept in self._titles:
            raise Unusable("may be the header once more")
        return kept

    def _pair(self, pair: tuple[str, str]) -> str:
        family, given = _plain(pair[0]), _plain(pair[1])
        if not (family and given) or spelled(family) in self._titles:
            raise Unusable("is missing, or may be the header once more")
        return identifiers.name(f"{family} {given}")

    def _birth(self, text: str) -> str:
        said, reader = _plain(text), self._reader
        return birthday(said, reader.first, reader.today, from_1904=reader.from_1904) if said else ""

    def _school(self, asked: tuple[str, str, str]) -> str:
        name, code = _plain(asked[0]), _plain(asked[1])
        if not (name or code):
            raise Unusable("is missing")
        return self._reader.schools.code(name, code, asked[2])


class _Seen(dict[K, V | None]):
    """What was made of cells that were seen; ``None`` of one that is not plain. It is asked by ``[]`` alone."""

    def __init__(self, read: Callable[[K], V]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: K) -> V | None:
        try:
            found: V | None = self._read(cell)
        except Unusable:
            found = None
        if len(self) >= _REMEMBERED:
            self.clear()
        self[cell] = found
        return found


class _Cells:
    """The cells of some lines by what they are; "" where a line ends before."""

    def __init__(self, places: Mapping[str, tuple[int, ...]], lines: Sequence[Line]) -> None:
        rows = [line.cells for line in lines]
        width = max(map(len, rows))
        if min(map(len, rows)) < width:
            rows = [row + [""] * (width - len(row)) for row in rows]
        self._columns = list(zip(*rows, strict=True))
        self._places: Mapping[str, tuple[int, ...]] = places
        self._none = ("",) * len(lines)

    def of(self, what: str) -> Sequence[str]:
        found = [self._columns[place] for place in self._places.get(what, ()) if place < len(self._columns)]
        if len(found) > 1:
            return [
                " / ".join([said for text in texts if (said := text.strip())]) for texts in zip(*found, strict=True)
            ]
        return found[0] if found else self._none

    def each(self, what: str, seen: _Seen[str, Any]) -> Sequence[Any]:
        """What is made of each; of a column that is not there nothing is."""
        return [*map(seen.__getitem__, self.of(what))] if what in self._places else self._none


def _plain(text: str) -> str:
    """A cell that is neither a formula nor an error. Unusable."""
    text = text.strip()
    if text and (text[0] in "=#" or len(text) > LONGEST):
        raise Unusable("is not plain")
    return text


def _said(read: Callable[[str], str]) -> Callable[[str], str]:
    """``read`` of a cell that says something; else ""."""

    def found(text: str) -> str:
        said = _plain(text)
        return read(said) if said else ""

    return found


def _understood(meaning: Callable[[str], str]) -> Callable[[str], str]:
    """Of a column whose words are all known."""

    def found(text: str) -> str:
        if not (word := meaning(text)):
            raise Unusable("is not understood")
        return word

    return found
