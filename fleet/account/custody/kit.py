"""A kit, piece by piece: what went out with a unit, what came back, what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fleet.errors import CustodyError
from profiles.errors import meant
from provision.text import printable

_PIECE = re.compile(r"[^\W_][\w -]{0,30}")
_MOST = 99

Kit = Mapping[str, int]


def parse(pieces: Iterable[str]) -> dict[str, int]:
    """``["device", "cable=2"]`` as a kit. CustodyError for a piece that cannot be, is named twice, or 0 of a piece."""
    kit: dict[str, int] = {}
    for piece in pieces:
        name, equals, number = piece.partition("=")
        name = " ".join(name.split()).lower()
        if not _PIECE.fullmatch(name) or (equals and not number.strip().isdecimal()):
            raise CustodyError(f'"{printable(piece)}" is no piece of a kit.', "Write piece=number, such as charger=1.")
        if name in kit:
            raise CustodyError(f'"{printable(name)}" is named twice.', "Say once how many there are.")
        count = int(number) if equals else 1
        if count > _MOST:
            raise CustodyError(f"{count} of {printable(name)} are too many for one kit.", "Check the number.")
        kit[name] = count
    return kit


def missing(went: Kit, came: Kit) -> dict[str, int]:
    """What went out and did not come back."""
    return {piece: count - came.get(piece, 0) for piece, count in went.items() if count > came.get(piece, 0)}


def strangers(went: Kit, came: Kit) -> tuple[str, ...]:
    """What came back and never went out, with what may have been meant."""
    return tuple(f"{piece}{meant(piece, went)}" for piece in came if piece not in went)


def words(kit: Kit) -> str:
    """``device, 2 cable``."""
    return ", ".join(f"{count} {piece}" if count != 1 else piece for piece, count in sorted(kit.items()) if count)
