"""Tables as CSV for spreadsheet programs: UTF-8 with a byte order mark, and no cell that would run as a formula."""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from fleet.errors import FileError
from profiles.errors import shown
from provision.text import printable

_RUN = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: object) -> object:
    """``value``; a text that a spreadsheet program would run is marked as text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(_RUN) else text


def write(out: TextIO, head: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write the table; how many rows it has. Rows that are made one by one are ended here, also when ``out`` breaks:
    what they come from may be closed next."""
    writer = csv.writer(out, lineterminator="\n")
    number = 0
    one_by_one = iter(rows)
    try:
        writer.writerow(head)
        for row in one_by_one:
            writer.writerow([harmless(value) for value in row])
            number += 1
    finally:
        if isinstance(one_by_one, Generator):
            one_by_one.close()
    return number


def replaceable(file: Path) -> Path:
    """The file itself where ``file`` is a link. FileError for what is no regular file: a device would be gone."""
    if file.exists() and not file.is_file():
        raise FileError(f"{shown(file)} is no regular file, and stays as it is.", "Name another file.")
    return file.resolve()


@contextlib.contextmanager
def replaced(file: Path, *, mode: int = 0o600, marked: bool = True) -> Iterator[TextIO]:
    """A text file that is there whole, under its name, when the block ends; else the one before stays.

    ``marked``: with the byte order mark by which spreadsheet programs know UTF-8. FileError.
    """
    target = replaceable(file)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8-sig" if marked else "utf-8", newline="") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"{shown(file)} cannot be written: {error.strerror}.", "Free some space, or name another file."
        ) from error
