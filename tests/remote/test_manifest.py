"""A manifest may be of a hub that is not ours: what leads anywhere but down, or has another form, is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.remote.errors import ReleaseError
from fleet.remote.releases.manifest import File, Manifest, parse

HASH = "a" * 64
GOOD = Manifest(7, "2026-11-22T00:00:00.000Z", "note", "1", {"p": HASH}, {"p/profile.yaml": File(HASH, 3)})


def told(**changes: Any) -> bytes:
    found = json.loads(GOOD.content()) | changes
    return json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def with_file(place: str, file: Any = (HASH, 3)) -> bytes:
    return told(files={"p/profile.yaml": [HASH, 3], place: file})


BAD = {
    "above": with_file("p/../../etc/passwd"),
    "absolute": with_file("/etc/passwd"),
    "of another profile": with_file("q/x"),
    "the manifest itself": with_file("p/manifest.json"),
    "at the top": with_file("x"),
    "no name": with_file("p//x"),
    "a dot": with_file("p/./x"),
    "a control character": with_file("p/a\nb"),
    "an override": with_file("p/a\u202eb"),
    "a backslash": with_file("p/a\\b"),
    "a long name": with_file("p/" + "x" * 300),
    "a file that is a folder": with_file("p/profile.yaml/x"),
    "a short hash": with_file("p/x", ["ab", 3]),
    "a capital hash": with_file("p/x", ["A" * 64, 3]),
    "a hash that is a path": with_file("p/x", ["../" + "a" * 61, 3]),
    "a negative size": with_file("p/x", [HASH, -1]),
    "a huge size": with_file("p/x", [HASH, 2**70]),
    "a size that is true": with_file("p/x", [HASH, True]),
    "a size with a point": with_file("p/x", [HASH, 3.0]),
    "number nought": told(number=0),
    "a number that is text": told(number="7"),
    "a huge number": told(number=2**80),
    "no profile": told(profiles={}),
    "a profile without its file": told(profiles={"p": HASH, "q": HASH}),
    "a profile called ..": told(profiles={"..": HASH}, files={"../profile.yaml": [HASH, 3]}),
    "a note that is a list": told(note=["x"]),
    "a time that is none": told(at="now"),
    "a key more": told(more=1),
    "another form": GOOD.content() + b"\n",
    "not JSON": b"{",
    "a list": b"[]",
    "nothing": b"",
    "deep": b"[" * 100_000,
    "not text": b"\xff\xfe",
}


def test_a_good_one_comes_back() -> None:
    assert parse(GOOD.content()) == GOOD


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_bad_one_is_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError):
        parse(content)


def test_a_newer_one_says_so() -> None:
    with pytest.raises(ReleaseError, match="newer fleet"):
        parse(told(v=2))


@given(st.data())
def test_damage_is_refused_and_never_a_crash(data: st.DataObject) -> None:
    content = bytearray(GOOD.content())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReleaseError):
        assert parse(bytes(content)).content() == bytes(content)
