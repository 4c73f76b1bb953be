"""What a spreadsheet is to who reads it: sheets of numbered rows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LONGEST_CELL = 32_767
"""Characters, as in Excel. What is longer is not one cell but a slip: a quote that is not closed, say."""

MOST_COLUMNS = 256


class Line(NamedTuple):
    """``number`` as the spreadsheet program shows it. ``broken`` says why the row cannot be read ("" it can)."""

    number: int
    cells: list[str]
    broken: str = ""


@dataclass(frozen=True)
class Sheet:
    """``lines()`` reads it from its start, each time anew; rows without anything in them may be left out.

    ``from_1904``: days are counted from 1904-01-01 instead of 1899-12-30.
    """

    name: str
    lines: Callable[[], Iterator[Line]]
    from_1904: bool = False


@dataclass(frozen=True)
class Book:
    """``encoding`` of a CSV file ("" otherwise); ``hidden`` are the names of sheets that are not read."""

    sheets: tuple[Sheet, ...]
    encoding: str = ""
    hidden: tuple[str, ...] = ()
