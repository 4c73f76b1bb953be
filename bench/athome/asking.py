"""Asks a server as fast as it answers, over connections that stay open."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass
class Asked:
    """``answers`` in ``seconds``; ``bad`` of them were not 200; ``times`` of each, in seconds, sorted."""

    answers: int
    bad: int
    seconds: float
    times: list[float]

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


@dataclass
class _Link(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, asks again."""

    words: Iterator[bytes]
    until: float
    times: list[float] = field(default_factory=list)
    bad: int = 0
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _heard: bytearray = field(default_factory=bytearray)
    _began: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            now = time.perf_counter()
            self.times.append(now - self._began)
            self.bad += not head.startswith(b"HTTP/1.1 200")
            self._heard.clear()
            if now < self.until:
                self._ask()
            else:
                self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(next(self.words))


def ask(port: int, requests: Sequence[bytes], *, seconds: float, links: int = 16) -> Asked:
    """Ask for so long over so many connections, all requests in turn."""
    return asyncio.run(_ask(port, requests, seconds, links))


async def _ask(port: int, requests: Sequence[bytes], seconds: float, links: int) -> Asked:
    words = itertools.cycle(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made = [
        (await loop.create_connection(lambda: _Link(words, began + seconds), "127.0.0.1", port))[1]
        for _ in range(links)
    ]
    await asyncio.gather(*(link.done for link in made))
    times = sorted(itertools.chain.from_iterable(link.times for link in made))
    return Asked(len(times), sum(link.bad for link in made), time.perf_counter() - began, times)
