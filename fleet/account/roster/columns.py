"""Which column of a list is what: its header found below titles, its words known in three languages.

The words are in ``roster_words.yaml``, where a coordinator can add those of their schools.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fleet.account.people.identifiers import folded, spelled
from fleet.account.sheets.lines import Line
from profiles.errors import meant
from profiles.strict_yaml import plain, read

HEADER_WITHIN = 60
"""Lines from the top of a sheet; further down no header begins."""

SEVERAL = frozenset({"phone", "guardian"})
"""What may have more than one column: the phones of mother and father."""

_FILE = Path(__file__).with_name("words.yaml")
_IN_BRACKETS = re.compile(r"[(（\[][^)）\]]*[)）\]]?")
_TRAILING = re.compile(r"[\s*:：\d]+\Z")
_LONGEST_FOOTER = 60


@dataclass(frozen=True)
class Columns:
    """``places``: what is in which columns (from 0). ``header`` is the row of the header, as its cells say it.

    ``language`` is that of most of its words (en, vi, zh). ``unknown`` are headers that say nothing known.
    """

    row: int
    header: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    language: str
    unknown: tuple[str, ...]

    def names(self) -> dict[str, str]:
        """What each column was called in the file, by what it is."""
        return {what: ", ".join(self.header[place] for place in places) for what, places in self.places.items()}

    def repeated(self, cells: list[str]) -> bool:
        """Whether a row is the header once more, as on every printed page."""
        first = next(iter(self.places.values()))[0]
        if first >= len(cells) or spelled(cells[first]) != self.header[first]:
            return False
        places = (place for places in self.places.values() for place in places if place < len(cells))
        return all(spelled(cells[place]) == self.header[place] for place in places)


def find(lines: Iterable[Line]) -> Columns | None:
    """The header among the first lines of a sheet: the one with most known words, a name among them."""
    best: Columns | None = None
    for line in lines:
        found = _columns(line)
        if found and (best is None or len(found.places) > len(best.places)):
            best = found
    return best


def _columns(line: Line) -> Columns | None:
    header = tuple(spelled(cell.replace("\n", " ")) for cell in line.cells)
    places: dict[str, list[int]] = {}
    languages: Counter[str] = Counter()
    unknown = []
    for place, cell in enumerate(header):
        if not cell:
            continue
        what, spoken = _known(cell)
        if not what or (what in places and what not in SEVERAL):
            unknown.append(cell)
            continue
        languages.update(spoken)
        if what != "none":
            places.setdefault(what, []).append(place)
    if "name" in places and "given_name" not in places:
        unknown += [header[place] for place in places.pop("family_name", ())]
    named = "name" in places or {"family_name", "given_name"} <= places.keys()
    if not named or len(places) < 2:
        return None
    language = max(sorted(languages), key=lambda word: languages[word])
    return Columns(line.number, header, {what: tuple(at) for what, at in places.items()}, language, tuple(unknown))


def _known(cell: str) -> tuple[str, tuple[str, ...]]:
    """What a header means, and in which languages; "" when it is not known.

    With its tone marks first: "Hộ" is a household, "Họ" a family name; "HO" is the one named first.
    """
    forms = (cell, _IN_BRACKETS.sub(" ", cell), _TRAILING.sub("", _IN_BRACKETS.sub(" ", cell)))
    for known, fold in ((_headers(_exact), _exact), (_headers(folded), folded)):
        if found := next((known[word] for form in forms if (word := fold(form)) in known), None):
            return found
    return "", ()


def _exact(text: str) -> str:
    """In small letters and one Unicode form, with all marks."""
    return " ".join(spelled(text).casefold().split())


def hint(header: str) -> str:
    """A known header that an unknown one may have been meant to be."""
    return meant(folded(header), _headers(folded))


def is_footer(cells: list[str]) -> bool:
    """Whether a row without a birthday or a number is a sum or a signature below the list."""
    words = _footers()
    for cell in cells:
        if cell and len(cell) <= _LONGEST_FOOTER:
            said = folded(re.split(r"[:：\d]", cell, maxsplit=1)[0])
            if said and (said in words or any(said.startswith(f"{word} ") for word in words)):
                return True
    return False


def category(text: str) -> str:
    """The category that a word of a list means; of one that is not known, the word in small letters; "" of none."""
    said = folded(text)
    found = _values("category").get(said, said.replace(" ", "_")[:40])
    return "" if found == "none" else found


def connection(text: str) -> str:
    """What there is at home; "" when the word is not known."""
    return _values("connection").get(folded(text), "")


def status(text: str) -> str:
    """enrolled or left; "" when the word is not known."""
    return _values("status").get(folded(text), "")


@cache
def _words() -> Mapping[str, Any]:
    found: Mapping[str, Any] = plain(read(_FILE))
    return found


@cache
def _headers(fold: Callable[[str], str]) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    known: dict[str, tuple[str, tuple[str, ...]]] = {}
    for what, languages in _words()["columns"].items():
        for language, words in languages.items():
            for word in words:
                first, spoken = known.get(fold(word), (what, ()))
                if first == what:
                    known[fold(word)] = (what, (*spoken, language))
    return known


@cache
def _footers() -> frozenset[str]:
    return frozenset(folded(word) for words in _words()["not_students"].values() for word in words)


@cache
def _values(column: str) -> Mapping[str, str]:
    return {folded(word): value for value, words in _words()[column].items() for word in words}
