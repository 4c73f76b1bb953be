"""The rows of a list that were refused, as a CSV file that can be corrected and imported again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fleet.account.roster.entries import Refused
from fleet.account.roster.read import Gathered
from fleet.account.sheets.books import opened
from fleet.errors import FileError

_ABOUT = ("why", "row")
"""These two columns are not read when the file comes back."""


def write(file: Path, source: Path, encoding: str, found: Gathered, refused: Sequence[Refused]) -> None:
    """Write the refused rows of ``source`` to ``file``, under the plain names of the columns. Raises FileError."""
    whats = tuple(dict.fromkeys(what for table in found.tables if table for what in table.columns.places))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((*_ABOUT, *whats))
    for row in _rows(source, encoding, found, refused, whats):
        writer.writerow([_harmless(cell) for cell in row])
    try:
        file.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise FileError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from error


def _rows(
    source: Path, encoding: str, found: Gathered, refused: Iterable[Refused], whats: tuple[str, ...]
) -> Iterator[list[str]]:
    why = {one[:2]: f"{one.column} {one.why}".strip() for one in refused}
    with opened(source, encoding or None) as book:
        for number, sheet in enumerate(book.sheets):
            table = found.tables[number]
            if table is None:
                continue
            for line in sheet.lines():
                if reason := why.get((number, line.number)):
                    cells = [_joined(line.cells, table.columns.places.get(what, ())) for what in whats]
                    yield [reason, f"{table.sheet} {line.number}".strip(), *cells]


def _joined(cells: list[str], places: tuple[int, ...]) -> str:
    return " / ".join(cells[place].strip() for place in places if place < len(cells) and cells[place].strip())


def _harmless(cell: str) -> str:
    """Nothing that a spreadsheet program would take for a formula. Reading takes the mark off again."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
