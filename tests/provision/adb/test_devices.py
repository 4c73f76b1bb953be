"""Who is attached. Played by a scripted server: it has USB paths, clones and missing rights, virtual phones do not."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.android.adb import Listed, explain_state, parse_listing
from provision.errors import NoServer, NotReady
from tests.provision.adb.scripted import PHONE, ScriptedServer, Talk, phone, text_with_length

CLONES = (
    b"0123456789ABCDEF       device usb:1-1 product:x model:Tab device:x transport_id:3\n"
    b"0123456789ABCDEF       device usb:1-2 product:x model:Tab device:x transport_id:4\n"
)


def test_every_state_is_listed_also_after_a_blank_line(stack: ExitStack) -> None:
    listing = (
        PHONE
        + b"\n"
        + b"ZY223                  unauthorized usb:1-3 transport_id:2\n"
        + b"????????????           no permissions (missing udev rules? user is in the plugdev group); see"
        + b" [http://developer.android.com/tools/device.html] usb:3-1.4 transport_id:9\n"
        + b"(no serial number)     offline usb:1-4 transport_id:11\n"
        + b"127.0.0.1:43211        recovery product:p model:M device:d transport_id:12\n"
    )
    devices = stack.enter_context(ScriptedServer(phone(_nothing, listing=listing))).server().devices()
    assert devices == (
        Listed("R58M12ABCDE", "device", 7, "1-2", "a51", "SM_A515F"),
        Listed("ZY223", "unauthorized", 2, "1-3"),
        Listed(
            "????????????",
            "no permissions (missing udev rules? user is in the plugdev group); see"
            " [http://developer.android.com/tools/device.html]",
            9,
            "3-1.4",
        ),
        Listed("(no serial number)", "offline", 11, "1-4"),
        Listed("127.0.0.1:43211", "recovery", 12, "", "p", "M"),
    )


def test_clones_with_one_serial_are_kept_apart_and_addressed_by_transport(stack: ExitStack) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(b"OKAY")

    scripted = stack.enter_context(ScriptedServer(phone(service, listing=CLONES)))
    server = scripted.server()
    first, second = server.devices()
    assert (first.address, first.usb) != (second.address, second.usb)
    for listed in (first, second):
        server.link(listed).reverse("tcp:1", "tcp:2")
    asked = [request for request in scripted.requests() if "transport" in request]
    assert asked == [
        "host-transport-id:3:features",
        "host:transport-id:3",
        "host-transport-id:4:features",
        "host:transport-id:4",
    ]


def test_a_server_without_transport_ids_is_asked_by_serial(stack: ExitStack) -> None:
    def service(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(b"OKAY")

    scripted = stack.enter_context(ScriptedServer(phone(service, listing=b"R58M device usb:1-2\n")))
    server = scripted.server()
    server.link(server.devices()[0]).reverse("tcp:1", "tcp:2")
    assert {"host-serial:R58M:features", "host:transport:R58M"} <= set(scripted.requests())


def test_features_are_what_phone_and_server_share(stack: ExitStack) -> None:
    def handle(talk: Talk) -> None:
        shared = {"host:host-features": b"cmd,shell_v2,libusb", "host-transport-id:7:features": b"shell_v2,stat_v2,abb"}
        talk.okay(shared[talk.request()])

    server = stack.enter_context(ScriptedServer(handle)).server()
    assert server.features(Listed("x", "device", 7)) == {"shell_v2"}


STATES = [
    "unauthorized",
    "authorizing",
    "offline",
    "no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]",
    "recovery",
    "rescue",
    "sideload",
    "bootloader",
    "host",
    "connecting",
    "detached",
    "unknown",
    "something new",
]


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_one_sentence_and_what_to_do(state: str) -> None:
    error = explain_state(Listed("R58M", state, 1, "1-2"))
    assert error.what.startswith("R58M (USB 1-2) ") or "R58M (USB 1-2)." in error.what
    assert error.what.endswith(".")
    assert error.next_action.endswith(".")
    assert len(error.what) < 120


def test_states_do_not_share_one_sentence() -> None:
    assert len({explain_state(Listed("x", state, 1)).what for state in STATES}) == len(STATES)


def test_a_device_that_is_not_ready_gets_no_link(stack: ExitStack) -> None:
    scripted = stack.enter_context(ScriptedServer(phone(_nothing)))
    with pytest.raises(NotReady, match="does not trust this computer"):
        scripted.server().link(Listed("R58M", "unauthorized", 1))
    assert not scripted.requests()


def test_tracking_tells_arrivals_and_departures_until_the_server_goes(stack: ExitStack) -> None:
    def handle(talk: Talk) -> None:
        assert talk.request() == "host:track-devices-l"
        talk.okay()
        talk.drip(text_with_length(PHONE))
        talk.drip(text_with_length(b""))
        talk.say(text_with_length(CLONES) + text_with_length(PHONE))

    with stack.enter_context(ScriptedServer(handle)).server().track() as tracker:
        assert [len(next(tracker)) for _ in range(4)] == [1, 0, 2, 1]
        with pytest.raises(NoServer, match="closed the connection"):
            next(tracker)


def test_tracking_ends_when_another_thread_closes_it(stack: ExitStack) -> None:
    def handle(talk: Talk) -> None:
        talk.request()
        talk.okay()
        talk.say(text_with_length(PHONE))
        assert talk.is_closed()

    with stack.enter_context(ScriptedServer(handle)).server().track() as tracker:
        next(tracker)
        closing = threading.Timer(0.1, tracker.close)
        closing.start()
        assert list(tracker) == []
        closing.join()


_WORD = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=30)
_STATE = st.sampled_from([s for s in STATES if s != "something new"] + ["device"])
_FIELD = st.one_of(st.just(""), _WORD)


@given(st.lists(st.builds(Listed, _WORD, _STATE, st.integers(1, 10**6), _FIELD, _FIELD, _FIELD), max_size=5))
@settings(max_examples=100)
def test_what_the_server_prints_is_read_back(devices: list[Listed]) -> None:
    def printed(listed: Listed) -> str:
        fields = [("usb", listed.usb), ("product", listed.product), ("model", listed.model)]
        shown = "".join(f" {key}:{value}" for key, value in fields if value)
        return f"{listed.address:<22} {listed.state}{shown} transport_id:{listed.transport_id}\n"

    assert parse_listing("".join(map(printed, devices))) == tuple(devices)


@given(st.text(max_size=300))
@settings(max_examples=100)
def test_no_listing_breaks_the_parser_or_reaches_the_terminal_raw(text: str) -> None:
    for listed in parse_listing(text):
        assert all(str(value).isprintable() for value in (listed.address, listed.state, listed.usb, listed.model))


def _nothing(talk: Talk) -> None:
    """No service is expected."""
