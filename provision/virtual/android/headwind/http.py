"""The agent's HTTP client: one request per connection, signed as its build does (facts §3.5)."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from provision.virtual.android.headwind.memory import Memory, server_of
from provision.virtual.android.internet import Internet

TIMEOUT = 10.0
LONG_POLL_TIMEOUT = 300.0
_MOST = 16 << 20
NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes
    signature: str = ""

    @property
    def well(self) -> bool:
        return 200 <= self.status < 300

    def tree(self) -> dict[str, Any]:
        """The JSON object in it. ValueError when there is none."""
        found = json.loads(self.body)
        if not isinstance(found, dict):
            raise ValueError("no JSON object")  # noqa: TRY004  (the server is wrong, not the program)
        return found


@dataclass
class Client:
    """``secret`` is the one of the build, ``processor`` what the phone calls its processor."""

    internet: Internet
    secret: str
    processor: str

    def __post_init__(self) -> None:
        self._running: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()
        self._ended = False

    def sign(self, text: str) -> str:
        return hashlib.sha1((self.secret + text).encode()).hexdigest().upper()  # noqa: S324  (the agent's own)

    def expected(self, body: bytes) -> str:
        """What has to sign an answer: its ``data`` as it stands there, without white space."""
        text = body.decode("utf-8", "replace")
        _, marker, rest = text.partition('"data":')
        return self.sign(re.sub(r"\s", "", rest[:-1])) if marker else ""

    def exchange(self, memory: Memory, method: str, path: str, *, body: Any = None, signed: str = "") -> Reply | None:
        """Ask the server, then the secondary one when the first cannot be reached. None: neither can.

        ``path`` starts behind the project. An answer of whatever status is one.
        """
        where = f"{project_path(memory)}{path}"
        for base in (memory.base, memory.secondary):
            with contextlib.suppress(*NO_ANSWER):
                return self.ask(method, base, where, body=body, signed=signed)
        return None

    def ask(
        self, method: str, base: str, path: str, *, body: Any = None, signed: str = "", timeout: float = TIMEOUT
    ) -> Reply:
        """One request of one server. Raises what is in NO_ANSWER."""
        headers = {"X-CPU-Arch": self.processor, "User-Agent": "okhttp/4.9.1"}
        if signed:
            headers["X-Request-Signature"] = self.sign(signed)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        with self._opened(f"{server_of(base)[0]}{path}", timeout) as (link, target):
            link.request(method, target, body=data, headers=headers)
            answer = link.getresponse()
            found = answer.read(_MOST)
            return Reply(answer.status, found, answer.headers.get("X-Response-Signature", ""))

    def download(self, url: str, write: Callable[[bytes], object]) -> None:
        """All bytes of a file or an APK. Raises what is in NO_ANSWER; the answer has to be 200, in full."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "Dalvik/2.1.0"}
        _, marker, name = url.partition("/files/")
        if marker:  # without it the URL is another's, and gets no signature
            headers["X-Request-Signature"] = self.sign(name)
        with self._opened(url, TIMEOUT) as (link, target):
            link.request("GET", target, headers=headers)
            answer = link.getresponse()
            if answer.status != http.client.OK:
                raise ValueError(f"Bad server response for {url}: {answer.status}")
            while part := answer.read(65536):
                write(part)
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)

    @contextlib.contextmanager
    def _opened(self, url: str, timeout: float) -> Any:
        parts = urlsplit(url)
        base, _ = server_of(url)
        tls = base.startswith("https:")
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        link = self.internet.connection(
            parts.hostname or "", parts.port or (443 if tls else 80), tls=tls, timeout=timeout
        )
        with self._lock:
            if self._ended:
                raise ConnectionAbortedError("the agent was stopped")
            self._running.add(link)
        try:
            yield link, target
        finally:
            with self._lock:
                self._running.discard(link)
            link.close()

    def end(self) -> None:
        """The process is killed: whatever is under way breaks, and nothing new begins."""
        with self._lock:
            self._ended = True
            links = [link.sock for link in self._running if link.sock is not None]
        for sock in links:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def project_path(memory: Memory) -> str:
    """What stands in front of every path."""
    return f"/{memory.project}" if memory.project else ""


def number_in_path(number: str) -> str:
    """As it stands in a URL."""
    return quote(number, safe="")


def number_in_signature(number: str) -> str:
    """As ``java.net.URLEncoder`` writes it."""
    return quote_plus(number, safe="*-._")


def poll_paths(memory: Memory, *, long: bool) -> tuple[str, str]:
    """``(path behind the project, what is signed)`` of a request for messages."""
    start = "/rest/notification/polling/" if long else "/rest/notifications/device/"
    return start + number_in_path(memory.number), memory.project + start + number_in_signature(memory.number)
