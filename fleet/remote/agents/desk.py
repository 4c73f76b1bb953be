"""Between the loop that talks to agents and the database, which blocks: reads on threads, writes in batches.

While one batch is being written the next one gathers, so that a thousand contacts a second cost some transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from fleet.db import noting
from fleet.errors import RegistryError
from fleet.remote.agents import contacts
from fleet.remote.agents.contacts import Contact
from fleet.units import Registry

T = TypeVar("T")
READERS = 4
_MOST_WAITING = 50_000
_BATCH = 2000
_TRIES = 2
"""How often a batch is written whole; then each contact by itself."""


@dataclass
class Desk:
    """Used by one loop. :meth:`close` it at the end."""

    registry: Registry
    _readers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(READERS, "agents read"))
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "agents write"))
    _slow: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "agents slow"))
    _maker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "agents make"))
    _waiting: list[tuple[Contact, asyncio.Future[None]]] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    async def read(self, do: Callable[..., T], *words: object) -> T:
        """The result of a short read, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, do, *words)

    async def work(self, do: Callable[..., T], *words: object) -> T:
        """The result of something that waits for others that write, or reads much, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, do, *words)

    async def make(self, do: Callable[..., T], *words: object) -> T:
        """The result of something that may take minutes; one is made after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._maker, do, *words)

    async def keep(self, contact: Contact | None, patience: float) -> bool:
        """Whether a contact is written after so many seconds; it may be so later. RegistryError."""
        if contact is None:
            return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((contact, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        waited, _ = await asyncio.wait([done], timeout=patience)
        if waited:
            done.result()
        else:
            done.add_done_callback(_looked_at)
        return bool(waited)

    async def close(self) -> None:
        """Write what waits, and end the threads."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=5)
        for pool in (self._readers, self._writer, self._slow, self._maker):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            errors: Sequence[Exception | None]
            try:
                errors = await loop.run_in_executor(self._writer, self._written, [contact for contact, _ in batch])
            except Exception as failed:  # noqa: BLE001 - each who waits is told
                errors = [failed] * len(batch)
            for (_, done), error in zip(batch, errors, strict=True):
                if not done.done():
                    done.set_exception(error) if error else done.set_result(None)

    def _written(self, batch: list[Contact]) -> Sequence[Exception | None]:
        """What became of each. One whose row another writer holds, who waits for a row of ours, fails alone."""
        for _ in range(_TRIES):
            try:
                self._write_down(batch)
            except RegistryError as error:
                if not _is_deadlock(error):
                    raise
            else:
                return [None] * len(batch)
        return [self._by_itself(one) for one in batch]

    def _by_itself(self, contact: Contact) -> Exception | None:
        try:
            self._write_down([contact])
        except RegistryError as error:
            return error
        return None

    def _write_down(self, batch: list[Contact]) -> None:
        with noting(self.registry.engine) as conn:
            contacts.write(conn, batch)


def _is_deadlock(error: RegistryError) -> bool:
    """PostgreSQL ended our transaction, as two waited for each other."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == "40P01"


def _looked_at(done: asyncio.Future[None]) -> None:
    """Nobody waits for it any more: what it failed of is no surprise to anybody."""
    if not done.cancelled():
        done.exception()
