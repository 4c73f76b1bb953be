"""The stream that services speak through, over a real pair of sockets."""

from __future__ import annotations

import contextlib
import plistlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.virtual.ios.stream import Closed, Stream

VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.binary(max_size=40)
    | st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ", max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    theirs.settimeout(5)
    yield stream, theirs
    stream.close()
    theirs.close()


@settings(max_examples=40)
@given(value=VALUES, binary=st.booleans(), before=st.sampled_from([b"", b"\n", b" \t\r\n"]))
def test_property_lists_go_and_come(value: Any, binary: bool, before: bytes) -> None:
    ours, theirs = socket.socketpair()
    here, there = Stream(ours), Stream(theirs)
    try:
        here.send_plist(value, binary=binary)
        assert there.recv_plist() == value
        data = before + plistlib.dumps(value)
        there.send(struct.pack(">I", len(data)) + data)
        assert here.recv_plist() == value
    finally:
        here.close()
        there.close()


@settings(max_examples=60)
@given(noise=st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"bplist00" + tail))
def test_noise_is_closed_and_nothing_worse(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    here = Stream(ours)
    try:
        theirs.sendall(struct.pack(">I", len(noise)) + noise)
        with contextlib.suppress(Closed):
            here.recv_plist()
    finally:
        here.close()
        theirs.close()


def test_a_length_that_nobody_means(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(Closed, match="4294967295 bytes"):
        stream.recv_plist()


def test_the_peer_goes_in_the_middle(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.sendall(b"abc")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(Closed):
        stream.recv_exact(4)


def test_silence_ends_it_after_a_while(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    stream.idle = 0.2
    start = time.monotonic()
    with pytest.raises(Closed, match="too long"):
        stream.recv_exact(1)
    assert 0.15 < time.monotonic() - start < 8


def test_cutting_wakes_who_waits(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    threading.Timer(0.1, stream.cut).start()
    with pytest.raises(Closed):
        stream.recv_exact(1)


class Thin:
    """A cable that tears after so many bytes that came."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.sent = 0

    def arriving(self, service: str, size: int) -> int:
        through = min(self.left, size)
        self.left -= through
        return through

    def leaving(self, service: str, size: int) -> None:
        self.sent += size


def test_what_is_before_the_tear_gets_through() -> None:
    ours, theirs = socket.socketpair()
    cable = Thin(5)
    stream = Stream(ours, "afc", cable)
    try:
        stream.send(b"0123456789")
        assert theirs.recv(100) == b"0123456789"
        assert cable.sent == 10
        theirs.sendall(b"abcdefgh")
        assert stream.recv_exact(4) == b"abcd"
        with pytest.raises(Closed, match="pulled"):
            stream.recv_exact(4)
    finally:
        stream.close()
        theirs.close()
