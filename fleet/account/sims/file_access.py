"""A transaction for a file that is planned first and taken over with ``--apply``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from fleet.commands import to_read, to_write
from fleet.db import transaction
from fleet.home import Options
from fleet.ledger import Happening, Ledger


@contextmanager
def opened(options: Options, *, applied: bool) -> Iterator[tuple[Connection, Ledger | None]]:
    """One transaction, with the ledger when it is to be written; else a reading that makes nothing."""
    if not applied:
        with to_read(options) as conn:
            yield conn, None
        return
    with to_write(options) as registry, transaction(registry.engine) as conn:
        yield conn, registry.ledger


def take(conn: Connection, ledger: Ledger | None, events: Iterable[Happening]) -> None:
    """Write the events, or only look at them."""
    if ledger:
        ledger.append_many(conn, events)
    else:
        for _ in events:
            pass
