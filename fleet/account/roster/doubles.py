"""Which rows of a list may be one student, and which phones too many share: by eight bytes for each, not by names."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from fleet.account.roster.entries import Entry, Flat, Row

_PARTS = 16
_SHIFT = 64 - _PARTS.bit_length() + 1
_BOUNDS = [(part + 1 - _PARTS // 2) << _SHIFT for part in range(_PARTS)]
"""Where the numbers of each part end. They are sorted one after the other, which takes a sixteenth of the memory."""

mark_of = hash
"""By which a thing is remembered, in this process. Two of millions may have one; who asks compares them in full."""


class Marks:
    """Marks of many things, of which some come often."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(_PARTS)]

    def add(self, marks: Iterable[int]) -> None:
        """Each time they are sorted: runs that are in order are soon sorted together."""
        found = sorted(marks)
        begin = 0
        for part, bound in zip(self._parts, _BOUNDS, strict=True):
            end = bisect_left(found, bound, begin)
            part.extend(found[begin:end])
            begin = end

    def often(self, times: int) -> frozenset[int]:
        """Those that came at least ``times`` times."""
        found: set[int] = set()
        for part in self._parts:
            some = sorted(part)
            found.update(one for one, other in zip(some, some[times - 1 :], strict=False) if one == other)
        return frozenset(found)

    def sort(self) -> None:
        """To be called once all were added, before it is asked what is in it."""
        self._parts = [array("q", sorted(part)) for part in self._parts]

    def __contains__(self, thing: str) -> bool:
        mark = mark_of(thing)
        part = self._parts[(mark >> _SHIFT) + _PARTS // 2]
        at = bisect_left(part, mark)
        return at < len(part) and part[at] == mark


class Doubles:
    """Rows with something by which they may be one student: a number; name, birthday and school; name and phone."""

    def __init__(self) -> None:
        self._marks = Marks()
        self._blocks: list[tuple[str, array[int], array[int]]] = []

    def add(self, sheet: str, rows: Sequence[Flat]) -> None:
        """Of one sheet."""
        _, numbers, _, births, phones, _, _, _, plain, nationals, compared, schools, *_ = zip(*rows, strict=True)
        where = array("l", map(int, numbers))
        self._add(sheet, where, nationals, nationals)
        self._add(sheet, where, compared, zip(schools, compared, strict=True))
        self._add(sheet, where, births, zip(plain, births, schools, strict=True))
        self._add(sheet, where, phones, zip(plain, phones, strict=True))
        several = [row for row in rows if " " in row[4]]
        for row in several:
            for phone in row[4].split():
                self._add(sheet, array("l", [int(row[1])]), (phone,), [(row[8], phone)])

    def rows(self) -> set[tuple[str, str]]:
        """Sheet and row of all that are not alone with it."""
        often = self._marks.often(2)
        if not often:
            return set()
        return {
            (sheet, str(where[at]))
            for sheet, where, marks in self._blocks
            if not often.isdisjoint(marks)
            for at, mark in enumerate(marks)
            if mark in often
        }

    def _add(self, sheet: str, where: array[int], said: Sequence[str], things: Iterable[object]) -> None:
        if not any(said):
            return
        marks = array("q", map(mark_of, things))
        if not all(said):
            where = array("l", (row for row, text in zip(where, said, strict=True) if text))
            marks = array("q", (mark for mark, text in zip(marks, said, strict=True) if text))
        self._blocks.append((sheet, where, marks))
        self._marks.add(marks)


def alike(row: Row | Entry) -> Iterator[tuple[str, ...]]:
    """By what two rows of one list may be one student."""
    yield from ((row.plain, phone) for phone in row.phones.split())
    if row.birthday:
        yield row.plain, row.birthday, row.school
    if row.compared:
        yield "", row.school, row.compared, ""
    if row.national:
        yield (row.national,)
