"""Files that go out: tables whose cells no spreadsheet program runs or rounds."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from fleet.account.sheets import csv_out
from fleet.errors import FileError


def write(file: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A file of its own, CSV or XLSX by its name, whole or not at all. FileError when it is there already."""
    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise FileError(f"{file} is neither .csv nor .xlsx.", "End its name so; .xlsx keeps long numbers whole.")
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        try:
            (_write_xlsx if file.suffix.lower() == ".xlsx" else _write_csv)(beside, headings, rows)
            os.link(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        raise FileError(f"{file} is there already.", "Name another file: that one may have been sent.") from None
    except OSError as error:
        raise FileError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from error


def _write_csv(file: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        csv_out.write(stream, headings, rows)


def _write_xlsx(file: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("SIM")
    for row in (headings, *rows):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value="" if value is None else str(value))
            cell.data_type, cell.number_format = "s", "@"
            cells.append(cell)
        sheet.append(cells)
    book.save(file)
