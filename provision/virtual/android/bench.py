"""A standing bench of virtual phones behind an adb server: the one process that runs them.

It says what happens as JSON lines. The first is
``{"event":"ready","adb_port":N,"devices":[{"address":…,"serial":…,"preset":…}]}``; then ``plugged``, ``unplugged``,
``fault``, ``reboot``, and while traced ``service`` and ``program``. It takes orders as JSON lines:
``{"do": "unplug"|"plug"|"fault"|"clear_faults"|"state"|"trace", "serial": …}``; each is answered by one line
``done``, ``state`` or ``refused``, with the ``id`` of the order if it had one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from provision.virtual.android import faults, presets
from provision.virtual.android import spec as specs
from provision.virtual.android.device import Device
from provision.virtual.android.files import Files
from provision.virtual.android.phone import Phone
from provision.virtual.android.server import AdbServer
from provision.virtual.android.spec import BenchSpec, DeviceSpec
from provision.virtual.pace import Pace

_AT_ONCE = 8


class Bench:
    """The phones of a spec, kept in the directory ``home``."""

    def __init__(self, spec: BenchSpec, adb_port: int, home: Path) -> None:
        self._early: list[Mapping[str, Any]] = []
        self._say: Callable[[Mapping[str, Any]], None] = self._early.append
        self._saying = threading.Lock()
        self.adb_port = adb_port
        server = AdbServer(adb_port)
        buses = {name: Pace(rate) for name, rate in spec.rates.items()}
        self.devices = [
            self._make(device, server, home / str(number), buses) for number, device in enumerate(spec.devices)
        ]

    def _make(self, spec: DeviceSpec, server: AdbServer, home: Path, buses: Mapping[str, Pace]) -> Device:
        api = presets.resolve(spec.preset, spec.overrides)["api"]
        files = Files(home, api, spec.capacity, deny_app_dirs=spec.deny_app_dirs)
        phone = Phone(spec.preset, spec.overrides, files)
        device = Device(phone, server, self._event, buses=(buses[spec.link],) if spec.link else ())
        for fault in spec.faults:
            device.set_fault(fault)
        return device

    def _event(self, event: Mapping[str, Any]) -> None:
        with self._saying:
            self._say(event)

    def plug_all(self) -> None:
        """Attach all phones that are not spoken for by a fault. OSError when there is no adb server.

        One after another: the server of adb 29 dies now and then of several connections at once.
        """
        for device in self.devices:
            device.plug()

    def ready(self) -> Mapping[str, Any]:
        rows = [
            {"address": device.address, "serial": device.phone.serial, "preset": device.phone.preset}
            for device in self.devices
        ]
        return {"event": "ready", "adb_port": self.adb_port, "devices": rows}

    def run(self, say: Callable[[Mapping[str, Any]], None], commands: TextIO, *, until_eof: bool) -> None:
        """Attach all phones, say ``ready`` first and then what happens, and obey until it is time to end."""
        with _ending() as stop:
            self.plug_all()
            with self._saying:
                for event in (self.ready(), *self._early):
                    say(event)
                self._say = say
            for line in _orders(commands, stop, until_eof=until_eof):
                self.obey(line)

    def close(self) -> None:
        """Take all phones away."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(Device.close, self.devices))

    def obey(self, line: str) -> None:
        """Carry out one order and answer it."""
        answer: dict[str, Any] = {}
        try:
            order = json.loads(line)
            answer = {"id": order["id"]} if "id" in order else {}
            self._event(self._do(order) | answer)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            self._event({"event": "refused", "why": f"{type(error).__name__}: {error}"} | answer)

    def _do(self, order: Mapping[str, Any]) -> dict[str, Any]:
        found = [device for device in self.devices if order["serial"] in (device.phone.serial, device.address)]
        if len(found) != 1:
            raise ValueError(f"{len(found)} devices with serial {order['serial']!r}")
        device = found[0]
        if order["do"] == "state":
            return {"event": "state", "serial": device.phone.serial, "state": device.state()}
        orders: dict[str, Callable[[], object]] = {
            "unplug": lambda: device.unplug(order.get("replug_after")),
            "plug": device.plug,
            "fault": lambda: device.set_fault(faults.parse(order["fault"])),
            "clear_faults": device.clear_faults,
            "trace": lambda: setattr(device, "traced", bool(order.get("on", True))),
        }
        if order["do"] not in orders:
            raise ValueError(f"do must be one of state, {', '.join(orders)}")
        orders[order["do"]]()
        return {"event": "done", "do": order["do"], "serial": device.phone.serial}


def serve(spec: Mapping[str, Any], adb_port: int, out: TextIO, commands: TextIO, *, until_eof: bool = False) -> None:
    """Run the bench until SIGINT or SIGTERM (``until_eof``: or the end of ``commands``), then take it all away.

    Raises ValueError for a spec that cannot be, OSError without an adb server. Must run in the main thread.
    """
    parsed = specs.parse(spec)

    def say(event: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            out.write(json.dumps(event, ensure_ascii=True) + "\n")
            out.flush()

    with tempfile.TemporaryDirectory(prefix="virtual-android-", ignore_cleanup_errors=True) as home:
        bench = Bench(parsed, adb_port, Path(home))
        try:
            bench.run(say, commands, until_eof=until_eof)
        finally:
            bench.close()


@contextlib.contextmanager
def _ending() -> Iterator[socket.socket]:
    """A socket that becomes readable when a signal asks the process to end."""
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    previous = signal.set_wakeup_fd(wake.fileno())
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        wake.close()
        woken.close()


def _orders(commands: TextIO, stop: socket.socket, *, until_eof: bool) -> Iterator[str]:
    """The lines of ``commands`` as they come, until a signal does."""
    watched: list[Any] = [stop, commands]
    waiting = b""
    while True:
        ready, _, _ = select.select(watched, [], [])
        if stop in ready:
            return
        part = commands.buffer.raw.read(65536) if hasattr(commands.buffer, "raw") else commands.buffer.read()
        if not part:
            if until_eof:
                return
            watched.remove(commands)
        waiting += part or b""
        *lines, waiting = waiting.split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines if line.strip())


def main() -> int:
    """``python -m provision.virtual.android.bench --adb-port N [--spec FILE | --phones N]``"""
    parser = argparse.ArgumentParser(prog="bench", description="Virtual Android phones behind an adb server.")
    parser.add_argument("--adb-port", type=int, required=True)
    parser.add_argument("--spec", type=Path)
    parser.add_argument("--phones", type=int, default=4)
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input ends")
    given = parser.parse_args()
    try:
        spec = specs.read(given.spec) if given.spec else specs.spec_for(given.phones)
        serve(spec, given.adb_port, sys.stdout, sys.stdin, until_eof=given.until_eof)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
