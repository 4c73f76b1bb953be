"""What a database says when it fails, as one plain sentence and the next action."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from fleet.errors import RegistryError

_ELSE = "or name another one with --database."
_SENTENCES = {
    "SQLITE_BUSY": ("is in use by another program.", "Wait for that to end, then run again."),
    "SQLITE_LOCKED": ("is in use by another program.", "Wait for that to end, then run again."),
    "SQLITE_READONLY": ("cannot be written to.", f"Change who may write it and its folder, {_ELSE}"),
    "SQLITE_FULL": ("is on a disk that is full; nothing was changed.", "Free some space, then run again."),
    "SQLITE_NOTADB": ("is not a database.", f"Put back a copy of it, {_ELSE}"),
    "SQLITE_CORRUPT": ("is damaged.", f"Put back a copy of it, {_ELSE}"),
    "SQLITE_CANTOPEN": ("cannot be opened.", f"Check its folder and who may write there, {_ELSE}"),
    "SQLITE_IOERR": (
        "could not be read or written; nothing was changed.",
        "Check that it is a file, its disk and the free space there, then run again.",
    ),
}


@contextmanager
def told(where: str) -> Iterator[None]:
    """Failures of the database at ``where`` become a RegistryError; what is our own mistake passes through."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        sentence = _sentence(cause)
        if sentence is None:
            raise
        raise RegistryError(f"The registry {where} {sentence[0]}", sentence[1]) from error


def _sentence(cause: BaseException | None) -> tuple[str, str] | None:
    if isinstance(cause, sqlite3.Error):
        return _sqlite_sentence(cause)
    if type(cause).__name__ == "OperationalError":
        return "cannot be reached.", "Check its address and that its server runs."
    return None


def _sqlite_sentence(cause: sqlite3.Error) -> tuple[str, str] | None:
    code = getattr(cause, "sqlite_errorname", None)
    if code is None:  # the driver's own: text that is not UTF-8
        return _SENTENCES["SQLITE_CORRUPT"] if "decode" in str(cause) else None
    return _SENTENCES.get("_".join(code.split("_")[:2]))
