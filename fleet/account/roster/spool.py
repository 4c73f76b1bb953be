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
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from fleet.account.roster.rows import Entry
from fleet.errors import HomeError

_TOGETHER = 500
_PARTS = 8


class Spool:
    """Entries by the first letter of their key, so that they can be taken out in order of keys."""

    def __init__(self, folder: Path | None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed by __exit__
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._end = 0
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        self.count += 1
        waiting = self._waiting.setdefault(entry.key[1], [])
        waiting.append(tuple(entry))
        if len(waiting) >= _TOGETHER:
            self._put_aside(entry.key[1])

    def sorted(self) -> Iterator[list[Entry]]:
        """All of them, by key, then sheet and row; some thousands at once."""
        for letter in sorted(self._waiting):
            found = [*chain.from_iterable(self._pieces(letter)), *self._waiting[letter]]
            yield [Entry._make(values) for values in sorted(found, key=lambda values: (values[2], *values[:2]))]

    def __iter__(self) -> Iterator[Entry]:
        """All of them, in no order."""
        for letter, waiting in self._waiting.items():
            for values in chain(chain.from_iterable(self._pieces(letter)), waiting):
                yield Entry._make(values)

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

    def _pieces(self, letter: str) -> Iterator[list[tuple[Any, ...]]]:
        for start, size in self._places.get(letter, ()):
            self._file.seek(start)
            sealed = self._file.read(size)
            # Nobody else has the key: what opens is what was put aside.
            yield marshal.loads(self._cipher.decrypt(sealed[:12], sealed[12:], None))  # noqa: S302


class Sample:
    """Many texts, of which only is remembered how often each came: eight bytes for each time."""

    def __init__(self) -> None:
        self._parts = tuple(array("q") for _ in range(_PARTS))

    def add(self, text: str) -> None:
        number = mark_of(text)
        self._parts[number % _PARTS].append(number)

    def often(self, times: int) -> frozenset[int]:
        """Those that came at least ``times`` times: ask with :func:`mark_of`."""
        found: set[int] = set()
        for part in self._parts:
            numbers = sorted(part)
            last = times - 1
            found.update(number for at, number in enumerate(numbers[last:]) if numbers[at] == number)
        return frozenset(found)

    def sort(self) -> None:
        """To be called once all were added, before it is asked what is in it."""
        self._parts = tuple(array("q", sorted(part)) for part in self._parts)

    def __contains__(self, text: str) -> bool:
        number = mark_of(text)
        part = self._parts[number % _PARTS]
        at = bisect_left(part, number)
        return at < len(part) and part[at] == number


def mark_of(text: str) -> int:
    """By which a :class:`Sample` remembers a text: its first eight letters, which are ASCII.

    Of two million hashes two may well begin alike; who asks compares them in full.
    """
    return int.from_bytes(text[:8].encode(), "little")
