"""A TCP proxy between hub and site: it delays, throttles and cuts, as a bad line does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_PIECE = 16 * 1024


@dataclass
class Link:
    """Listens on ``port`` and passes everything to ``target``.

    ``delay``: seconds one way; ``rate``: bytes per second in each direction, 0 without limit. ``cut_after``: bytes from
    the hub after which a connection breaks, once; None never. ``trips``: how often the hub spoke after the site had,
    so many round trips a far site costs; ``passed``: bytes from the hub.
    """

    target: int
    delay: float = 0.0
    rate: int = 0
    cut_after: int | None = None
    passed: int = 0
    trips: int = 0
    connections: int = 0
    breaks: int = 0
    _server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where the hub connects to."""
        return int(self._server.getsockname()[1])

    def cut(self) -> None:
        """Break every connection that is open."""
        for one in self._open:
            _close(one)
        self._open.clear()

    def close(self) -> None:
        """Listen no more, and break what is open."""
        _close(self._server)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                hub, _ = self._server.accept()
                site = socket.create_connection(("127.0.0.1", self.target), 10)
                site.settimeout(None)  # a site may be silent for long
            except OSError:
                return
            self.connections += 1
            self._open += [hub, site]
            budget = [self.cut_after]
            turn = _Turn(self)
            for source, goal, counted in ((hub, site, True), (site, hub, False)):
                threading.Thread(target=self._pass, args=(source, goal, counted, budget, turn), daemon=True).start()

    def _pass(
        self, source: socket.socket, goal: socket.socket, counted: bool, budget: list[int | None], turn: _Turn
    ) -> None:
        queue: list[tuple[float, bytes]] = []
        news = threading.Condition()
        threading.Thread(target=self._deliver, args=(queue, news, goal), daemon=True).start()
        while True:
            try:
                data = source.recv(_PIECE)
            except OSError:
                data = b""
            if data:
                turn.speaks(hub=counted)
            if counted and data:
                self.passed += len(data)
                if budget[0] is not None:
                    budget[0] -= len(data)
            if budget[0] is not None and budget[0] < 0:
                data, budget[0], self.cut_after = b"", None, None
                self.breaks += 1
            if data and self.rate:
                time.sleep(len(data) / self.rate)
            with news:
                queue.append((time.monotonic() + self.delay, data))
                news.notify()
            if not data:
                _close(source)
                return

    def _deliver(self, queue: list[tuple[float, bytes]], news: threading.Condition, goal: socket.socket) -> None:
        while True:
            with news:
                news.wait_for(lambda: queue)
                at, data = queue.pop(0)
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                if not data:
                    raise OSError("the other end closed")
                goal.sendall(data)
            except OSError:
                _close(goal)
                return


class _Turn:
    """Who spoke last on a connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._hub = False

    def speaks(self, *, hub: bool) -> None:
        with self._lock:
            if hub and not self._hub:
                self._link.trips += 1
            self._hub = hub


def _close(one: socket.socket) -> None:
    for close in (lambda: one.shutdown(socket.SHUT_RDWR), one.close):
        _quietly(close)


def _quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except OSError:
        return
