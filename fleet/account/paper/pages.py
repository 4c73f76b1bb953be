"""A PDF with texts in several scripts, and QR codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from fpdf import FPDF

from fleet.account.paper.fonts import Fonts

_MARGIN = 4
"""Modules of white around a QR code, as its standard asks for."""

_OVERLAP = 1.03
"""Rows of a code reach into the next one: between two that only touch, printers leave a fine white line."""

_POINT = 25.4 / 72
"""Millimetres of a point."""


@dataclass(frozen=True)
class Box:
    """A place on a page, in millimetres."""

    x: float
    y: float
    width: float
    height: float


class Pages:
    """Pages of one size (millimetres). ``at`` is the time that the file says it was made."""

    def __init__(self, size: tuple[float, float], fonts: Fonts, at: datetime) -> None:
        wide = size[0] > size[1]
        self._pdf = FPDF(orientation="landscape" if wide else "portrait", unit="mm", format=(min(size), max(size)))
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_margin(0)
        self._pdf.set_creation_date(at)
        names = [f"font{number}" for number, _ in enumerate(fonts.files)]
        for name, file in zip(names, fonts.files, strict=True):
            self._pdf.add_font(name, fname=file)
        self._pdf.set_fallback_fonts(names[1:])
        self._name = names[0]

    def turn(self) -> None:
        """A new page."""
        self._pdf.add_page()

    def text(self, box: Box, text: str, points: float, *, align: str = "L") -> None:
        """One line, made smaller until it fits, down to 4 points; what still does not fit ends with …"""
        while points > 4 and self._width(text, points) > box.width:
            points -= 0.5
        while len(text) > 1 and self._width(text, points) > box.width:
            text = text[:-2].rstrip() + "…"
        self._pdf.set_font(self._name, size=points)
        self._pdf.set_xy(box.x, box.y)
        self._pdf.cell(box.width, box.height, text, align=align)

    def frame(self, box: Box) -> None:
        self._pdf.set_line_width(0.15)
        self._pdf.rect(box.x, box.y, box.width, box.height)

    def code(self, box: Box, text: str) -> None:
        """A QR code as large as fits into ``box``, its white margin included."""
        import segno

        rows = segno.make(text, error="m", micro=False).matrix
        module = min(box.width, box.height) / (len(rows) + 2 * _MARGIN)
        self._pdf.set_fill_color(0)
        for y, row in enumerate(rows):
            for x, length in _dark(row):
                corner = box.x + (x + _MARGIN) * module, box.y + (y + _MARGIN) * module
                self._pdf.rect(*corner, length * module, module * _OVERLAP, style="F")

    def data(self) -> bytes:
        return bytes(self._pdf.output())

    def _width(self, text: str, points: float) -> float:
        self._pdf.set_font(self._name, size=points)
        return float(self._pdf.get_string_width(text))


def _dark(row: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Where dark modules begin in a row, and how many follow one another."""
    at = 0
    for dark, run in groupby(row):
        length = sum(1 for _ in run)
        if dark:
            yield at, length
        at += length


def line_height(points: float) -> float:
    """Millimetres from one line to the next."""
    return points * _POINT * 1.25
