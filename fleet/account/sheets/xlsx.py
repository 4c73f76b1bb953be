"""XLSX, read as a stream: the parts of the file that say something, and nothing that could be run.

Only numbers, texts and the last values of formulas are read. What a zip or an XML file can do to its reader (parts that
unpack to many gigabytes, entities that grow) is refused.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from xml.parsers import expat

from fleet.account.sheets.lines import Book, Line, Sheet
from fleet.account.sheets.xlsx_parts import Cells, Refused, Strings, elements
from fleet.errors import FileError

_CHUNK = 1 << 18
_MOST_BYTES = 4 << 30
_MOST_RATIO, _HARMLESS = 500, 64 << 20
_MOST_MERGED = 200_000
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*ref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"')
_DAMAGED = "Open it in a spreadsheet program, save it again as .xlsx, and name that file."


@contextmanager
def workbook(file: Path) -> Iterator[Book]:
    """The sheets of an XLSX file that are not hidden. Raises FileError."""
    try:
        with zipfile.ZipFile(file) as archive:
            with _told(file):
                book = _book(archive)
            yield Book(tuple(_guarded(sheet, file) for sheet in book.sheets), hidden=book.hidden)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FileError(f"{file} is damaged, or no spreadsheet.", _DAMAGED) from error


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise FileError(f"{file} {error}.", _DAMAGED) from error
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise FileError(f"{file} is damaged, or no spreadsheet.", _DAMAGED) from error
    except NotImplementedError as error:
        raise FileError(f"{file} is packed in a way that is not known here.", _DAMAGED) from error


def _guarded(sheet: Sheet, file: Path) -> Sheet:
    def lines() -> Iterator[Line]:
        with _told(file):
            yield from sheet.lines()

    return Sheet(sheet.name, lines, sheet.from_1904)


def _book(archive: zipfile.ZipFile) -> Book:
    root = dict(_relations(archive, "_rels/.rels", ""))
    start = next((part for part in root.values() if part.endswith("workbook.xml")), "xl/workbook.xml")
    folder, name = posixpath.split(start)
    parts = dict(_relations(archive, f"{folder}/_rels/{name}.rels", folder))
    strings = Strings()
    for part in parts.values():
        if part.endswith("sharedStrings.xml"):
            strings.read(_chunks(archive, part))
    sheets, hidden, from_1904 = [], [], False
    for tag, attributes in elements(_chunks(archive, start)):
        if tag == "workbookPr":
            from_1904 = attributes.get("date1904") in {"1", "true"}
        elif tag == "sheet":
            part = parts.get(attributes.get("r:id") or attributes.get("relationships:id") or "", "")
            if attributes.get("state", "visible") != "visible":
                hidden.append(attributes.get("name", ""))
            elif "worksheets/" in part:
                sheets.append((attributes.get("name", ""), part))
    made = tuple(Sheet(name, partial(_lines, archive, part, strings), from_1904) for name, part in sheets)
    if not made:
        raise Refused("has no sheet that can be seen")
    return Book(made, hidden=tuple(hidden))


def _relations(archive: zipfile.ZipFile, part: str, folder: str) -> Iterator[tuple[str, str]]:
    """Which part of the file an id stands for."""
    for tag, attributes in elements(_chunks(archive, part)):
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes["Target"]
            path = target[1:] if target.startswith("/") else posixpath.join(folder, target)
            yield attributes["Id"], posixpath.normpath(path)


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """A part of the file, unpacked. Refused when it would never end."""
    about = archive.getinfo(part)
    if about.file_size > _MOST_BYTES or (
        about.file_size > _HARMLESS and about.file_size > _MOST_RATIO * about.compress_size
    ):
        raise Refused(f"holds a part that unpacks to {about.file_size >> 20} MB: that is no list")
    with archive.open(about) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _lines(archive: zipfile.ZipFile, part: str, strings: Strings) -> Iterator[Line]:
    merged = _merged(archive, part)
    if not merged:
        yield from Cells(strings).lines(_chunks(archive, part))
        return
    still: dict[int, tuple[int, str]] = {}
    for line in Cells(strings).lines(_chunks(archive, part)):
        for column, (last, value) in list(still.items()):
            if line.number > last:
                del still[column]
            elif column < len(line.cells) and not line.cells[column]:
                line.cells[column] = value
            elif column >= len(line.cells):
                line.cells.extend([""] * (column - len(line.cells)) + [value])
        for column, last in merged.get(line.number, ()):
            if column < len(line.cells):
                still[column] = (last, line.cells[column])
        yield line


def _merged(archive: zipfile.ZipFile, part: str) -> dict[int, list[tuple[int, int]]]:
    """Cells that reach down over several rows, by their first row: column and last row. They stand after the data."""
    tail, found = b"", False
    for chunk in _chunks(archive, part):
        tail = tail + chunk if found else tail[-32:] + chunk
        if not found and (at := tail.find(b"sheetData>")) >= 0 and b"/" in tail[max(0, at - 8) : at]:
            tail, found = tail[at:], True
        if len(tail) > 64 * _MOST_MERGED:
            break
    cells: dict[int, list[tuple[int, int]]] = {}
    for letters, first, last in _MERGED.findall(tail):
        if int(last) > int(first):
            cells.setdefault(int(first), []).append((_column(letters), int(last)))
    return cells


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
