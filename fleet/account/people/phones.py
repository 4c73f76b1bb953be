"""Phone numbers of families: +84912345678, whatever a spreadsheet made of them.

The usual ones are known by the patterns of phonenumbers' own data; only what these do not know is parsed in full, which
takes thirty times as long.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

import phonenumbers

from fleet.account.people.identifiers import LOST_DIGITS, Unusable

_BETWEEN = re.compile(r"[/;,|\n、，；]+|\s+(?:-|và|hoặc|or|和)\s+")
_ASIDE = re.compile(r"\([^0-9)]*\)|[^\d+()]*:")
_FILLING = re.compile(r"[\s.()\-–'’‘]+")


def phones(text: str, region: str) -> tuple[str, ...]:
    """All numbers in a cell. ``region`` (VN) is where numbers without a country code are from; "" nowhere.

    Unusable when one of them is no phone number.
    """
    if text.isascii() and text.isdigit():
        return (phone(text, region),)
    found: dict[str, None] = {}
    for part in _BETWEEN.split(unicodedata.normalize("NFKC", text)):
        if said := part.strip():
            found[phone(said, region)] = None
    return tuple(found)


def phone(text: str, region: str) -> str:
    """One number. Unusable."""
    if region and (usual := _usual(region).match(text)):
        return f"{_country(region)}{usual[1]}"
    said = re.sub(r"\.0\Z", "", text)
    if LOST_DIGITS.match(said):
        raise Unusable(f"lost its digits in a spreadsheet: {text}; format the column as text and fill it again")
    digits = _FILLING.sub("", _ASIDE.sub("", said))
    if region and (usual := _usual(region).match(digits)):
        return f"{_country(region)}{usual[1]}"
    return _parsed(digits, region)


def _parsed(digits: str, region: str) -> str:
    try:
        number = phonenumbers.parse(digits, region or None)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and not digits.startswith("+"):
            raise Unusable("has no country code, and the region is not known; pass --region") from None
        raise Unusable("is no phone number") from None
    if not phonenumbers.is_valid_number(number):
        raise Unusable("is no phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def known_region(region: str) -> bool:
    """Whether there are phone numbers of it: VN, CN."""
    return region in phonenumbers.SUPPORTED_REGIONS


@cache
def _usual(region: str) -> re.Pattern[str]:
    """Mobile numbers of a region, with or without its country code or the zero that a spreadsheet takes away."""
    data = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert data is not None
    assert data.mobile is not None
    mobile = data.mobile.national_number_pattern
    lead = re.escape(data.national_prefix or "")
    return re.compile(rf"(?:\+?{data.country_code}|{lead})?((?:{mobile}))\Z")


@cache
def _country(region: str) -> str:
    return f"+{phonenumbers.country_code_for_region(region)}"


def usual(region: str) -> tuple[Callable[[str], re.Match[str] | None], str]:
    """For whoever has a million of them: what finds the usual ones of a region, the number without lead in ``[1]``, and
    what goes before it. The others are for :func:`phones`."""
    return _usual(region).match, _country(region)
