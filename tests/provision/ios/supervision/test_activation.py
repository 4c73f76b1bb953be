"""Activation: with a virtual iPhone's own daemon and the virtual server, and with what else may answer in its place."""

from __future__ import annotations

import contextlib
import plistlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from provision.errors import NeedsOwner, Refused, Stopped
from provision.ios import activation
from provision.ios.actions import Activate, AskActivation, AskOwner
from provision.ios.device import At, IosDevice, attach
from tests.benches import Bench

Iphones = Callable[[Mapping[str, Any]], Bench]
FRESH = {"trust": 0, "activated": False, "set_up": False}


@pytest.fixture
def phone(
    virtual_iphones: Iphones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Bench, IosDevice]]:
    """An iPhone in that state, on a bench whose way to the activation server is the virtual one."""

    def start(**state: Any) -> tuple[Bench, IosDevice]:
        bench = virtual_iphones({"devices": [{"preset": "iphone-17", "state": {**FRESH, **state}}]})
        monkeypatch.setenv("FLEET_ACTIVATION_SERVER", bench.activation_server)
        at = At(bench.devices[0].address, "", tmp_path / "records")
        return bench, attach(at, None, {}, {}, 10)

    return start


def nothing(_: int) -> None:
    pass


def state_of(bench: Bench) -> str:
    return str(bench.state(bench.devices[0].serial)["activation"])


def switch(bench: Bench, *, on: bool) -> None:
    assert bench.send({"do": "activation_server", "on": on})["event"] == "done"


def test_an_erased_device_is_activated(phone: Callable[..., tuple[Bench, IosDevice]]) -> None:
    bench, device = phone()
    device.perform(AskActivation(), nothing)
    assert state_of(bench) == "Unactivated", "to ask changes nothing"
    device.perform(Activate(), nothing)
    assert state_of(bench) == "Activated"
    device.perform(AskActivation(), nothing)


def test_a_device_of_somebody_needs_its_owner(phone: Callable[..., tuple[Bench, IosDevice]]) -> None:
    bench, device = phone(activation_lock=True)
    with pytest.raises(Refused, match="needs its owner") as caught:
        device.perform(Activate(), nothing)
    assert "iCloud.com/find" in caught.value.next_action
    assert state_of(bench) == "Unactivated"


def test_whose_it_is_is_asked_without_any_change(phone: Callable[..., tuple[Bench, IosDevice]]) -> None:
    bench, device = phone()
    device.perform(AskOwner(), nothing)
    assert state_of(bench) == "Unactivated"
    device.perform(Activate(), nothing)
    assert state_of(bench) == "Activated", "and stands in nobody's way"


def test_whose_it_is_is_known_where_it_is_somebodys(phone: Callable[..., tuple[Bench, IosDevice]]) -> None:
    bench, device = phone(activation_lock=True)
    with pytest.raises(NeedsOwner):
        device.perform(AskOwner(), nothing)
    switch(bench, on=False)
    with pytest.raises(Refused, match="needs internet"):
        device.perform(AskOwner(), nothing)


def test_without_internet_it_waits(phone: Callable[..., tuple[Bench, IosDevice]]) -> None:
    bench, device = phone()
    switch(bench, on=False)
    for action in (AskActivation(), Activate()):
        with pytest.raises(Refused, match="needs internet"):
            device.perform(action, nothing)
    assert state_of(bench) == "Unactivated"
    switch(bench, on=True)
    device.perform(Activate(), nothing)
    assert state_of(bench) == "Activated"


class _Odd(BaseHTTPRequestHandler):
    """Answers every request with ``code``, ``kind`` and ``body`` of the server."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.code)  # type: ignore[attr-defined]
        self.send_header("Content-Type", self.server.kind)  # type: ignore[attr-defined]
        self.send_header("Location", "/login")
        self.end_headers()
        self.wfile.write(self.server.body)  # type: ignore[attr-defined]

    do_GET = do_POST  # noqa: N815 - the names are the base class's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def odd() -> Iterator[Callable[[int, str, bytes], str]]:
    """Starts a server that answers everything so; its address."""
    servers: list[socketserver.BaseServer] = []

    def start(code: int, kind: str, body: bytes) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
        server.daemon_threads = True
        server.code, server.kind, server.body = code, kind, body  # type: ignore[attr-defined]
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answers(command: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the daemon of a device answers that never comes further than its first message."""
    assert command["Command"] == "CreateTunnel1SessionInfoRequest"
    return {"Value": {"HandshakeRequestMessage": b"x"}}


ODD = [
    (200, "text/html", b"<html>Welcome to our Wi-Fi! Please log in.</html>"),
    (302, "text/html", b""),
    (404, "text/html", b"<plist></plist>"),
    (503, "text/html", b"later"),
    (200, "application/x-apple-plist", b"<plist><array/></plist>"),
    (200, "application/x-apple-plist", b""),
    (200, "application/x-apple-plist", b"x" * 5_000_000),
]


@pytest.mark.parametrize(
    ("code", "kind", "body"), ODD, ids=["hotel", "redirect", "404", "503", "list", "empty", "flood"]
)
def test_what_answers_in_its_place_is_not_it(
    odd: Callable[[int, str, bytes], str], code: int, kind: str, body: bytes
) -> None:
    address = odd(code, kind, body)
    for work in (activation.ask, activation.activate):
        with pytest.raises(Refused, match="needs internet") as caught:
            work(answers, address)
        assert address in caught.value.next_action


def test_a_server_that_takes_the_call_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "_ANSWER", 0.3)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        address = f"http://127.0.0.1:{silent.server_address[1]}"
        with pytest.raises(Refused, match="needs internet"):
            activation.ask(answers, address)


@pytest.fixture
def trickles() -> Iterator[str]:
    """The address of a server that begins its answer at once and goes on with one byte now and then."""

    class Trickle(_Odd):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-apple-plist")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    self.wfile.write(b" ")

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    over.set()
    server.shutdown()
    server.server_close()


def test_a_server_that_never_comes_to_an_end(trickles: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "_WHOLE", 0.5)
    begun = time.monotonic()
    with pytest.raises(Refused, match="needs internet") as caught:
        activation.ask(answers, trickles)
    assert "takes too long" in caught.value.evidence
    assert time.monotonic() - begun < 20


def test_stopped_while_the_server_is_waited_for(
    phone: Callable[..., tuple[Bench, IosDevice]], trickles: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and the device is asked nothing more when the server has answered."""
    bench, device = phone()
    monkeypatch.setenv("FLEET_ACTIVATION_SERVER", trickles)
    threading.Timer(0.7, device.stop).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        device.perform(Activate(), nothing)
    assert time.monotonic() - begun < 20
    assert state_of(bench) == "Unactivated"


def test_a_name_that_leads_nowhere() -> None:
    with pytest.raises(Refused, match="needs internet"):
        activation.ask(answers, "http://127.0.0.1:1")
    with pytest.raises(Refused, match="needs internet"):
        activation.ask(answers, "no address at all")


def test_a_device_that_makes_no_message_while_it_is_activated(odd: Callable[[int, str, bytes], str]) -> None:
    """Then it counts that the server can be reached at all."""

    def mute(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"Error": "Already activated"}

    activation.ask(mute, odd(400, "application/x-apple-plist", plistlib.dumps({"error": "not understood"})))
    for code in (200, 400):
        with pytest.raises(Refused, match="needs internet"):
            activation.ask(mute, odd(code, "text/html", b"<html>Welcome to our Wi-Fi! Please log in.</html>"))
    with pytest.raises(Refused, match="needs internet"):
        activation.ask(mute, odd(503, "text/html", b""))
    with pytest.raises(Refused, match="refuses to be activated") as caught:
        activation.activate(mute, odd(200, "application/x-apple-plist", plistlib.dumps({})))
    assert caught.value.evidence == "Already activated"


def test_another_server_is_named_by_the_environment() -> None:
    assert activation.server({}) == "https://albert.apple.com"
    assert activation.server({"FLEET_ACTIVATION_SERVER": "http://gateway:8080/"}) == "http://gateway:8080"
