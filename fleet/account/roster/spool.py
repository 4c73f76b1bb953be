"""Rows put aside until the whole list was read: on disk, encrypted with a key that is nowhere else, in order of keys.

Only when a list was read to its end is it known which rows are one student. A million rows do not fit in memory, and
names are not written to a disk in plain.
"""

from __future__ import annotations

import marshal
import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from fleet.account.people.pseudonyms import LETTERS
from fleet.errors import HomeError

_TOGETHER = 500
Plain = tuple[Any, ...]
"""An :class:`Entry` as a plain tuple, which takes a third of the time."""


class Spool:
    """Entries by the first letter of their key, so that they can be taken out in order of keys."""

    def __init__(self, folder: Path | None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed by __exit__
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._waiting: dict[str, list[Plain]] = {letter: [] for letter in LETTERS}
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entries: Sequence[Plain]) -> None:
        """Put some aside: entries as plain tuples."""
        waiting = self._waiting
        for entry in entries:
            waiting[entry[0][1]].append(entry)
        for letter, some in waiting.items():
            if len(some) >= _TOGETHER:
                self._put_aside(letter)

    def sorted(self) -> Iterator[list[Plain]]:
        """All of them, by key, then sheet and row; some thousands at once."""
        for letter in sorted(self._waiting):
            found = [*chain.from_iterable(self._pieces(letter)), *self._waiting[letter]]
            found.sort()
            yield found

    def __iter__(self) -> Iterator[Plain]:
        """All of them, in no order."""
        for letter, waiting in self._waiting.items():
            yield from chain(chain.from_iterable(self._pieces(letter)), waiting)

    def _put_aside(self, letter: str) -> None:
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(nonce, marshal.dumps(self._waiting[letter]), None)
        try:
            self._file.seek(self._end)
            self._file.write(sealed)
            self._file.flush()
        except OSError as error:
            raise HomeError(
                f"The list cannot be put aside while it is read: {error.strerror}. Nothing was changed.",
                "Free some space, then run again.",
            ) from error
        self._places.setdefault(letter, []).append((self._end, len(sealed)))
        self._end += len(sealed)
        self._waiting[letter].clear()

    def _pieces(self, letter: str) -> Iterator[list[Plain]]:
        for start, size in self._places.get(letter, ()):
            self._file.seek(start)
            sealed = self._file.read(size)
            # Nobody else has the key: what opens is what was put aside.
            yield marshal.loads(self._cipher.decrypt(sealed[:12], sealed[12:], None))  # noqa: S302


class Sample:
    """Many things, of which only is remembered how often each came: eight bytes for each time."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(_PARTS)]

    def add(self, marks: list[int]) -> None:
        """Those of :func:`mark_of`. Each time they are sorted: runs that are in order are soon sorted together."""
        marks.sort()
        begin = 0
        for part, bound in zip(self._parts, _BOUNDS, strict=True):
            end = bisect_left(marks, bound, begin)
            part.extend(marks[begin:end])
            begin = end

    def often(self, times: int) -> frozenset[int]:
        """Those that came at least ``times`` times: ask with :func:`mark_of`."""
        found: set[int] = set()
        for part in self._parts:
            numbers = sorted(part)
            found.update(one for one, other in zip(numbers, numbers[times - 1 :], strict=False) if one == other)
        return frozenset(found)

    def sort(self) -> None:
        """To be called once all were added, before it is asked what is in it."""
        self._parts = [array("q", sorted(part)) for part in self._parts]

    def __contains__(self, text: str) -> bool:
        number = mark_of(text)
        part = self._parts[(number >> _SHIFT) + _PARTS // 2]
        at = bisect_left(part, number)
        return at < len(part) and part[at] == number


_PARTS = 16
_SHIFT = 64 - _PARTS.bit_length() + 1
_BOUNDS = [min((part + 1 - _PARTS // 2) << _SHIFT, (1 << 63) - 1) for part in range(_PARTS)]
"""Where the numbers of each part end."""

mark_of = hash
"""By which a :class:`Sample` remembers a thing, in this process. Of millions two may well be alike; who asks compares
them in full."""
