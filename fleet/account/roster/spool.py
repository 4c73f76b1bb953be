"""Rows put aside until the whole list was read: on disk, encrypted with a key that is nowhere else, in order of keys.

Only when a list was read to its end is it known which rows are one student. A million rows do not fit in memory, and
names are not written to a disk in plain.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from fleet.account.people.pseudonyms import LETTERS
from fleet.account.roster.entries import Entry, Flat
from fleet.errors import HomeError

_TOGETHER = 500
_BETWEEN, _END = "\x1f", "\n"
"""Between values and between entries: characters that no value has."""


class Spool:
    """Entries by the first letter of their key, so that they can be taken out in order of keys."""

    def __init__(self, folder: Path | None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed by __exit__
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._waiting: dict[str, list[str]] = {letter: [] for letter in LETTERS}
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, keys: Sequence[str], rows: Sequence[Flat]) -> None:
        """Put rows aside with their keys, of which they become entries."""
        waiting = self._waiting
        for key, row in zip(keys, map(_BETWEEN.join, rows), strict=True):
            waiting[key[1]].append(f"{key}{_BETWEEN}{row}")
        for letter, some in waiting.items():
            if len(some) >= _TOGETHER:
                self._put_aside(letter)

    def sorted(self) -> Iterator[list[Flat]]:
        """All entries, by key; some thousands at once."""
        for letter in sorted(self._waiting):
            found = [*chain.from_iterable(self._pieces(letter)), *self._waiting[letter]]
            found.sort()
            yield [tuple(line.split(_BETWEEN)) for line in found]

    def every_key(self) -> Iterator[list[str]]:
        """Those of all entries, in no order."""
        for letter, waiting in self._waiting.items():
            for lines in chain(self._pieces(letter), [waiting]):
                yield [line.partition(_BETWEEN)[0] for line in lines]

    def of(self, rows: set[tuple[str, str]]) -> Iterator[Entry]:
        """The entries that are in these sheets and rows, in no order."""
        for letter, waiting in self._waiting.items() if rows else ():
            for line in chain(chain.from_iterable(self._pieces(letter)), waiting):
                _, sheet, row, _ = line.split(_BETWEEN, 3)
                if (sheet, row) in rows:
                    yield Entry._make(line.split(_BETWEEN))

    def _put_aside(self, letter: str) -> None:
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(
            nonce, _END.join(self._waiting[letter]).encode("utf-8", "surrogatepass"), None
        )
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

    def _pieces(self, letter: str) -> Iterator[list[str]]:
        for start, size in self._places.get(letter, ()):
            self._file.seek(start)
            sealed = self._file.read(size)
            yield self._cipher.decrypt(sealed[:12], sealed[12:], None).decode("utf-8", "surrogatepass").split(_END)
