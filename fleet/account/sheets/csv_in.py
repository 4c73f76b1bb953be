"""CSV, TSV and what else is text, in the encoding in which it was saved."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import BinaryIO

from fleet.account.sheets.lines import LONGEST_CELL, MOST_COLUMNS, Book, Line, Sheet
from fleet.errors import FileError

_CHUNK = 1 << 20
_SAMPLE = 1 << 18
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_RUN = re.compile(rb"[\x80-\xff]+")
_DELIMITERS = (",", "\t", ";", "|")
_MOST_LINES_IN_CELL = 20
_TOGETHER = 1000
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n?\Z', re.IGNORECASE)


@contextmanager
def table(file: Path, encoding: str | None) -> Iterator[Book]:
    """The one sheet of a text file. Raises FileError when it is no text, or there is no such encoding."""
    with file.open("rb") as stream:
        found = _named(encoding) if encoding else _guessed(stream, file)
        lines = partial(_lines, stream, found)
        yield Book((Sheet("", lines),), found)


def _named(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, TypeError):
        raise FileError(
            f"There is no encoding {encoding!r}.", "Usual ones are utf-8, utf-16, gb18030 and windows-1258."
        ) from None
    return name


def _guessed(stream: BinaryIO, file: Path) -> str:
    stream.seek(0)
    start = stream.read(_SAMPLE)
    for bom, name in _BOMS:
        if start.startswith(bom):
            return name
    if zeros := start.count(0):
        return _sixteen(start, zeros, file)
    good, bad = _utf8(stream)
    if good >= 10 * bad:
        return "utf-8"
    runs = _RUN.findall(_some_high(stream))
    odd = sum(len(run) % 2 for run in runs)
    # Chinese comes in pairs of such bytes; in Vietnamese one stands alone more often than not.
    return "cp1258" if odd > 0.15 * len(runs) else "gb18030"


def _sixteen(start: bytes, zeros: int, file: Path) -> str:
    """UTF-16 without a mark: the zeros of its commas and line ends are all on one side."""
    for name, side in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if side.count(0) > 0.95 * zeros and ("\n".encode(name) in start or "\r".encode(name) in start):
            return name
    raise FileError(f"{file} is no text and no spreadsheet.", "Name a CSV or XLSX file.")


def _utf8(stream: BinaryIO) -> tuple[int, int]:
    """How many letters beyond ASCII are UTF-8, and how many bytes are not, in the whole file."""
    good = bad = 0

    def count(error: UnicodeError) -> tuple[str, int]:
        nonlocal bad
        assert isinstance(error, UnicodeDecodeError)
        bad += 1
        return "", error.end

    codecs.register_error("fleet.count", count)
    decoder = codecs.getincrementaldecoder("utf-8")("fleet.count")
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        text = decoder.decode(chunk)
        if not text.isascii():
            good += sum(map(len, _NOT_ASCII.findall(text[:_SAMPLE])))
    decoder.decode(b"", final=True)
    return good, bad


_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def _some_high(stream: BinaryIO) -> bytes:
    """The first part of the file that has bytes beyond ASCII."""
    stream.seek(0)
    while chunk := stream.read(_SAMPLE):
        if not chunk.isascii():
            return chunk
    return b""


def _lines(stream: BinaryIO, encoding: str) -> Iterator[Line]:
    damage = _Damage()
    codecs.register_error("fleet.damage", damage)
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding, "fleet.damage", newline="")
    try:
        yield from _records(text, damage)
    finally:
        text.detach()


class _Damage:
    """Bytes that are no letters become U+FFFD; that there were any is noted, as looking for it costs time."""

    seen = False

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        self.seen = True
        return "\ufffd", error.end


def _records(text: io.TextIOWrapper, damage: _Damage) -> Iterator[Line]:
    delimiter = _delimiter([text.readline(_CHUNK) for _ in range(50)])
    text.seek(0)
    # A line of a gigabyte is read in pieces: what is no table must not fill the memory.
    rows = csv.reader(iter(partial(text.readline, _CHUNK), ""), delimiter=delimiter)
    first = 1
    while True:
        some: list[list[str]] = []
        why, read = "", rows.line_num
        try:
            some += islice(rows, _TOGETHER)
        except csv.Error:
            why = f"has a cell of more than {LONGEST_CELL} characters: is a quote not closed?"
        if first == 1 and some and len(some[0]) <= 2 and _SEPARATOR_LINE.match(delimiter.join(some[0])):
            some[0] = []
        plain = rows.line_num - read == len(some) and not damage.seen and _is_plain(some)
        yield from map(Line, count(first), some) if plain else _looked_at(first, some, damage)
        first += len(some)
        if why:
            yield Line(first, [], why)
            first += 1
        elif len(some) < _TOGETHER:
            return


def _is_plain(some: list[list[str]]) -> bool:
    """Whether rows, each of one line of the file, are as almost all are; asked of many at once, as that is quick."""
    lengths = set(map(len, some))
    return bool(lengths) and 0 not in lengths and max(lengths) <= MOST_COLUMNS and _longest(some) <= LONGEST_CELL


def _longest(some: list[list[str]]) -> int:
    return max(map(len, chain.from_iterable(some)))


def _looked_at(first: int, some: list[list[str]], damage: _Damage) -> Iterator[Line]:
    for number, cells in enumerate(some, first):
        if not cells:
            continue
        if max(map(len, cells)) > _MOST_LINES_IN_CELL and (why := _too_large(cells)):
            yield Line(number, [], why)
        elif damage.seen and any("\ufffd" in cell for cell in cells):
            yield Line(number, cells, "holds bytes that are no letters in the encoding of the file")
        else:
            yield Line(number, cells[:MOST_COLUMNS])


def _too_large(cells: list[str]) -> str:
    longest = max(cells, key=len)
    if len(longest) > LONGEST_CELL:
        return f"has a cell of {len(longest)} characters: is a quote not closed?"
    if (lines := longest.count("\n") + 1) > _MOST_LINES_IN_CELL:
        return f"has a cell of {lines} lines: is a quote not closed?"
    return ""


def _delimiter(start: list[str]) -> str:
    """The one that stands in most lines the same number of times; of two such the one that comes first."""
    if start and (said := _SEPARATOR_LINE.match(start[0])):
        return said[1]
    lines = [re.sub(r'"[^"]*"', "", line) for line in start if line.strip()]

    def fits(delimiter: str) -> tuple[int, int, int]:
        counts = Counter(line.count(delimiter) for line in lines)
        del counts[0]
        most = max(counts, key=lambda number: (counts[number] * number, number), default=0)
        first = next((number for number, line in enumerate(lines) if delimiter in line), len(lines))
        return counts[most], -first, most

    return max(_DELIMITERS, key=fits)
