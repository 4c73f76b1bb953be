"""A donor's list as a spreadsheet: where its columns are, and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from fleet.account.custody.receive_rows import Listed
from fleet.account.sheets.books import opened
from fleet.account.sheets.lines import Line, Sheet
from fleet.errors import FileError
from profiles.once import once
from provision.text import printable

COLUMNS = Path(__file__).with_name("receive_columns.yaml")
_HEAD = 30
"""Rows among which the row of headings is looked for."""

_WORDS = ("total", "sum", "合计", "总计", "tổng", "tổng cộng", "cộng")


def read(file: Path, encoding: str | None = None) -> list[Listed]:
    """The rows of the list in ``file``: its first sheet with a column of serial numbers. FileError: none has."""
    with opened(file, encoding) as book:
        for sheet in book.sheets:
            if head := _head(sheet):
                return _rows(sheet, *head)
    raise FileError(
        f"{printable(str(file))} has no column of serial numbers.",
        'Write "Serial" above it, and beside it, where known, IMEI, Maker, Model and Tag.',
    )


@once
def _names() -> Mapping[str, str]:
    import yaml

    found = yaml.safe_load(COLUMNS.read_text(encoding="utf-8"))
    return {_plain(name): column for column, names in found.items() for name in names}


def _plain(heading: str) -> str:
    return " ".join(heading.replace("_", " ").casefold().split()).strip(" :：*")


def _head(sheet: Sheet) -> tuple[Line, Mapping[str, int]] | None:
    """The row of headings, and the number of each column that is ours."""
    for line in islice(sheet.lines(), _HEAD):
        columns: dict[str, int] = {}
        for number, heading in enumerate(line.cells):
            if name := _names().get(_plain(heading)):
                columns.setdefault(name, number)
        if "serial" in columns:
            return line, columns
    return None


def _rows(sheet: Sheet, head: Line, columns: Mapping[str, int]) -> list[Listed]:
    rows = []
    for line in sheet.lines():
        if line.number <= head.number:
            continue
        values = {name: _cell(line, number) for name, number in columns.items()}
        if line.broken or _is_row(line, values):
            rows.append(Listed(line.number, **values, broken=line.broken))
    return rows


def _cell(line: Line, number: int) -> str:
    return line.cells[number].strip() if number < len(line.cells) else ""


def _is_row(line: Line, values: Mapping[str, str]) -> bool:
    """Empty rows, and the totals below a list, are none."""
    if not any(values.values()):
        return False
    first = next((cell for cell in line.cells if cell.strip()), "")
    return _plain(first) not in _WORDS
