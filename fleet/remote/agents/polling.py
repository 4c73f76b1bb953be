"""Agents that wait for news: each is a sleeping task, no thread and no connection to the database.

One look at the registry every two seconds, for all of them together, says whom news may concern.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fleet.remote.agents.desk import Desk
from fleet.remote.agents.reading import Reader
from profiles.errors import SchoolbagError

_LOOK = 2.0
_BY_ONE = 3
"""Most polls with one number that wait: the phone's, one that it gave up, and a little room."""


@dataclass(eq=False)
class Poll:
    """One agent that waits; ``unit`` is "" until it is known."""

    unit: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, seconds: float) -> bool:
        """Whether there may be news, after waiting so long for them at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def wake(self) -> None:
        """There may be news."""
        self._news.set()


@dataclass
class Waiting:
    """Who waits, by (hashed) number; used by one loop."""

    reader: Reader
    desk: Desk
    warn: Callable[[SchoolbagError], None]
    closed: bool = False
    _polls: dict[str, list[Poll]] = field(default_factory=dict)
    _watch: asyncio.Task[None] | None = None
    _orders: frozenset[tuple[str, str]] = frozenset()

    def __len__(self) -> int:
        return sum(map(len, self._polls.values()))

    @contextmanager
    def poll(self, number: str) -> Iterator[Poll | None]:
        """A poll with this number, from before it is looked whether there are news already, so that none are missed;
        ``None`` where too many wait with it."""
        polls = self._polls.setdefault(number, [])
        if len(polls) >= _BY_ONE:
            yield None
            return
        mine = Poll()
        polls.append(mine)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_around())
        try:
            yield mine
        finally:
            polls.remove(mine)
            if not polls:
                del self._polls[number]

    def close(self) -> None:
        """Let all of them go: the server ends."""
        self.closed = True
        for polls in self._polls.values():
            for poll in polls:
                poll.wake()
        if self._watch is not None:
            self._watch.cancel()

    async def _look_around(self) -> None:
        going, orders = None, None
        while self._polls:
            try:
                pushes = (await self.desk.read(self.reader.standing)).going
                counted = await self.desk.read(self.reader.counted_orders)
                if orders != counted:
                    await self._ordered()
                if going != pushes:
                    await self._pushed()
                going, orders = pushes, counted
            except SchoolbagError as error:  # it is asked again
                self.warn(error)
            await asyncio.sleep(_LOOK)

    async def _ordered(self) -> None:
        """Wake those whose orders are others than they were."""
        now = await self.desk.read(self.reader.orders)
        concerned = {unit for unit, _ in now ^ self._orders} | {""}
        self._orders = now
        for polls in self._polls.values():
            for poll in polls:
                if poll.unit in concerned:
                    poll.wake()

    async def _pushed(self) -> None:
        """Wake those who should have something else than what they fetched."""
        found = await self.desk.work(self.reader.some, list(self._polls))
        for number, known in found.items():
            if known.wanted != known.fetched:
                for poll in self._polls.get(number, ()):
                    poll.wake()
