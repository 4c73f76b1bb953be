"""A server of agents on uvicorn, with the patience of one that talks to strangers."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fleet.remote.agents.app import app
from fleet.remote.agents.front import Networks
from fleet.remote.agents.service import Service

_HEADERS = 20.0
"""Seconds in which a request has to begin, and its header to come whole."""

_GRACE = 10
_KEEP_ALIVE = 15
_SPARE = 200
"""Files that a process needs beside connections."""


@dataclass(frozen=True)
class Place:
    """Where a server listens, and what it shows for itself: files of its certificate and key, or none (plain http)."""

    socket: socket.socket
    certificate: Path | None = None
    key: Path | None = None
    behind: Networks = ()


class Server(uvicorn.Server):
    """Serves until it is told to leave; those who wait for news are let go then."""

    def __init__(self, service: Service, place: Place) -> None:
        config = uvicorn.Config(
            app(service, behind=place.behind),
            http=_Impatient,
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=place.certificate,
            ssl_keyfile=place.key,
            limit_concurrency=most_connections(),
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
            lifespan="on",
        )
        super().__init__(config)
        self.ended_by = 0
        self._service = service
        self._place = place

    async def attend(self) -> None:
        """Serve. In the main thread SIGTERM and Ctrl-C end it; ``ended_by`` is which of them did."""
        loop = asyncio.get_running_loop()
        with suppress(RuntimeError, ValueError):  # only the main thread hears signals
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.leave, number)
        await self.serve([self._place.socket])

    def leave(self, number: int = 0) -> None:
        """Take no more, and end what is under way."""
        self.ended_by = number
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.waiting.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """They are ours."""
        yield


class _Impatient(H11Protocol):
    """Closes a connection on which no request begins: whoever sends a header a byte a minute holds nothing for long.
    Nor does one whom we have left, and who takes nothing of what is on its way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self, cycle: Any) -> None:
        self._timer = self.loop.call_later(_HEADERS, self._look, cycle)

    def _look(self, before: Any) -> None:
        if self.transport.is_closing():
            self.transport.abort()
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is before:
            self.transport.close()
        else:
            self._watch(self.cycle if idle else object())


def most_connections() -> int:
    """As many as this process may have files for; the limit of the system is raised as far as it lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(_SPARE, min(soft if soft != resource.RLIM_INFINITY else 2**16, 2**16) - _SPARE)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)
