"""Frames come through whatever pieces the pipe cuts them into; nothing else is taken for one."""

from __future__ import annotations

import io
from collections import deque

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleet.remote.wire.frames import GREETING, Cut, Malformed, OtherVersion, Stream


class Wire:
    """A pipe whose reads give pieces of the given sizes, again and again."""

    def __init__(self, content: bytes = b"", sizes: list[int] | None = None) -> None:
        self.content = content
        self._sizes = sizes or [10**9]
        self._turn = 0

    def read(self, most: int) -> bytes:
        size = min(most, self._sizes[self._turn % len(self._sizes)])
        self._turn += 1
        piece, self.content = self.content[:size], self.content[size:]
        return piece

    def write(self, data: bytes | memoryview) -> None:
        self.content += data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), JSON, max_size=3) | st.binary(min_size=1, max_size=300), max_size=8
)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1, max_size=5), st.binary(max_size=50))
def test_what_is_sent_is_received(messages: list[dict[str, object] | bytes], sizes: list[int], noise: bytes) -> None:
    assume(GREETING not in noise)
    wire = Wire(noise, sizes)
    stream = Stream(wire)
    stream.greet()
    for message in messages:
        if isinstance(message, bytes):
            stream.send_bytes(io.BytesIO(message), len(message))
        else:
            stream.send(message)
    assert stream.await_greeting() == noise
    for message in messages:
        if isinstance(message, bytes):
            assert b"".join(stream.receive_bytes(len(message))) == message
        else:
            assert stream.receive() == message
    with pytest.raises(Cut):
        stream.receive()


@given(st.binary(max_size=200))
def test_anything_else_is_cut_off_or_malformed(content: bytes) -> None:
    stream = Stream(Wire(content))
    with pytest.raises((Cut, Malformed)):
        deque(iter(stream.receive, None), 0)


@pytest.mark.parametrize(
    "content", [b"J\xff\xff\xff\xff{}", b"B\0\0\0\x02{}", b"J\0\0\0\x02[]", b"J\0\0\0\x05{\xff\xfe}}"]
)
def test_no_message(content: bytes) -> None:
    with pytest.raises(Malformed):
        Stream(Wire(content)).receive()


def test_nobody_talks_for_ever() -> None:
    with pytest.raises(Malformed):
        Stream(Wire(b"x" * 10**6)).await_greeting()
    talker = Stream(Wire((b"J\0\0\0\x02{}") * 1000), most=1000)
    with pytest.raises(Malformed):
        deque(iter(talker.receive, None), 0)


def test_the_greeting_may_come_in_pieces() -> None:
    stream = Stream(Wire(b"Welcome!\n" + GREETING, [3]))
    assert stream.await_greeting() == b"Welcome!\n"


def test_another_version_of_it_is_told() -> None:
    with pytest.raises(OtherVersion) as told:
        Stream(Wire(b"Welcome!\nschoolbag site 12\n", [5])).await_greeting()
    assert told.value.number == 12


def test_what_comes_little_by_little_comes_too_late() -> None:
    stream = Stream(Wire(b"J\0\0\0\x02{}" * 2, [1]))
    stream.within(60)
    assert stream.receive() == {}
    stream.within(-1)
    with pytest.raises(Cut, match="too long"):
        stream.receive()


def test_a_file_that_ends_early_is_cut() -> None:
    with pytest.raises(Cut):
        Stream(Wire()).send_bytes(io.BytesIO(b"1234"), 5)


def test_what_has_come_of_a_piece_is_handed_on() -> None:
    """A link that breaks loses what is under way, not the whole piece."""
    wire = Wire(sizes=[5, 100])
    Stream(wire).send_bytes(io.BytesIO(bytes(2**20)), 2**20)
    wire.content = wire.content[:1000]
    came = 0
    with pytest.raises(Cut):  # noqa: PT012
        for piece in Stream(wire).receive_bytes(2**20):
            came += len(piece)
    assert came == 1000 - 5
