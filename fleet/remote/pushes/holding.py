"""One visit to a site at a time: on one machine by the locks of its home, on several by those of their database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Lock
from typing import Any

from sqlalchemy import Engine

from fleet.db import shown
from fleet.db_errors import told
from fleet.errors import RegistryError, UnitBusy
from fleet.units import Registry

Hold = Callable[[str], AbstractContextManager[None]]
"""The site of this name for whoever calls it alone. UnitBusy when somebody is at it; released however that one ends."""


@contextmanager
def holding(registry: Registry) -> Iterator[Hold]:
    """What to hold sites with, from any thread."""
    if registry.engine.dialect.name != "postgresql":
        yield lambda site: registry.home.hold(f"site {site}")
        return
    locks = _Locks(registry.engine)
    try:
        yield locks.hold
    finally:
        locks.close()


class _Locks:
    """Advisory locks of PostgreSQL. All are those of one connection: when it ends, the server releases them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alone = Lock()
        self._mine: dict[str, int] = {}
        self._conn: Any = None

    @contextmanager
    def hold(self, site: str) -> Iterator[None]:
        key = int.from_bytes(hashlib.sha256(f"site {site}".encode()).digest()[:8], signed=True)
        with self._alone:
            # One connection may take a lock twice: of its own threads it has to keep count here.
            if site in self._mine or not self._ask("SELECT pg_try_advisory_lock(%s)", key):
                raise UnitBusy(f"Another fleet is at site {site}.", "Wait until it is done.")
            self._mine[site] = key
        try:
            yield
        finally:
            with self._alone, suppress(RegistryError):
                del self._mine[site]
                self._ask("SELECT pg_advisory_unlock(%s)", key)

    def close(self) -> None:
        """Release all."""
        if self._conn is not None:
            self._conn.close()

    def _ask(self, query: str, key: int) -> bool:
        with told(shown(self._engine.url)):
            if self._conn is None or self._conn.closed:
                self._connect()
            return bool(self._conn.execute(query, (key,)).fetchone()[0])

    def _connect(self) -> None:
        """What was held by a connection that broke is held again; visits under way know nothing of it."""
        lent = self._engine.raw_connection()
        self._conn = lent.driver_connection
        lent.detach()
        self._conn.autocommit = True
        for key in self._mine.values():
            self._conn.execute("SELECT pg_try_advisory_lock(%s)", (key,))
