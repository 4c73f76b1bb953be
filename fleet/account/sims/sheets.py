"""Operators' files, row by row by the names of their columns, whatever they are called there: sim_words.yaml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fleet.account.sheets import books as spreadsheets
from fleet.account.sheets.lines import Sheet
from fleet.errors import FileError
from profiles.once import once
from provision.text import printable

WORDS = Path(__file__).with_name("words.yaml")
_TITLES = 30
"""Rows above the headings that are looked at."""

_SHOWN = 8

_BRACKETS = re.compile(r"(?i)[(（\[【](?!(?:bytes?|[mg]b)[)）\]】])[^)）\]】]*[)）\]】]")
_NOT_WORDS = re.compile(r"[\W_]+")

Columns = Sequence[str | tuple[str, ...]]


@dataclass(frozen=True)
class Row:
    """A row of a file: ``number`` as the spreadsheet program shows it. ``broken``: why it cannot be read."""

    number: int
    cells: Mapping[str, str]
    broken: str = ""

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Refused:
    """A row that was not taken over, and why, as the end of a sentence. ``what`` is the value that names it."""

    row: int
    what: str
    why: str


@contextmanager
def rows(
    file: Path,
    needed: Columns,
    wanted: Sequence[str] = (),
    encoding: str | None = None,
    unread: list[str] | None = None,
) -> Iterator[Iterator[Row]]:
    """The rows below the headings. ``needed``: columns that must be there, or one of several; ``wanted`` may be.
    Headings that say nothing known are added to ``unread``.

    Raises FileError when the file cannot be read or has no such headings.
    """
    with spreadsheets.opened(file, encoding) as book:
        for sheet in book.sheets:
            if found := _headings(sheet, needed, wanted):
                if unread is not None:
                    unread += [
                        cell.strip() for at, cell in enumerate(found.cells) if cell.strip() and at not in found.columns
                    ]
                yield _below(sheet, found.line, found.columns)
                return
        titles = next((_words_of(sheet) for sheet in book.sheets if _words_of(sheet)), "nothing")
        raise FileError(
            f"{file} has no row with the headings {_listed(needed)}: it begins with {titles}.",
            f"Its first {_TITLES} rows were looked at; the words for headings are in fleet/account/sims/{WORDS.name}.",
        )


def _words_of(sheet: Sheet) -> str:
    """What stands in the row of the first ones that has most in it: its headings, most likely."""
    rows = [[cell.strip() for cell in line.cells if cell.strip()] for line in islice(sheet.lines(), _TITLES)]
    return printable(", ".join(max(rows, key=len, default=[])[:_SHOWN]))


def status_of(word: str) -> str:
    """The status that an operator's word means; "" when it means none."""
    return _statuses().get(folded(word), "")


def folded(text: str) -> str:
    """``text`` as headings and answers are compared."""
    plain = unicodedata.normalize("NFKD", _BRACKETS.sub(" ", text)).casefold().replace("đ", "d")
    return _NOT_WORDS.sub("", "".join(c for c in plain if not unicodedata.combining(c)))


def _below(sheet: Sheet, heading: int, columns: Mapping[int, str]) -> Iterator[Row]:
    for line in sheet.lines():
        if line.number <= heading:
            continue
        cells = {name: line.cells[at].strip() for at, name in columns.items() if at < len(line.cells)}
        if line.broken or any(cells.values()):
            yield Row(line.number, cells, line.broken)


@dataclass(frozen=True)
class _Heading:
    """``columns``: which cell is which column."""

    line: int
    cells: Sequence[str]
    columns: Mapping[int, str]


def _headings(sheet: Sheet, needed: Columns, wanted: Sequence[str]) -> _Heading | None:
    """The row of the headings, and which column is which: the leftmost of two that are called alike."""
    known = _columns()
    names = {name for one in needed for name in (one if isinstance(one, tuple) else (one,))} | set(wanted)
    for line in islice(sheet.lines(), _TITLES):
        columns: dict[int, str] = {}
        for at, cell in enumerate(line.cells):
            meant = next((name for name in known.get(folded(cell), ()) if name in names), "")
            if meant and meant not in columns.values():
                columns[at] = meant
        if _all_there(needed, set(columns.values())):
            return _Heading(line.number, line.cells, columns)
    return None


def _all_there(needed: Columns, found: set[str]) -> bool:
    return all(found & set(one if isinstance(one, tuple) else (one,)) for one in needed)


def _listed(needed: Columns) -> str:
    return ", ".join(" or ".join(one) if isinstance(one, tuple) else one for one in needed)


@once
def _words() -> dict[str, dict[str, list[str]]]:
    import yaml

    found: dict[str, dict[str, list[str]]] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return found


@once
def _columns() -> dict[str, tuple[str, ...]]:
    """A heading, and what it may mean: "data" is a quota in a list of SIMs only."""
    found: dict[str, tuple[str, ...]] = {}
    for name, words in _words()["columns"].items():
        for word in (name, *words):
            found[folded(word)] = (*found.get(folded(word), ()), name)
    return found


@once
def _statuses() -> dict[str, str]:
    return {folded(word): name for name, words in _words()["statuses"].items() for word in (name, *words)}
