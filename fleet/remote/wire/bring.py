"""Bringing what is attached at a site to the release in force: the site's own ``fleet provision``, line by line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from fleet.home import Home, Options
from fleet.remote.wire.frames import Cut, Message

ALIVE = 10.0
"""Seconds of silence after which the site says that it is still at it."""

_LONGEST = 2**18


def bring(home: Home, options: Options, profile: str, send: Callable[[Message], None]) -> int:
    """Run it to its end; its exit code. Each line of JSON is sent as ``line``.

    When the hub is gone the run goes on: devices are at work, and the next contact takes over what it recorded.
    """
    chosen = ["--profile", profile] if profile else []
    database = ["--database", options.database] if options.database else []
    command = [sys.executable, "-m", "cli", "--home", str(home.path), *database]
    command += ["provision", "--all", "--release", "current", "--json", *chosen]
    said = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=os.environ) as run:
        teller = _Teller(send)
        beat = threading.Thread(target=_beat, args=(said, teller), daemon=True)
        beat.start()
        assert run.stdout is not None
        for line in iter(lambda: run.stdout.readline(_LONGEST), b""):  # type: ignore[union-attr]
            with contextlib.suppress(ValueError):
                teller.tell({"line": json.loads(line)})
        code = run.wait()
        said.set()
        beat.join()
    return code


class _Teller:
    """Two threads tell; after the hub has gone nobody does."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._one_at_a_time = threading.Lock()
        self._gone = False

    def tell(self, message: dict[str, Any]) -> None:
        with self._one_at_a_time:
            if not self._gone:
                try:
                    self._send(message)
                except Cut:
                    self._gone = True


def _beat(over: threading.Event, teller: _Teller) -> None:
    while not over.wait(ALIVE):
        teller.tell({"alive": True})
