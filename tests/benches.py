"""The virtual bench as a test uses it: the real process, driven through its own orders."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_PATIENCE = 60.0


@dataclass(frozen=True)
class VirtualDevice:
    """A device of the bench. ``address`` is its name at the adb server, or the UDID of an iPhone or iPad."""

    address: str
    serial: str
    preset: str


class Bench:
    """A running bench. ``events`` are all its lines so far; ``close`` ends it and fails when it died or complained.

    ``port`` is the adb server's (0 without one), ``usbmuxd`` for ``USBMUXD_SOCKET_ADDRESS`` and
    ``activation_server`` in place of Apple's ("" without iPhones).
    """

    def __init__(self, adb_port: int | None, spec: Mapping[str, Any], home: Path) -> None:
        self.port = adb_port or 0
        path = home / "bench.json"
        path.write_text(json.dumps(spec), "utf-8")
        self._stderr = (home / "bench.err").open("w+b")
        argv = [sys.executable, "-m", "provision.virtual.bench", "--spec", str(path)]
        if adb_port is not None:
            argv += ["--adb-port", str(adb_port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(home)}
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=environment, cwd=ROOT
        )
        self.events: list[dict[str, Any]] = []
        self._ended = False
        self._changed = threading.Condition()
        self._ids = itertools.count(1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            ready = self.wait_for(lambda event: event["event"] == "ready")
        except BaseException:
            self._kill()
            raise
        self.usbmuxd = str(ready.get("usbmuxd", ""))
        self.activation_server = str(ready.get("activation_server", ""))
        self.devices = [VirtualDevice(**row) for row in ready["devices"]]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = _PATIENCE) -> dict[str, Any]:
        """The first event of that kind, which may have come already."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [event for event in self.events if wanted(event)][:1]
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(look, timeout)
        if not found:
            raise AssertionError(
                f"no such event; the bench said {self.events[-5:]} and complained {self._complaints()}"
            )
        return found[0]

    def send(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order; its answer, which is an event ``done``, ``state`` or ``refused``."""
        number = next(self._ids)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**order, "id": number}).encode() + b"\n")
        self._process.stdin.flush()
        return self.wait_for(lambda event: event.get("id") == number)

    def state(self, serial: str) -> dict[str, Any]:
        """All that the phone holds; see ``Device.state``."""
        found: dict[str, Any] = self.send({"do": "state", "serial": serial})["state"]
        return found

    def close(self) -> None:
        self._process.terminate()
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill()
            raise
        complaints = self._complaints()
        self._release()
        assert not complaints, complaints
        assert status == 0

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        self._reader.join(_PATIENCE)
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            if file is not None:
                file.close()

    def _complaints(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")
