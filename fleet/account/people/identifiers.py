"""Names and numbers of people, as they are kept and as they are compared. Pure; the keyed hashes are the vault's.

A name is kept as it was written, in one Unicode form. It is compared without tone marks, capitals and spaces: half of
all lists are typed without them, and "Hoà" and "Hòa" are one word. That two names then look alike is no proof; where
both were written with their marks, :func:`same_name` tells them apart.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache

LONGEST = 120
"""Characters of a name or an address that anybody has."""

_SPACES = re.compile(r"\s+")
_NOT_LETTERS = re.compile(r"[^\w]+|_+")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
"""Grave, acute, tilde, hook above, dot below: they belong to the syllable, wherever in it they are written."""

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}])[\s·•・]+(?=[{_HAN}])")
_DIGIT = re.compile(r"\d")
_TWO_LETTERS = re.compile(r"[^\W\d_].*[^\W\d_]")
LOST_DIGITS = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+\Z")
"""A long number that a spreadsheet rounded to be shown: 1.23457E+11."""

_CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CN_CHECK = "10X98765432"


class Unusable(ValueError):
    """A value cannot be what its column says. The text says why, as the end of a sentence.

    It does not quote the value, unless that is no name or number of anybody.
    """


def spelled(text: str) -> str:
    """As it is kept: one Unicode form, single spaces, nothing that cannot be seen; full-width letters as usual ones."""
    text = text.strip()
    plain = text.isprintable() and (" " not in text or ("  " not in text and max(text) < "\u2000"))
    if plain and unicodedata.is_normalized("NFKC", text):
        return text
    if not text.isprintable():
        text = "".join(" " if _is_gap(c) else c for c in text if unicodedata.category(c) != "Cf")
    seen = unicodedata.normalize("NFKC", text)
    return _BETWEEN_HAN.sub("", _SPACES.sub(" ", seen)).strip()


def _is_gap(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}


def name(text: str) -> str:
    """The name of a person as it is kept. Unusable when it is none."""
    kept = spelled(text)
    if kept[:1] in {"=", "+", "@"}:
        raise Unusable("is a formula, not a name")
    if "\ufffd" in kept:
        raise Unusable("has letters that were lost before: �")
    if len(kept) > LONGEST:
        raise Unusable(f"has {len(kept)} characters")
    if _DIGIT.search(kept):
        raise Unusable("has digits in it")
    if not _TWO_LETTERS.search(kept):
        raise Unusable("is no name")
    return kept


def loose(text: str) -> str:
    """For comparing: no marks, capitals, spaces. Equal for "Nguyễn Văn Hoà" and "NGUYEN VAN HOA"."""
    return "".join(_bare(word) for word in text.split())


def exact(text: str) -> str:
    """For telling apart: with marks, but each tone at the end of its syllable: "hoà" and "hòa" are equal."""
    return "".join(_marked(word) for word in text.split())


def same_name(one: str, other: str) -> bool:
    """Whether two names that are loosely equal may be one: they are exactly, or one was typed without marks."""
    first, second = exact(one), exact(other)
    return first == second or first == loose(one) or second == loose(other)


@lru_cache(maxsize=50_000)
def _bare(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold()).replace("đ", "d")
    return _NOT_LETTERS.sub("", "".join(c for c in apart if not unicodedata.combining(c)))


@lru_cache(maxsize=50_000)
def _marked(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    tones = "".join(sorted(c for c in apart if c in _TONES))
    letters = "".join(c for c in apart if c not in _TONES)
    return _NOT_LETTERS.sub("", unicodedata.normalize("NFC", letters)) + tones


def folded(text: str) -> str:
    """A word of a header or a list of words, for comparing: loose, but with single spaces between words."""
    words = (_bare(word) for word in re.split(r"[\s_./,;:|-]+", unicodedata.normalize("NFKC", text)))
    return " ".join(word for word in words if word)


def national_id(text: str, region: str) -> str:
    """The number of an identity card or of the population register. Unusable when it cannot be one.

    Zeros that a spreadsheet took away are put back where the length tells how many (Vietnam: 12 digits).
    """
    number = _number(text)
    match region:
        case "VN":
            return _vietnamese(number)
        case "CN":
            return _chinese(number)
    if not re.fullmatch(r"[0-9A-Z]{4,30}", number):
        raise Unusable("is no ID number")
    return number


def _number(text: str) -> str:
    if text.isascii() and text.isdigit():
        return text
    number = re.sub(r"[\s.'’‘\-–]+", "", unicodedata.normalize("NFKC", re.sub(r"\.0+\Z", "", text.strip()))).upper()
    if LOST_DIGITS.match(unicodedata.normalize("NFKC", text.strip())):
        raise Unusable(f"lost its digits in a spreadsheet: {text.strip()}; format the column as text and fill it again")
    return number


def _vietnamese(number: str) -> str:
    if not number.isascii() or not number.isdigit():
        raise Unusable("is no ID number, which has 12 or 9 digits")
    if len(number) == 9:
        return number
    if len(number) in {10, 11}:
        number = number.zfill(12)
    if len(number) != 12 or number[0] != "0":
        raise Unusable("is no ID number, which has 12 or 9 digits")
    return number


def _chinese(number: str) -> str:
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        raise Unusable("is no ID number, which has 18 digits")
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _CN_WEIGHTS, strict=True))
    if _CN_CHECK[total % 11] != number[17]:
        raise Unusable("has a wrong digit: its last one does not fit the others")
    return number


def born(national: str, region: str) -> str:
    """The birthday that is part of an ID number; "" where none is."""
    if region != "CN" or len(national) != 18:
        return ""
    try:
        return date(int(national[6:10]), int(national[10:12]), int(national[12:14])).isoformat()
    except ValueError:
        return ""


def school_number(text: str) -> str:
    """The number of a student at its school, as it is compared. Unusable when digits were lost."""
    number = _number(text)
    if not re.fullmatch(r"[\w/]{1,30}", number):
        raise Unusable("is no student number")
    return number.lstrip("0") or "0"
