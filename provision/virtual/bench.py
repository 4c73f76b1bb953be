"""A standing bench of virtual devices: the one process that runs them.

It says what happens as JSON lines. The first is
``{"event":"ready","adb_port":N,"usbmuxd":"127.0.0.1:N","devices":[{"address":…,"serial":…,"preset":…}]}`` (``adb_port``
where there are Android devices, ``usbmuxd`` where there are iPhones or iPads); then ``plugged``, ``unplugged``,
``fault``, ``reboot``, ``erased``, and while traced ``service`` and ``program``. It takes orders as JSON lines:
``{"do": "unplug"|"plug"|"fault"|"clear_faults"|"state"|"trace", "serial": …}``, and for iPhones ``trust``, ``deny``,
``lock``, ``unlock``, ``tap_install``, ``finish_setup``, ``clock`` (``seconds`` pass), ``sign_in`` and ``sign_out``; for
Android devices ``internet``, ``agent``, ``reboot``, ``reset``, ``clone``, ``sim``, ``withdraw``, ``remove_owner``,
``add_account`` and ``clock`` (moved by ``seconds``);
``usbmuxd`` and ``activation_server`` (``on``) need no ``serial``. Each is answered by one line ``done``, ``state`` or
``refused``, with the ``id`` of the order if it had one.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from provision.virtual import spec as specs
from provision.virtual.faults import Fault
from provision.virtual.pace import Pace
from provision.virtual.spec import BenchSpec

Order = Mapping[str, Any]


class Standing(Protocol):
    """A virtual device, of whatever platform."""

    traced: bool

    @property
    def address(self) -> str: ...
    @property
    def serial(self) -> str: ...
    @property
    def preset(self) -> str: ...

    def plug(self) -> None: ...
    def unplug(self, replug_after: float | None = None) -> None: ...
    def set_fault(self, fault: Fault) -> None: ...
    def clear_faults(self) -> None: ...
    def state(self) -> dict[str, Any]: ...


class Party(Protocol):
    """The devices of one platform."""

    @property
    def devices(self) -> Sequence[Standing]: ...

    def plug_all(self) -> None: ...
    def ready(self) -> Mapping[str, Any]: ...
    def fault(self, tree: Mapping[str, Any], /) -> Fault: ...
    def orders(self, device: Any, /) -> Mapping[str, Callable[[Order], object]]: ...
    def common_orders(self) -> Mapping[str, Callable[[Order], object]]: ...
    def close(self) -> None: ...


class Bench:
    """The devices of a spec, kept in the directory ``home``. ``adb_port`` is needed for Android devices only."""

    def __init__(self, spec: BenchSpec, adb_port: int | None, home: Path) -> None:
        self._early: list[Mapping[str, Any]] = []
        self._say: Callable[[Mapping[str, Any]], None] = self._early.append
        self._saying = threading.Lock()
        buses = {name: Pace(rate) for name, rate in spec.rates.items()}
        self._parties: list[Party] = []
        if spec.androids:
            if adb_port is None:
                raise ValueError("Android devices need the port of an adb server")
            from provision.virtual.android.bench import Androids

            self._parties.append(Androids(spec.androids, adb_port, home, buses, self._event))
        if spec.iphones:
            from provision.virtual.ios.bench import Iphones

            self._parties.append(Iphones(spec.iphones, home, buses, self._event))

    def _event(self, event: Mapping[str, Any]) -> None:
        with self._saying:
            self._say(event)

    def ready(self) -> Mapping[str, Any]:
        where = {key: value for party in self._parties for key, value in party.ready().items()}
        rows = [
            {"address": device.address, "serial": device.serial, "preset": device.preset}
            for party in self._parties
            for device in party.devices
        ]
        return {"event": "ready"} | where | {"devices": rows}

    def run(self, say: Callable[[Mapping[str, Any]], None], commands: TextIO, *, until_eof: bool) -> None:
        """Attach all devices, say ``ready`` first and then what happens, and obey until it is time to end."""
        with _ending() as stop:
            for party in self._parties:
                party.plug_all()
            with self._saying:
                for event in (self.ready(), *self._early):
                    say(event)
                self._say = say
            for line in _orders(commands, stop, until_eof=until_eof):
                self.obey(line)

    def close(self) -> None:
        """Take all devices away."""
        for party in self._parties:
            party.close()

    def obey(self, line: str) -> None:
        """Carry out one order and answer it."""
        answer: dict[str, Any] = {}
        try:
            order = json.loads(line)
            answer = {"id": order["id"]} if "id" in order else {}
            self._event(self._do(order) | answer)
        except KeyError as error:
            self._event({"event": "refused", "why": f"the order has no {error}"} | answer)
        except (ValueError, TypeError, AttributeError, OSError) as error:
            self._event({"event": "refused", "why": f"{type(error).__name__}: {error}"} | answer)

    def _do(self, order: Order) -> dict[str, Any]:
        common = {name: do for party in self._parties for name, do in party.common_orders().items()}
        if order["do"] in common:
            common[order["do"]](order)
            return {"event": "done", "do": order["do"]}
        party, device = self._find(order["serial"])
        if order["do"] == "state":
            return {"event": "state", "serial": device.serial, "state": device.state()}
        orders: dict[str, Callable[[Order], object]] = {
            "unplug": lambda order: device.unplug(order.get("replug_after")),
            "plug": lambda _: device.plug(),
            "fault": lambda order: device.set_fault(party.fault(order["fault"])),
            "clear_faults": lambda _: device.clear_faults(),
            "trace": lambda order: setattr(device, "traced", bool(order.get("on", True))),
            **party.orders(device),
        }
        if order["do"] not in orders:
            raise ValueError(f"do must be one of {', '.join(['state', *orders, *common])}")
        orders[order["do"]](order)
        return {"event": "done", "do": order["do"], "serial": device.serial}

    def _find(self, serial: str) -> tuple[Party, Standing]:
        found = [
            (party, device)
            for party in self._parties
            for device in party.devices
            if serial in (device.serial, device.address)
        ]
        if len(found) != 1:
            raise ValueError(f"{len(found)} devices with serial {serial!r}")
        return found[0]


def serve(spec: BenchSpec, adb_port: int | None, out: TextIO, commands: TextIO, *, until_eof: bool = False) -> None:
    """Run the bench until SIGINT or SIGTERM (``until_eof``: or the end of ``commands``), then take it all away.

    Raises OSError without an adb server where one is needed. Must run in the main thread.
    """

    def say(event: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            out.write(json.dumps(event, ensure_ascii=True) + "\n")
            out.flush()

    with tempfile.TemporaryDirectory(prefix="virtual-bench-", ignore_cleanup_errors=True) as home:
        bench = Bench(spec, adb_port, Path(home))
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
    """``python -m provision.virtual.bench [--adb-port N] [--spec FILE | --phones N --iphones M]``"""
    parser = argparse.ArgumentParser(prog="bench", description="Virtual devices behind an adb server and a usbmuxd.")
    parser.add_argument("--adb-port", type=int)
    parser.add_argument("--spec", type=Path)
    parser.add_argument("--phones", type=int, default=0)
    parser.add_argument("--iphones", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input ends")
    given = parser.parse_args()
    try:
        spec = specs.read(given.spec) if given.spec else specs.spec_for(given.phones, given.iphones)
        serve(specs.parse(spec), given.adb_port, sys.stdout, sys.stdin, until_eof=given.until_eof)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
