"""Subscriber numbers of SIMs (MSISDN), in one form: ``+84981234567``."""

from __future__ import annotations

import re
from functools import lru_cache

from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

from fleet.iccid import is_digits

_BETWEEN = re.compile(r"[\s\u00a0().'’-]+")


def msisdn(text: str, country: str) -> str:
    """The number that ``text`` is, written as in ``country`` (ISO 3166, small) or with its country; "" if it is none.

    The 0 that a spreadsheet took from the front of a number is put back: the rest can mean one number only.
    """
    squeezed = _BETWEEN.sub("", text.strip().removesuffix(".0"))
    if usual := _mobile(country):
        code, prefix, pattern = usual
        national = squeezed.removeprefix(prefix) if prefix else squeezed
        if is_digits(national) and pattern.fullmatch(national):
            return f"+{code}{national}"
    return _parsed(squeezed, country)


@lru_cache
def _mobile(country: str) -> tuple[int, str, re.Pattern[str]] | None:
    """Country code, national prefix and shape of mobile numbers: the library's own, without its way there."""
    found = PhoneMetadata.metadata_for_region(country.upper())
    if not found or not found.country_code or not found.mobile or not found.mobile.national_number_pattern:
        return None
    return found.country_code, found.national_prefix or "", re.compile(found.mobile.national_number_pattern)


def _parsed(text: str, country: str) -> str:
    try:
        number = parse(text, country.upper() or None)
    except NumberParseException:
        return ""
    return format_number(number, PhoneNumberFormat.E164) if is_valid_number(number) else ""
