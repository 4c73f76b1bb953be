"""The register of a hand-over: a line and a code for every student of a class, kit by piece, a place to sign."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from fleet.account.custody import places
from fleet.account.paper.fonts import Fonts
from fleet.account.paper.pages import Box, Pages
from fleet.account.paper.words import Words
from fleet.account.people.pseudonyms import shown
from fleet.account.people.vault import the_vault
from fleet.db import snapshot, transaction
from fleet.errors import AccountError
from fleet.models import custody, students, units
from fleet.units import Registry
from provision.text import printable

_PAGE = (297.0, 210.0)
_EDGE = 10.0
_TOP = 32.0
_ROW = 18.0
_HEAD = 9.0
_FOOT = 16.0
_WIDTHS = (9.0, 18.0, 56.0, 44.0, 66.0, 24.0, 30.0, 30.0)
"""Millimetres: number, code, student, device, kit, condition, taken by, signature."""


@dataclass(frozen=True)
class Line:
    """One student and the unit that is meant for them. ``name`` is "" where the vault has none."""

    student: str
    name: str
    tag: str
    device: str


@dataclass(frozen=True)
class Register:
    """What is printed at the head and the foot, and which pieces have a box to tick."""

    school: str
    group: str
    pieces: tuple[str, ...]
    contact: str


def lines(registry: Registry, school: str, group: str, why: str) -> list[Line]:
    """The students of a class (or grade) of a school who are to be handed a unit, in the order of their units' tags.

    Every name that is read is an event. AccountError when nobody there is assigned one.
    """
    place = the_school(registry, school)
    with transaction(registry.engine) as conn:
        query = (
            select(students.c.student, units.c.tag, units.c.serial, units.c.maker, units.c.model)
            .join_from(students, custody, custody.c.assigned == students.c.student)
            .join(units, units.c.key == custody.c.unit)
            .where(and_(students.c.school == place, students.c.state == "enrolled", custody.c.holder.is_(None)))
            .where(or_(students.c.class_name == group, students.c.grade == group))
            .order_by(units.c.tag, students.c.student)
        )
        rows = conn.execute(query).all()
        if not rows:
            raise AccountError(
                f"No student of {printable(group)} at {place} is assigned a unit that is still to be handed over.",
                "fleet assign --auto assigns units; fleet student find shows classes.",
            )
        vault = the_vault(registry.home, conn)
        found = [(row, vault.open(conn, registry.ledger, row.student, why)) for row in rows]
    return [
        Line(row.student, person.name if person else "", row.tag or row.serial, f"{row.maker} {row.model}".strip())
        for row, person in found
    ]


def the_school(registry: Registry, code: str) -> str:
    """The code of the school as it is kept. AccountError with what may be meant."""
    with snapshot(registry.engine) as conn:
        return places.the(conn, code).place


def pdf(rows: Sequence[Line], register: Register, words: Words, fonts: Fonts, at: datetime) -> bytes:
    """The register, landscape A4. AccountError for a letter that no font has."""
    fonts.check([register.school, register.group, register.contact, *(f"{row.name}{row.device}" for row in rows)])
    each = int((_PAGE[1] - _TOP - _HEAD - _FOOT) // _ROW)
    count = math.ceil(len(rows) / each)
    pages = Pages(_PAGE, fonts, at)
    for page in range(count):
        pages.turn()
        _head(pages, register, words, at)
        _columns(pages, words)
        for number, row in enumerate(rows[page * each : (page + 1) * each]):
            _row(pages, row, page * each + number + 1, _TOP + _HEAD + number * _ROW, register, words)
        _foot(pages, register, words, f"{words.of('page', page=page + 1, pages=count)}  ·  {words.of('private')}")
    return pages.data()


def _head(pages: Pages, register: Register, words: Words, at: datetime) -> None:
    width = _PAGE[0] - 2 * _EDGE
    pages.text(Box(_EDGE, 9, width, 8), words.of("register"), 15)
    told = f"{words.of('school')}: {register.school}    {words.of('class')}: {register.group}"
    pages.text(Box(_EDGE, 18, width, 6), f"{told}    {words.of('date')}: {at.date().isoformat()}", 10)
    pages.text(Box(_EDGE, 24, width, 6), words.of("handed_over_by"), 9)


def _columns(pages: Pages, words: Words) -> None:
    heads = ("number", "", "student", "device", "kit", "condition", "taken_by", "signature")
    x = _EDGE
    for head, width in zip(heads, _WIDTHS, strict=True):
        box = Box(x, _TOP, width, _HEAD)
        pages.frame(box)
        pages.text(Box(x + 1, _TOP, width - 2, _HEAD), words.of(head) if head else "", 7)
        x += width


def _row(pages: Pages, row: Line, number: int, top: float, register: Register, words: Words) -> None:
    x = _EDGE
    cells: list[Box] = []
    for width in _WIDTHS:
        cells.append(Box(x, top, width, _ROW))
        pages.frame(cells[-1])
        x += width
    pages.text(Box(cells[0].x + 1, top, cells[0].width - 2, _ROW), str(number), 8)
    pages.code(cells[1], row.student)
    _two(pages, cells[2], row.name or "________________", shown(row.student))
    _two(pages, cells[3], row.tag, row.device)
    _kit(pages, cells[4], register.pieces, words)


def _two(pages: Pages, cell: Box, large: str, small: str) -> None:
    pages.text(Box(cell.x + 1, cell.y + 2, cell.width - 2, 7), large, 10)
    pages.text(Box(cell.x + 1, cell.y + 9, cell.width - 2, 5), small, 7)


def _kit(pages: Pages, cell: Box, pieces: Sequence[str], words: Words) -> None:
    """A box to tick for each piece, three in a row."""
    for number, piece in enumerate(pieces):
        row, column = divmod(number, 3)
        x, y = cell.x + 2 + column * 21, cell.y + 2 + row * 7
        pages.frame(Box(x, y, 4, 4))
        pages.text(Box(x + 5, y, 16, 4), words.piece(piece), 7)


def _foot(pages: Pages, register: Register, words: Words, last: str) -> None:
    width = _PAGE[0] - 2 * _EDGE
    if register.contact:
        pages.text(Box(_EDGE, _PAGE[1] - 15, width, 5), words.of("call", contact=register.contact), 9)
    pages.text(Box(_EDGE, _PAGE[1] - 9, width, 5), last, 7, align="R")
