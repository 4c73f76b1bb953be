"""Labels: a QR code that scanners of ``fleet scan`` read, and what a person needs to read beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from fleet.account.custody.names import Held, expanded, find
from fleet.account.paper.fonts import Fonts
from fleet.account.paper.layouts import Layout
from fleet.account.paper.pages import Box, Pages, line_height
from fleet.account.paper.words import Words
from fleet.db import snapshot, transaction
from fleet.errors import AccountError
from fleet.models import sims, units
from fleet.tag_numbers import numbered
from fleet.tags import checked_prefix, last_number
from fleet.units import Registry

KINDS = ("device", "sim", "charger", "box")
_SMALL = 24.0
"""Height (mm) of a label on which only two lines find room."""


@dataclass(frozen=True)
class Label:
    """``code`` is what the QR code says, ``title`` the large line, ``lines`` the small ones."""

    code: str
    title: str
    lines: tuple[str, ...]


def of_units(registry: Registry, names: Sequence[str], kinds: Sequence[str], contact: str, words: Words) -> list[Label]:
    """The labels of units that are there, unit by unit. Errors name every name that means none, or a unit without tag.

    The QR code of a device, a charger and a box is the tag, so that any of the three is scanned for the unit; that of
    a SIM is its ICCID.
    """
    with snapshot(registry.engine) as conn:
        held = _tagged(conn, names)
        keys = [one.key for one in held]
        told = {row.key: row for row in conn.execute(select(units).where(units.c.key.in_(keys)))}
        cards = conn.execute(select(sims.c.unit, sims.c.iccid, sims.c.carrier).where(sims.c.unit.in_(keys))).all()
    labels: list[Label] = []
    for one in held:
        row = told[one.key]
        about = {"device": (f"{row.maker} {row.model}".strip(), f"S/N {row.serial}")}
        for kind in kinds:
            if kind == "sim":
                labels += [
                    Label(card.iccid, f"SIM {one.tag}", (f"{card.carrier} {card.iccid}".strip(),))
                    for card in cards
                    if card.unit == one.key
                ]
            else:
                labels.append(_of_tag(one.tag or "", kind, about.get(kind, ()), contact, words))
    return labels


def _tagged(conn: Connection, names: Sequence[str]) -> tuple[Held, ...]:
    found = find(conn, expanded(names))
    wrong = [*found.refusals, *(f"{one.shown} has no tag yet." for one in found.units if not one.tag)]
    if wrong:
        raise AccountError(" ".join(wrong), "Nothing was printed. fleet unit tag SERIAL TAG gives a tag.")
    return found.units


def of_new(
    registry: Registry, prefix: str, count: int, kinds: Sequence[str], contact: str, words: Words
) -> list[Label]:
    """Labels with tags that no unit has yet, and that no unit will get but by its label. PrefixError."""
    series = checked_prefix(prefix)
    with transaction(registry.engine) as conn:
        first = last_number(conn, series) + 1
        last = first + count - 1
        registry.ledger.append(conn, "tags.printed", series, {"v": 1, "first": first, "last": last})
    tags = [numbered(series, number) for number in range(first, last + 1)]
    return [_of_tag(tag, kind, (), contact, words) for tag in tags for kind in kinds if kind != "sim"]


def _of_tag(tag: str, kind: str, about: tuple[str, ...], contact: str, words: Words) -> Label:
    of = () if kind == "device" else (words.of(f"of_{kind}"),)
    return Label(tag, tag, tuple(line for line in (*of, *about, contact) if line))


def pdf(labels: Sequence[Label], layout: Layout, fonts: Fonts, at: datetime, skip: int = 0) -> bytes:
    """The sheets. ``skip`` places of the first one are used up. AccountError for a letter that no font has."""
    fonts.check(text for label in labels for text in (label.title, *label.lines))
    pages = Pages(layout.page, fonts, at)
    now = -1
    for label, (page, x, y) in zip(labels, layout.places(skip), strict=False):
        while now < page:
            pages.turn()
            now += 1
        _draw(pages, label, Box(x, y, *layout.label))
    return pages.data()


def _draw(pages: Pages, label: Label, box: Box) -> None:
    inner = 1.5
    side = min(box.height - 2 * inner, box.width * 0.45)
    pages.code(Box(box.x + inner, box.y + (box.height - side) / 2, side, side), label.code)
    left = box.x + inner + side + 1
    width = box.x + box.width - inner - left
    large = 11.0 if box.height > _SMALL else 9.0
    lines = label.lines if box.height > _SMALL else label.lines[:2]
    small = 6.5
    height = line_height(large) + len(lines) * line_height(small)
    top = box.y + (box.height - height) / 2
    pages.text(Box(left, top, width, line_height(large)), label.title, large)
    for number, line in enumerate(lines):
        at = top + line_height(large) + number * line_height(small)
        pages.text(Box(left, at, width, line_height(small)), line, small)
