"""Bringing what is attached at a site to the release in force: the site's own ``fleet provision``, line by line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from fleet.home import Home, Options
from fleet.remote.wire.frames import Cut, Message

ALIVE = 10.0
"""Seconds of silence after which the site says that it is still at it."""

_LONGEST = 2**18
_COMPLAINT = 4096
_ALL = ("*",)


def bring(
    home: Home, options: Options, profile: str, only: Sequence[str] | None, send: Callable[[Message], None]
) -> tuple[int, str]:
    """Run it to its end; its exit code (0 to 255), and the error that it ended with, or "".

    ``only``: the serials of the devices that are meant, where it is not all that is attached. Each line of JSON is sent
    as ``line``. When the hub is gone the run goes on: devices are at work, and the next contact takes over what it
    recorded.
    """
    with tempfile.TemporaryFile() as complaints, tempfile.NamedTemporaryFile(prefix="fleet-", suffix=".txt") as meant:
        meant.write("\n".join(_ALL if only is None else only).encode())
        meant.flush()
        command = _command(home, options, profile, meant.name)
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, env=os.environ
        ) as run:
            assert run.stdout is not None
            _tell(run.stdout, send)
            code = run.wait()
        complaints.seek(max(0, complaints.tell() - _COMPLAINT))
        said = complaints.read().decode(errors="replace").split("\n")
    error = next((line for line in said if line.startswith("Error: ")), "").removeprefix("Error: ")
    return code % 256, error


def _command(home: Home, options: Options, profile: str, meant: str) -> list[str]:
    database = ["--database", options.database] if options.database else []
    chosen = ["--profile", profile] if profile else []
    whole = [sys.executable, "-m", "cli", "--home", str(home.path), *database, "provision", "--all", "--only", meant]
    return [*whole, "--release", "current", "--json", *chosen]


def _tell(said: IO[bytes], send: Callable[[Message], None]) -> None:
    teller = _Teller(send)
    with alive(teller.tell):
        for line in iter(lambda: said.readline(_LONGEST), b""):
            with contextlib.suppress(ValueError):
                teller.tell({"line": json.loads(line)})


@contextlib.contextmanager
def alive(tell: Callable[[Message], None]) -> Iterator[None]:
    """Say every few seconds that the site is still at it, as long as this lasts."""
    over = threading.Event()
    beat = threading.Thread(target=_beat, args=(over, _Teller(tell)), daemon=True)
    beat.start()
    try:
        yield
    finally:
        over.set()
        beat.join()


class _Teller:
    """Two threads tell; after the hub has gone nobody does."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._one_at_a_time = threading.Lock()
        self._gone = False

    def tell(self, message: Message) -> None:
        with self._one_at_a_time:
            if not self._gone:
                try:
                    self._send(message)
                except Cut:
                    self._gone = True


def _beat(over: threading.Event, teller: _Teller) -> None:
    while not over.wait(ALIVE):
        teller.tell({"alive": True})
