"""Simulated sites: one program that answers for all of them, in the frames of the real protocol, over TCP.

    python -m bench.far.sites DEVICES LATENCY FAILURES    (prints its port)

A connection begins with the number of the site in a line; in place of SSH there is a wait of as many round trips as an
SSH connection takes. Every answer waits for a round trip. Nothing is kept of what is sent, and no signature or hash is
checked: that is work of the sites' own computers. Of all contacts that share breaks, anywhere; one in four of these is
refused instead, as by a disk that is full.
"""

from __future__ import annotations

import contextlib
import io
import random
import socket
import socketserver
import sys
import time
from collections import defaultdict
from typing import Any

from bench.far.recorded import Recorded, bench_of, recorded
from fleet.remote.releases.manifest import parse
from fleet.remote.wire.frames import Cut, Malformed, Message, Stream
from fleet.remote.wire.serve import VERSION

ROUND_TRIPS = 5
"""Of an SSH connection: TCP, versions and keys, the service, the user's key, the channel."""


class Socket:
    """A pipe."""

    def __init__(self, one: socket.socket) -> None:
        self._one = one

    def read(self, most: int) -> bytes:
        return self._one.recv(most)

    def write(self, data: bytes | memoryview) -> None:
        self._one.sendall(data)


class Sites(socketserver.ThreadingTCPServer):
    """All of them. ``release`` and ``trusts``: what each has, and whom it believes; by their numbers."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, devices: int, latency: float, failures: float) -> None:
        super().__init__(("127.0.0.1", 0), _Contact)
        self.latency, self.failures = latency, failures
        self.recorded: Recorded = recorded(devices)
        self.release: dict[int, tuple[int, str]] = {}
        self.trusts: set[int] = set()
        self.contacts: dict[int, int] = defaultdict(int)
        self.verdicts = {"verified": devices - devices // 5, "partial": devices // 5}


class _Contact(socketserver.BaseRequestHandler):
    server: Sites

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = b""
        while not number.endswith(b"\n"):
            number += self.request.recv(1)
        self._site = int(number)
        self.server.contacts[self._site] += 1
        dice = random.Random(f"{self._site} {self.server.contacts[self._site]}")
        self._breaks = dice.randrange(8) if dice.random() < self.server.failures else -1
        self._refuses = dice.random() < 0.25
        self._stream = Stream(Socket(self.request))
        time.sleep(self.server.latency * ROUND_TRIPS)
        with contextlib.suppress(Cut, Malformed):
            self._stream.greet()
            self._serve()

    def _serve(self) -> None:
        asked = 0
        while True:
            request = self._stream.receive()
            if asked == self._breaks:
                if self._refuses:
                    self._stream.send({"error": "The disk is full.", "next": "Free some space there."})
                return
            asked += 1
            if request["do"] == "put":
                for _ in self._stream.receive_bytes(request["size"] - request["offset"]):
                    pass
                continue
            answer = self._answer(request)
            time.sleep(self.server.latency)
            self._send(request["do"], answer)
            if request["do"] == "bye":
                return

    def _answer(self, request: Message) -> Any:
        match request["do"]:
            case "hello":
                return self._hello()
            case "trust":
                self.server.trusts.add(self._site)
            case "offer":
                content = b"".join(self._stream.receive_bytes(request["size"]))
                self._offered = parse(content)
                return {"missing": [[sha256, 0] for sha256 in self._offered.blobs]}
            case "activate":
                self.server.release[self._site] = (self._offered.number, self._offered.digest)
                return {"release": self._offered.number, "digest": self._offered.digest}
            case "ledger":
                return self.server.recorded.of(self._site, request["after"])
        return {}

    def _send(self, do: str, answer: Any) -> None:
        if do == "ledger":
            self._stream.send({"size": len(answer)})
            self._stream.send_bytes(io.BytesIO(answer), len(answer))
            self._stream.send({"mark": "1"})
        elif do == "bring":
            for verdict, count in self.server.verdicts.items():
                for _ in range(count):
                    self._stream.send({"line": {"event": "report", "verdict": verdict}})
            self._stream.send({"exit": 0, "error": ""})
        else:
            self._stream.send(answer)

    def _hello(self) -> Message:
        number, digest = self.server.release.get(self._site, (None, None))
        return {
            "v": VERSION,
            "fleet": "0.1.0",
            "bench": bench_of(self._site),
            "name": f"bench {self._site}",
            "now": int(time.time()),
            "zone": 420,
            "free": 10**10,
            "release": number,
            "digest": digest,
            "mark": "1",
            "trusts": self._site in self.server.trusts,
        }


def main() -> int:
    devices, latency, failures = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    with Sites(devices, latency, failures) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
