"""Invented people: names made of common ones, birthdays that fit a grade, phone numbers that could be."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Words:
    """What names are made of."""

    language: str
    families: Sequence[str]
    middles: Sequence[str]
    given: Sequence[str]
    grown: Sequence[str]
    phones: Sequence[str]

    @property
    def between(self) -> str:
        """What stands between family and given name."""
        return "" if self.language == "zh" else " "


@cache
def words_of(language: str) -> Words:
    """Those of ``names.yaml``."""
    found = yaml.safe_load((Path(__file__).with_name("names.yaml")).read_text(encoding="utf-8"))
    return Words(language, **found[language])


class People:
    """Draws people, never two of one name and birthday."""

    def __init__(self, language: str, chance: random.Random) -> None:
        self.words = words_of(language)
        self.chance = chance
        self._drawn: set[tuple[str, date]] = set()

    def child(self, grade: int, year: int, family: str = "") -> tuple[str, date]:
        """A student of this grade in the school year that begins in ``year``; ``family``: of this family name."""
        while True:
            words, pick = self.words, self.chance.choice
            parts = (family or pick(words.families), pick(words.middles), pick(words.given))
            name = words.between.join(part for part in parts if part)
            born = date(year - 5 - grade, 1, 1) - timedelta(days=self.chance.randrange(365))
            if (name, born) not in self._drawn:
                self._drawn.add((name, born))
                return name, born

    def family(self, child: str) -> str:
        """The family name of a child."""
        return child.split(self.words.between)[0] if self.words.between else child[0]

    def guardian(self, child: str) -> str:
        words = self.words
        parts = (self.family(child), self.chance.choice(words.middles), self.chance.choice(words.grown))
        return words.between.join(part for part in parts if part)

    def phone(self, number: int) -> str:
        """The phone of the household with this number; no two have the same."""
        start = self.words.phones[number % len(self.words.phones)]
        digits = 10 if self.words.language == "vi" else 11
        return start + str(2_000_000 + number * 37)[:7].rjust(digits - len(start), "5")


def luhn(digits: str) -> str:
    """The digits with their check digit behind them, as IMEIs and ICCIDs have it."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def windows_1258(text: str) -> bytes:
    """As Vietnamese Windows writes it: the letter with its hat, then the tone as a sign of its own."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    out = []
    for letter in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", letter)
        plain = unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones))
        out.append(plain + "".join(part for part in parts if part in tones))
    return "".join(out).encode("cp1258")
