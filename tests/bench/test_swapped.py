"""Phones that change places in the middle of work: adb lists them at another port, under another transport."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_watch import reported, watching
from tests.benches import Bench
from tests.fleets import Fleet

StartBench = Callable[[dict[str, Any]], Bench]

_LISTS = ("host:devices-l", "host:track-devices-l")
_LINE = re.compile(rb"^(\S+)( +\S+) ", re.MULTILINE)


class OnUsb:
    """The real adb server with its phones on USB ports: virtual phones hang on none, so each line that lists one gets
    the ``usb:`` field that a cable would give it. All else passes through unread."""

    def __init__(self, adb_port: int) -> None:
        self.ports: dict[str, str] = {}
        self._adb_port = adb_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
        for one in (self._listener, *self._open):
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._adb_port))
                self._open += [client, server]
                self._threads.append(threading.Thread(target=self._serve, args=(client, server)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            head = _exact(client, 4)
            question = _exact(client, int(head, 16))
            server.sendall(head + question)
            if question.decode() in _LISTS:
                client.sendall(_exact(server, 4))
                while True:
                    listing = self._placed(_exact(server, int(_exact(server, 4), 16)))
                    client.sendall(b"%04x" % len(listing) + listing)
            _pass_on(client, server)
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _placed(self, listing: bytes) -> bytes:
        def place(line: re.Match[bytes]) -> bytes:
            return b"%s%s usb:%s " % (line[1], line[2], self.ports[line[1].decode()].encode())

        return _LINE.sub(place, listing)


def _exact(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source in select.select([one, other], [], [])[0]:
            data = source.recv(1 << 16)
            if not data:
                return
            (other if source is one else one).sendall(data)


@pytest.fixture
def on_usb(adb_server: int) -> Iterator[OnUsb]:
    usb = OnUsb(adb_server)
    yield usb
    usb.close()


def test_phones_that_change_places_are_followed(on_usb: OnUsb, virtual_bench: StartBench, tmp_path: Path) -> None:
    """Both runs end where their phones were, both phones are served where they are, and nothing is sent twice."""
    slow = {"preset": "pixel-13", "faults": [{"kind": "slow_link", "rate": 20000}]}
    bench = virtual_bench({"devices": [slow, slow]})
    first, second = bench.devices
    on_usb.ports = {first.address: "1-1", second.address: "1-2"}
    fleet = Fleet(tmp_path / "home", on_usb.port)
    with watching(fleet) as watch:
        for phone in bench.devices:
            watch.wait_for(lambda row, a=phone.address: row["event"] == "bytes" and row["address"] == a)  # type: ignore[misc]
        for phone in bench.devices:
            bench.send({"do": "unplug", "serial": phone.serial})
        on_usb.ports = {first.address: "1-2", second.address: "1-1"}
        for phone in bench.devices:
            bench.send({"do": "clear_faults", "serial": phone.serial})
            bench.send({"do": "plug", "serial": phone.serial})
        for phone in bench.devices:
            watch.wait_for(reported(phone.serial, "failed"))
            watch.wait_for(reported(phone.serial, "partial"))
        code, err = watch.end()
    assert (code, "Traceback" in err) == (130, False)
    for phone, ports in ((first, ["1-1", "1-2"]), (second, ["1-2", "1-1"])):
        begun = [row["port"] for row in watch.lines if row["event"] == "device" and row["address"] == phone.address]
        assert begun == ports
        state: dict[str, Any] = bench.state(phone.serial)
        assert max(state["installs"].values()) == 1
        assert not state["sessions"]
        shown = fleet("unit", "show", phone.serial, "--json")
        assert shown.code == 0, shown.err
        assert shown.lines[0]["run"]["port"] == ports[-1]
    assert not [row for row in watch.lines if row["event"] == "port"], "two pulled cables are no bad port"
    assert fleet("ledger", "verify").code == 0
