"""Whatever a server answers, the agent comes to an end with it, and to a known one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.virtual.android.headwind.agent import Agent, AgentProcess
from provision.virtual.android.headwind.http import Client, Reply
from provision.virtual.android.headwind.memory import Build, Memory, readable, server_of
from provision.virtual.android.headwind.updating import Answer, Screen, Updating
from provision.virtual.android.internet import Internet
from tests.virtual.phone import play

_KEYS: tuple[str, ...] = (
    "status",
    "data",
    "message",
    "applications",
    "files",
    "restrictions",
    "newServerUrl",
    "pkg",
    "path",
    "url",
)
_KEYS += ("lastUpdate", "code", "remove", "messageType", "payload", "lock", "timeZone", "pushOptions")
_LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["OK", "ERROR", "polling", "a,b", "http://[", ""])
TREES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5)
)


class Parts:
    """An agent without a network on a phone without a cable."""

    def __init__(self, home: Path) -> None:
        self.phone = play.make(home, "pixel-13")
        self.internet = Internet(self.phone, lambda _: None)
        self.agent = Agent(self.phone, self.internet)

    def updating(self) -> Updating:
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731
        client = Client(self.internet, "secret", "arm64-v8a")
        return Updating(self.phone, Memory(), client, Build(), Screen(), nothing, nothing, nothing)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return Parts(tmp_path_factory.mktemp("phone"))


@settings(max_examples=200)
@given(tree=TREES)
def test_any_answer_to_a_request_for_the_configuration(parts: Parts, tree: Any) -> None:
    updating = parts.updating()
    ended = updating._take(Reply(200, json.dumps(tree).encode()))
    taken = isinstance(tree, dict) and readable(tree) and tree.get("status") == "OK" and tree.get("data") is not None
    assert (ended is Answer.OK) == taken
    assert (updating.memory.config is not None) == taken


@settings(max_examples=200)
@given(tree=TREES)
def test_any_answer_to_a_poll(parts: Parts, tree: Any) -> None:
    process = AgentProcess(parts.agent, parts.phone, parts.internet, Build())
    process._listen_to(Reply(200, json.dumps(tree).encode()))


@settings(max_examples=100)
@given(data=st.binary(max_size=80) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_any_enrolment(parts: Parts, data: bytes) -> None:
    folder = "/sdcard/Android/data/com.hmdm.launcher/files"
    parts.phone.files.mkdir(folder, parents=True)
    parts.phone.files.write_bytes(f"{folder}/init.json", data)
    memory = Memory()
    memory.read_enrolment(parts.phone.files)
    assert memory == Memory()  # none of these says who it is


def test_what_an_enrolment_says(parts: Parts) -> None:
    folder = "/sdcard/Android/data/com.hmdm.launcher/files"
    parts.phone.files.mkdir(folder, parents=True)
    told = {
        "com.hmdm.DEVICE_ID": "n",
        "com.hmdm.BASE_URL": "https://a",
        "com.hmdm.GROUP": "x,y",
        "com.hmdm.CUSTOMER": 1,
    }
    parts.phone.files.write_bytes(f"{folder}/init.json", json.dumps(told).encode())
    memory = Memory()
    memory.read_enrolment(parts.phone.files)
    assert (memory.number, memory.base, memory.secondary) == ("n", "https://a", "https://a")
    assert memory.enrol_options() == {"customer": None, "configuration": None, "groups": ["x", "y"]}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example", ("https://a.example", "")),
        ("http://localhost:8080/", ("http://localhost:8080", "")),
        ("https://a.example/x/y/", ("https://a.example", "x/y")),
        ("ftp://a.example", None),
        ("a.example", None),
        ("https://", None),
    ],
)
def test_addresses_of_servers(url: str, found: tuple[str, str] | None) -> None:
    if found is None:
        with pytest.raises(ValueError, match="malformed"):
            server_of(url)
    else:
        assert server_of(url) == found
