"""Serial numbers and IMEIs as people write them down: what cannot be one, and which may be another one misread."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.errors import UnitError
from fleet.lookalikes import ALIKE, fold
from provision.text import printable

_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{3,39}")
_EATEN = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)
_NOTHING = frozenset({"", "-", "--", "?", "0", "n/a", "na", "none", "null", "nil", "unknown", "无", "không"})
_PLACEHOLDERS = frozenset({"0123456789ABCDEF", "123456789", "1234567890", "123456789ABC"})
_NEVER = {"ios": "IO"}
"""Letters that serial numbers of the platform never have: Apple's leave out what can be taken for a digit."""

_IMEI = re.compile(r"\d{15}")
_UDID = re.compile(r"[0-9a-fA-F]{40}|[0-9A-F]{8}-[0-9A-F]{16}")
_NINE = 9


def platform_of(maker: str, model: str) -> str:
    """``ios`` of what Apple makes, else ``android``."""
    said = f"{maker} {model}".casefold()
    return "ios" if re.search(r"apple|iphone|ipad|ipod|苹果", said) else "android"


def checked(serial: str) -> str:
    """The serial as it is kept. UnitError when there is none, or it cannot be one."""
    typed = "".join(serial.split())
    if typed.casefold() in _NOTHING or set(typed) <= {"0"}:
        raise UnitError("There is no serial number.")
    if _EATEN.fullmatch(typed):
        raise UnitError(f"{printable(typed)} is what a spreadsheet made of a number: its last digits are lost.")
    if _UDID.fullmatch(typed):
        raise UnitError(f"{printable(typed)} is the UDID of an Apple device, not its serial number.")
    if not _SHAPE.fullmatch(typed):
        raise UnitError(f"{printable(serial)!r} cannot be a serial number: 4 to 40 letters, digits and . _ : / + -")
    return typed


def doubt(serial: str, platform: str) -> str:
    """Why a serial that could be one is probably misread; "" when nothing speaks against it."""
    if serial.upper() in _PLACEHOLDERS:
        return f"{serial} is on many devices: their maker never gave them a serial number"
    if odd := sorted(set(serial.upper()) & set(_NEVER.get(platform, ""))):
        return f"serial numbers of Apple have no {' and no '.join(odd)}; probably {fold(serial)}"
    return ""


def lookalikes(serial: str) -> set[str]:
    """Spellings that one slip, or the same slip throughout, may have made of ``serial``; itself not among them."""
    capital = serial.upper()
    found = {serial.lower(), capital, fold(serial)}
    for alike in ALIKE:
        for one in alike:
            found.add("".join(one if letter in alike else letter for letter in capital))
        found |= set(_one_slip(capital, alike))
    return found - {serial}


def _one_slip(serial: str, alike: str) -> Iterator[str]:
    for place, letter in enumerate(serial):
        if letter in alike:
            yield from (serial[:place] + other + serial[place + 1 :] for other in alike)


def imei(text: str) -> str:
    """The IMEI as it is kept, 15 digits, or "" when none is given. UnitError when a digit of it is wrong."""
    typed = re.sub(r"[\s/.-]", "", text) if not _EATEN.fullmatch(text.strip()) else text.strip()
    if typed.casefold() in _NOTHING:
        return ""
    if _EATEN.fullmatch(typed):
        raise UnitError(f"The IMEI {printable(typed)} is what a spreadsheet made of it: its last digits are lost.")
    if not _IMEI.fullmatch(typed):
        raise UnitError(f"{printable(text)!r} is no IMEI: that has 15 digits.")
    if not luhn(typed):
        raise UnitError(f"The check digit of IMEI {typed} is wrong: one of its digits was misread.")
    return typed


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (ISO/IEC 7812-1)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - _NINE if value > _NINE else value for value in doubled) % 10 == 0
