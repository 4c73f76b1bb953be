"""Birthdays as lists write them: day, month or year first, or the number by which a spreadsheet counts days."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from fleet.account.people.identifiers import Unusable

OLDEST = 30
"""Years; who is older is on no list of students."""

_APART = re.compile(r"(\d{1,4})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{1,4})\Z")
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?\Z")
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\Z")
_SERIAL = re.compile(r"\d{1,5}(\.\d+)?\Z")
_EXCEL = date(1899, 12, 30)
_EXCEL_1904 = date(1904, 1, 1)
_MONTHS, _DAYS = 12, 31


class Order(StrEnum):
    """What stands first in a date with the year at its end."""

    DAY = "day"
    MONTH = "month"
    UNCLEAR = "unclear"


def order(samples: Iterable[str], usual: Order) -> Order:
    """How a list writes its dates: by those of which there is no doubt; ``usual`` where there is none such."""
    day = month = False
    for text in samples:
        if not (found := _APART.match(_clean(text))) or len(found[1]) > 2:
            continue
        first, second = int(found[1]), int(found[2])
        day = day or second <= _MONTHS < first <= _DAYS
        month = month or first <= _MONTHS < second <= _DAYS
    if day and month:
        return Order.UNCLEAR
    return Order.MONTH if month else Order.DAY if day else usual


@lru_cache(maxsize=50_000)
def birthday(text: str, first: Order, today: date, *, from_1904: bool = False) -> str:
    """``2012-03-05``, or ``2012`` where only the year is said. Unusable when it is no birthday of a student."""
    said = _clean(text)
    if re.fullmatch(r"(19|20)\d\d", said):
        _within(int(said), said, today)
        return said
    found = _by_parts(said, first) or _by_serial(said, from_1904)
    if found is None:
        raise Unusable(f"is no date: {text.strip()}")
    if found.year in (1899, 1900, 1904):
        raise Unusable(f"is {found.year}, which a spreadsheet shows where there is no date")
    if found > today:
        raise Unusable(f"lies in the future: {found}")
    _within(found.year, str(found), today)
    return found.isoformat()


def _clean(text: str) -> str:
    said = unicodedata.normalize("NFKC", text).strip().lstrip("'")
    return _TIME.sub("", said).strip()


def _by_parts(said: str, first: Order) -> date | None:
    if re.fullmatch(r"\d{8}", said):
        year_first = said[:2] in ("19", "20")
        said = f"{said[:4]}-{said[4:6]}-{said[6:]}" if year_first else f"{said[:2]}-{said[2:4]}-{said[4:]}"
    match = _CHINESE.match(said) or _APART.match(said)
    if match is None:
        return None
    one, two, three = match.groups()
    if len(one) > 2:
        return _date(one, two, three, said)
    if len(three) == 3 or len(three) == 1:
        raise Unusable(f"is no date: {said}")
    if first is Order.UNCLEAR and int(one) <= _MONTHS and int(two) <= _MONTHS and one.zfill(2) != two.zfill(2):
        raise Unusable(f"may be two days, as this list has both forms: {said}; write the year first: 2012-03-05")
    by_month = first is Order.MONTH or (first is Order.UNCLEAR and int(two) > _MONTHS)
    day, month = (two, one) if by_month else (one, two)
    return _date(three, month, day, said)


def _date(year: str, month: str, day: str, said: str) -> date:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 70 else 1900
    try:
        return date(number, int(month), int(day))
    except ValueError:
        raise Unusable(f"is no day of the calendar: {said}") from None


def _by_serial(said: str, from_1904: bool) -> date | None:
    if not _SERIAL.match(said):
        return None
    return (_EXCEL_1904 if from_1904 else _EXCEL) + timedelta(days=int(float(said)))


def _within(year: int, said: str, today: date) -> None:
    if year > today.year:
        raise Unusable(f"lies in the future: {said}")
    if today.year - year > OLDEST:
        raise Unusable(f"would make a student of {today.year - year} years: {said}")
