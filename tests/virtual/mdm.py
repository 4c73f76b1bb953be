"""The other side of the agent: a small HTTP server that says what it is told to say, and keeps what it was asked."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.virtual.agents import SECRET

PATIENCE = 20.0


@dataclass(frozen=True)
class Asked:
    """One request. ``body`` is its JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Reply = tuple[int, bytes]


@dataclass
class Mdm:
    """Its ``config`` is what it answers as ``data``; ``messages`` are given out once, by the next poll."""

    port: int = 0
    secret: str = SECRET
    config: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Reply | None] = lambda _: None
    """Answers in place of the usual one, where it gives any."""
    sign_answers: bool = False
    cut_at: int | None = None
    """After so many bytes of an answer it hangs up."""

    def __post_init__(self) -> None:
        self._changed = threading.Condition()

    def took(self, asked: Asked) -> None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()

    def wait_for(self, path: str, *, count: int = 1, method: str | None = None, timeout: float = PATIENCE) -> Asked:
        """The ``count``-th request whose path holds the expression; it may have come already."""

        def rows() -> list[Asked]:
            return [one for one in self.asked if re.search(path, one.path) and method in {None, one.method}]

        with self._changed:
            assert self._changed.wait_for(lambda: len(rows()) >= count, timeout), [one.path for one in self.asked]
            return rows()[count - 1]

    def signature(self, text: str) -> str:
        return hashlib.sha1((self.secret + text).encode()).hexdigest().upper()

    def reply(self, asked: Asked) -> Reply:
        said = self.answer(asked)
        if said is not None:
            return said
        if "/sync/configuration/" in asked.path:
            return _ok(self.config)
        if "/notification/polling/" in asked.path:
            return _ok(self._messages(wait=0.5))
        if "/notifications/device/" in asked.path:
            return _ok(self._messages(wait=0))
        if "/files/" in asked.path:
            data = self.files.get(asked.path.partition("/files/")[2])
            return (404, b"") if data is None else (200, data)
        return _ok([] if "/log/rules/" in asked.path else None)

    def _messages(self, wait: float) -> list[dict[str, Any]]:
        end = time.monotonic() + wait
        while not self.messages and time.monotonic() < end:
            time.sleep(0.02)
        given, self.messages = self.messages, []
        return given


def _ok(data: Any) -> Reply:
    return 200, json.dumps({"status": "OK", "message": None, "data": data}).encode()


@contextmanager
def serving(tls: ssl.SSLContext | None = None, **told: Any) -> Iterator[Mdm]:
    """A server on a port of this computer, until the end of the block."""
    mdm = Mdm(**told)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(size)
            asked = Asked(self.command, self.path, dict(self.headers), json.loads(data) if data else None)
            mdm.took(asked)
            status, body = mdm.reply(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if mdm.sign_answers and body.startswith(b'{"status": "OK"'):
                text = re.sub(r"\s", "", body.decode().partition('"data":')[2][:-1])
                self.send_header("X-Response-Signature", mdm.signature(text))
            self.end_headers()
            self.wfile.write(body[: mdm.cut_at])
            if mdm.cut_at is not None and len(body) > mdm.cut_at:
                self.close_connection = True

        do_GET = do_POST = do_PUT = _serve  # noqa: N815  (names of the standard library)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # phones hang up when they please

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    mdm.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield mdm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
