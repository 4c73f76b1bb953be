"""The conversation with the server. Each test is a defect of pure-python-adb (facts §7.7) that is not ours."""

from __future__ import annotations

import queue
import selectors
import socket
import struct
import threading
import time
from contextlib import ExitStack

import pytest

from provision.android.connection import Connection, NobodyListens
from provision.errors import DeviceError, NoAnswer, NoServer, NotReady, Refused, Unplugged
from tests.provision.adb.conftest import Attach
from tests.provision.adb.scripted import PHONE, ScriptedServer, Talk, phone, text_with_length


def test_reads_exactly_though_bytes_drip(stack: ExitStack) -> None:
    def handle(talk: Talk) -> None:
        talk.request()
        talk.drip(b"OKAY" + text_with_length(PHONE * 20))

    devices = stack.enter_context(ScriptedServer(handle)).server().devices()
    assert [d.address for d in devices] == ["R58M12ABCDE"] * 20


def test_sends_whole_though_the_server_reads_late(stack: ExitStack) -> None:
    def handle(talk: Talk) -> None:
        time.sleep(0.2)
        talk.request()
        talk.okay()

    scripted = stack.enter_context(ScriptedServer(handle))
    connection = stack.enter_context(scripted.server().create_connection())
    assert connection.socket
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    question = "x" * 0xFFFF
    connection.send(question)
    assert scripted.requests() == [question]


def test_a_request_that_four_digits_cannot_count_is_refused(stack: ExitStack) -> None:
    scripted = stack.enter_context(ScriptedServer(assert_closed))
    connection = stack.enter_context(scripted.server().create_connection())
    with pytest.raises(Refused, match="65536 bytes"):
        connection.send("x" * 0x10000)
    connection.write(b"0000")


def test_fail_is_read_by_its_length(stack: ExitStack) -> None:
    reason = b"a reason of more than 1024 bytes " * 60

    def handle(talk: Talk) -> None:
        talk.request()
        talk.drip(b"FAIL" + text_with_length(reason) + b"and something else")

    scripted = stack.enter_context(ScriptedServer(handle))
    with pytest.raises(Refused) as caught:
        scripted.server().devices()
    assert caught.value.evidence == reason.decode()


def test_a_server_that_says_nothing_is_reported_in_time(stack: ExitStack) -> None:
    scripted = stack.enter_context(ScriptedServer(assert_closed))
    before = time.monotonic()
    with pytest.raises(NoServer, match="does not answer as an adb server"):
        scripted.server(timeout=0.2).devices()
    assert time.monotonic() - before < 8


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"OKAYzzzz"])
def test_something_else_that_listens_is_not_taken_for_a_server(stack: ExitStack, greeting: bytes) -> None:
    scripted = stack.enter_context(ScriptedServer(lambda talk: talk.say(greeting)))
    with pytest.raises(NoServer, match="not an adb server"):
        scripted.server().devices()


def test_a_version_that_is_no_number(stack: ExitStack) -> None:
    scripted = stack.enter_context(ScriptedServer(lambda talk: talk.okay(b"new!")))
    with pytest.raises(NoServer, match="not an adb server"):
        scripted.server().version()


def test_a_server_that_hangs_up(stack: ExitStack) -> None:
    scripted = stack.enter_context(ScriptedServer(lambda talk: talk.say(b"OK")))
    with pytest.raises(NoServer, match="closed the connection"):
        scripted.server().devices()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NobodyListens, match=f"127.0.0.1:{port}"):
        Connection("127.0.0.1", port, 1).connect()


def test_closing_does_not_reset_what_was_sent(stack: ExitStack) -> None:
    received = queue.SimpleQueue[bytes]()
    scripted = stack.enter_context(ScriptedServer(lambda talk: received.put(talk.read_to_end())))
    with scripted.server().create_connection() as connection:
        assert connection.socket
        linger = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert struct.unpack("ii", linger) == (0, 0)
        connection.write(b"x" * 300_000)
    assert received.get(timeout=60) == b"x" * 300_000


def test_a_send_that_meets_a_reset_leaves_what_was_said_to_be_read(stack: ExitStack) -> None:
    """The race in an early refusal: it arrives, and the reset after it, between looking and sending."""
    said = threading.Event()

    def handle(talk: Talk) -> None:
        talk.read(1)
        talk.say(b"no, because")
        talk.socket.close()
        said.set()

    connection = stack.enter_context(stack.enter_context(ScriptedServer(handle)).server().create_connection())
    connection.write(b"12345")
    assert said.wait(60)
    selector = stack.enter_context(selectors.DefaultSelector())
    selector.register(connection._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
    assert connection._offer([memoryview(b"more")], selector) is None
    assert connection.read_some() == b"no, because"
    assert connection.read_some() == b""


def assert_closed(talk: Talk) -> None:
    talk.request()
    assert talk.is_closed(), "the connection was left open"


@pytest.mark.parametrize("reply", [b"FAIL0006closed", b"OK", b"GARB"])
def test_every_error_closes_the_connection(stack: ExitStack, reply: bytes) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.say(reply)
        talk.socket.shutdown(socket.SHUT_WR)
        assert talk.is_closed(), "the connection was left open"

    scripted = stack.enter_context(ScriptedServer(phone(service)))
    server = scripted.server()
    link = server.link(server.devices()[0])
    with pytest.raises(DeviceError):
        link.shell("true")


# What the server says when a device cannot be reached, and the error that it is for us (facts §5.5).
NOISE = [
    ("device 'R58M12ABCDE' not found", Unplugged),
    ("no device with transport id '7'", Unplugged),
    ("no devices/emulators found", Unplugged),
    ("closed", Unplugged),
    ("device offline", NotReady),
    ("device still connecting", NotReady),
    ("device still authorizing", NotReady),
    ("device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry 'adb kill-server'", NotReady),
    ("insufficient permissions for device: user in plugdev group; are your udev rules wrong?", NotReady),
    ("more than one device/emulator", NotReady),
    ("timeout expired while waiting for device", NoAnswer),
    ("something never heard of", Refused),
]


@pytest.mark.parametrize(("reason", "error"), NOISE)
def test_transport_noise_becomes_the_right_error(attach: Attach, reason: str, error: type[DeviceError]) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.fail(reason.encode())

    with pytest.raises(error) as caught:
        attach(service).shell("true")
    assert caught.value.next_action
    assert "\n" not in caught.value.what


def test_a_phone_that_says_nothing_is_not_a_missing_server(attach: Attach) -> None:
    with pytest.raises(NoAnswer, match="R58M12ABCDE"):
        attach(assert_closed, timeout=1).shell("true")
