"""What a database says when it fails, as one plain sentence and the next action."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from fleet.errors import RegistryError

_Sentence = tuple[str, str]
_ELSE = "or name another one with --database."
_BUSY = ("is in use by another program.", "Wait for that to end, then run again.")
_READ_ONLY = ("cannot be written to.", f"Change who may write it and its folder, {_ELSE}")
_FULL = ("is on a disk that is full; nothing was changed.", "Free some space, then run again.")
_DAMAGED = ("is damaged.", f"Put back a copy of it, {_ELSE}")

_SQLITE = {
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_FULL": _FULL,
    "SQLITE_NOTADB": ("is not a database.", f"Put back a copy of it, {_ELSE}"),
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_CANTOPEN": ("cannot be opened.", f"Check its folder and who may write there, {_ELSE}"),
    "SQLITE_IOERR": (
        "could not be read or written; nothing was changed.",
        "Check that it is a file, its disk and the free space there, then run again.",
    ),
}

_MAYBE_FULL = (_SQLITE["SQLITE_IOERR"], _SQLITE["SQLITE_CANTOPEN"])
_ROOM = 64 * 1024
"""Bytes that the files beside a registry take at the least."""

_NOT_LET_IN = (
    "did not let us in: the user or the password is wrong.",
    "Put both into FLEET_DATABASE_URL, or the password into ~/.pgpass.",
)
_NO_DATABASE = (
    "is not there: its server has no database of that name.",
    "Make it with createdb, or correct FLEET_DATABASE_URL.",
)
_CROWDED = ("takes no more connections for now.", "Close other programs that use it, then run again.")
_STARTING = ("is just starting or stopping.", "Wait a little, then run again.")
_LOST = (
    "went away in the middle of it.",
    "Check that its server runs, then run again: what was under way is there whole or not at all.",
)
_NO_RIGHT = ("cannot be written to.", f"Let its administrator give this user the right to it, {_ELSE}")

_POSTGRESQL = {
    "28": _NOT_LET_IN,
    "3D": _NO_DATABASE,
    "08": _LOST,
    "25006": _READ_ONLY,
    "40P01": _BUSY,
    "42501": _NO_RIGHT,
    "53100": _FULL,
    "53300": _CROWDED,
    "55P03": _BUSY,
    "57014": ("stopped what we asked of it.", "Run again; ask its administrator why, if it stays so."),
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": _STARTING,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
"""By SQLSTATE, or its first two letters."""

_REFUSALS = {
    "authentication failed": _NOT_LET_IN,
    "no password supplied": _NOT_LET_IN,
    "pg_hba.conf": _NOT_LET_IN,
    'role "': _NOT_LET_IN,
    'database "': _NO_DATABASE,
    "too many": _CROWDED,
    "remaining connection slots": _CROWDED,
    "starting up": _STARTING,
    "shutting down": _STARTING,
}
"""What a server says while nobody is let in yet: it comes without a SQLSTATE."""


@contextmanager
def told(where: str) -> Iterator[None]:
    """Failures of the database at ``where`` become a RegistryError; what is our own mistake passes through."""
    try:
        yield
    except _failures() as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        sentence = _sentence(cause, lost=lost)
        if sentence in _MAYBE_FULL and is_full(where):
            sentence = _FULL
        if sentence is None:
            raise
        raise RegistryError(f"The registry {where} {sentence[0]}", sentence[1]) from error


def is_full(where: str) -> bool:
    """Whether the disk of this file has no room left."""
    try:
        disk = os.statvfs(Path(where).parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _ROOM


def unfit() -> tuple[type[Exception], ...]:
    """What is raised about rows that the tables do not take."""
    postgresql = sys.modules.get("psycopg")
    drivers = (postgresql.DataError, postgresql.IntegrityError) if postgresql else ()
    return (DataError, IntegrityError, OverflowError, *drivers)


def _failures() -> tuple[type[Exception], ...]:
    """What SQLAlchemy raises, and the drivers where it does not stand between. A driver of no use is not imported."""
    postgresql = sys.modules.get("psycopg")
    return (DBAPIError, sqlite3.Error, *((postgresql.Error,) if postgresql else ()))


def _sentence(cause: BaseException | None, *, lost: bool) -> _Sentence | None:
    if isinstance(cause, sqlite3.Error):
        return _sqlite_sentence(cause)
    return _postgresql_sentence(cause, lost=lost) if cause and type(cause).__module__.startswith("psycopg") else None


def _sqlite_sentence(cause: sqlite3.Error) -> _Sentence | None:
    code = getattr(cause, "sqlite_errorname", None)
    if code is None:  # the driver's own: text that is not UTF-8
        return _SQLITE["SQLITE_CORRUPT"] if "decode" in str(cause) else None
    return _SQLITE.get("_".join(code.split("_")[:2]))


def _postgresql_sentence(cause: BaseException, *, lost: bool) -> _Sentence | None:
    if state := getattr(cause, "sqlstate", None):
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if type(cause).__name__ not in ("OperationalError", "ConnectionTimeout"):
        return None
    said = str(cause)
    for words, sentence in _REFUSALS.items():
        if words in said:
            return sentence
    if lost or "closed the connection" in said or "connection is lost" in said or "connection is closed" in said:
        return _LOST
    return "cannot be reached.", "Check its address, the network, and that its server runs."
