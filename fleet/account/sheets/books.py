"""Spreadsheets as they come in, CSV or XLSX, row by row: a million rows need no more memory than a few.

Cells are text: of a number all digits that the file has, of a formula the value that was last computed; nothing is ever
run. What a row means is for the reader of the list to say, and so is what a date is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.account.sheets.lines import Book
from fleet.errors import FileError

_ZIP, _OLE, _PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
_SAVE = "Open it in a spreadsheet program and save it as .xlsx or as CSV."


@contextmanager
def opened(file: Path, encoding: str | None = None) -> Iterator[Book]:
    """The sheets of a file. ``encoding``: of a CSV file, when it was guessed wrong. Raises FileError."""
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}.", "Check its name and who may read it.") from error
    if start.startswith(_OLE):
        raise FileError(f"{file} is an old Excel file, or one with a password.", _SAVE)
    if start.startswith(_PDF) or start.startswith(_PICTURES):
        raise FileError(
            f"{file} is a picture or a PDF, not a spreadsheet.", "Ask for the spreadsheet it was made from."
        )
    if start.startswith(_ZIP):
        from fleet.account.sheets.xlsx import workbook

        with workbook(file) as book:
            yield book
    else:
        from fleet.account.sheets.csv_in import table

        with table(file, encoding) as book:
            yield book
