"""A site that is not what it should be: the forced command of a test's sshd, with a word that says how it behaves.

It frames messages by itself: the test must not share a misreading with what it tests. It answers as a well site does
but for the one thing. One sshd serves many: which one is meant is told by the port.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

BENCH = ""
"""Each has another one."""

SMALL = b'{"alive":true}'


def read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def receive() -> dict[str, Any]:
    """The next message; bytes in between are passed over."""
    while True:
        kind, length = struct.unpack(">cI", read(5))
        content = read(length)
        if kind == b"J":
            told: dict[str, Any] = json.loads(content)
            return told


def write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]


def frame(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">cI", kind, len(content)) + content


def say(told: Any) -> None:
    write(frame(b"J", told if isinstance(told, bytes) else json.dumps(told).encode()))


def for_ever(data: bytes) -> None:
    while True:
        write(data)


def line(bench: str, seq: int, prev: str, kind: str, subject: str, body: Any, at: str) -> str:
    told = {"actor": "x", "at": at, "bench": bench, "body": body, "kind": kind}
    told |= {"prev": prev, "seq": seq, "subject": subject}
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def export(bench: str, told: list[tuple[str, str, Any]], first: int = 1, prev: str = "", at: str = "") -> bytes:
    """A ledger as it travels, of a chain with these events."""
    when = at or time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    lines = []
    begin = prev
    for seq, (kind, subject, body) in enumerate(told, first):
        lines.append(line(bench, seq, prev, kind, subject, body, when))
        prev = hashlib.sha256(lines[-1].encode()).hexdigest()
    chain = {"bench": bench, "name": "bad", "first": first, "prev": begin, "seq": first + len(told) - 1, "hash": prev}
    numbers = {"events": len(told), "health": 0, "names": 0}
    head = {"at": when, "chains": [chain], **numbers, "schoolbag": "ledger", "v": 1}
    text = "".join(f"{one}\n" for one in (json.dumps(head, sort_keys=True, separators=(",", ":")), *lines)).encode()
    whole = hashlib.sha256(text).hexdigest()
    return text + json.dumps({"sha256": whole}, separators=(",", ":")).encode() + b"\n"


OPENED = ("bench.opened", BENCH, {"name": "bad", "v": 1})
SERIAL = "BAD1"
ADDED = json.loads(
    '{"v": 1, "platform": "android", "maker": "", "model": "", "version": "", "state": "at_bench", "serial": "BAD1", '
    '"origin": "unrecorded"}'
)
RUN = json.loads(
    '{"v": 1, "maker": "", "model": "", "version": "", "imei": "", "port": "", "profile": "p", "digest": "0", '
    '"verdict": "verified", "steps": 0, "started": "", "ended": "", "error": "", "next_action": "", "allowed": "", '
    '"stops": [], "left_on": [], "items": []}'
)
UNIT = f"android:{SERIAL}"
RELEASE = json.loads('{"v": 1, "number": 99, "digest": "0", "note": "", "profiles": {}, "files": 1, "bytes": 1}')
HUGE = {**RUN, "steps": 2**70}
DEEP: Any = json.loads("[" * 900 + "]" * 900)
WIPE: dict[str, Any] = {"number": "0" * 64, "kind": "wipe", "text": "", "why": "x", "state": "open", "v": 1}
WHERE: dict[str, Any] = {"address": "ssh://x@127.0.0.1", "host_key": "ssh-ed25519 AAAA"}

LEDGERS: dict[str, Callable[[str], bytes]] = {
    "of-the-hub": lambda hub: export(hub, [("bench.opened", hub, {"name": "hub", "v": 1})]),
    "of-another": lambda _: export("feedfeedfeedfeed", [("bench.opened", "feedfeedfeedfeed", {"name": "x", "v": 1})]),
    "what-is-the-hubs": lambda _: export(BENCH, [OPENED, ("site.set", "one", {"fields": WHERE, "v": 1})]),
    "a-wipe": lambda _: export(BENCH, [OPENED, ("unit.ordered", "android:SN1", WIPE)]),
    "a-release": lambda _: export(
        BENCH,
        [
            OPENED,
            (
                "release.set",
                "99",
                {"number": 99, "digest": "0" * 64, "note": "", "profiles": {}, "files": 1, "bytes": 1, "v": 1},
            ),
        ],
    ),
    "begins-late": lambda _: export(BENCH, [OPENED], first=7, prev="0" * 64),
    "ahead": lambda _: export(BENCH, [OPENED], at="2099-01-01T00:00:00.000Z"),
    "huge-number": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, ADDED), ("unit.run", UNIT, HUGE)]),
    "a-float": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, {**ADDED, "more": 0.5})]),
    "not-a-number": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, {**ADDED, "more": float("nan")})]),
    "deep": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, {**ADDED, "more": DEEP})]),
    "changed": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, ADDED)]).replace(
        b'"name":"bad","v"', b'"name":"evl","v"'
    ),
    "cut-off": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, ADDED)])[:-90],
    "no-ledger": lambda _: b"\0" * 1000,
    "unknown-kind": lambda _: export(BENCH, [OPENED, ("unit.exploded", UNIT, {"v": 1})]),
    "a-list-for-a-body": lambda _: export(BENCH, [("bench.opened", BENCH, [1])]),
    "well": lambda _: export(BENCH, [OPENED, ("unit.added", UNIT, {**ADDED, "maker": "\x1b[2Jbad\u202e"})]),
    "huge": lambda _: export(
        BENCH, [OPENED, *(("unit.added", f"android:X{n}", {**ADDED, "maker": "x" * 10**6}) for n in range(120))]
    ),
}

HELLO = json.loads(
    '{"v": 1, "fleet": "0.1.0", "name": "bad", "zone": 0, "free": 1000000000000, "release": null, "digest": null, '
    '"mark": "1", "trusts": true}'
)
HELLOS: dict[str, Any] = {
    "newer-protocol": {"v": 2},
    "older-protocol": {"v": 0},
    "no-bench": {"bench": ""},
    "every-bench": {"bench": "x" * 10**5},
    "a-path-for-a-bench": {"bench": "../../etc"},
    "a-huge-number": {"release": 10**40},
    "a-float-for-a-number": {"free": 1e300},
    "true-for-a-number": {"now": True},
    "a-list-for-a-text": {"name": ["x"]},
    "a-far-zone": {"zone": 10**9},
    "a-bad-digest": {"digest": "../../../etc/passwd"},
    "control-characters": {"name": "\x1b[2J\x07bad\u202e", "fleet": "\r\n\x1b]0;x\x07"},
}
MISSING: dict[str, Any] = {
    "asks-for-a-path": [["../../../../etc/passwd", 0]],
    "asks-for-a-link": [["current", 0]],
    "has-more-than-all": [[None, 10**30]],
    "has-less-than-nothing": [[None, -1]],
    "asks-for-nothing-known": [["0" * 64, 0]],
    "asks-in-depth": DEEP,
}
EXITS: dict[str, Any] = {"a-format-for-an-exit": "%9999999999d", "a-huge-exit": 10**300, "no-error": None}


def contact(how: str, hub: str) -> None:
    asked: dict[str, Callable[[str, str, dict[str, Any]], None]] = {
        "hello": hello,
        "offer": offer,
        "activate": activate,
        "bring": bring,
        "ledger": ledger,
    }
    while True:
        request = receive()
        answer = asked.get(request["do"])
        answer(how, hub, request) if answer else say({})


def hello(how: str, hub: str, request: dict[str, Any]) -> None:
    bench = hub if how == "is-the-hub" else BENCH
    say({**HELLO, "now": int(time.time()), "bench": bench, **HELLOS.get(how, {})})


def offer(how: str, hub: str, request: dict[str, Any]) -> None:
    files = json.loads(manifest(request["size"]))["files"]
    first = next(iter(files.values()))[0]
    asked = MISSING.get(how, [])
    say({"missing": [[first if one[0] is None else one[0], *one[1:]] if one else one for one in asked]})


def activate(how: str, hub: str, request: dict[str, Any]) -> None:
    if how == "endless-messages":
        for_ever(frame(b"J", SMALL))
    number, digest = json.loads(OFFER[0])["number"], hashlib.sha256(OFFER[0]).hexdigest()
    if how == "says-another-release":
        number = 99
    if how == "refuses-in-colours":
        say({"error": "\x1b[2J\x1b[31mno\r\n" + "x" * 10**5, "next": "\x1b]0;owned\x07\u202e"})
    say({"release": number, "digest": digest})


def bring(how: str, hub: str, request: dict[str, Any]) -> None:
    if how == "endless-lines":
        for_ever(frame(b"J", b'{"line":{"event":"report"}}') * 1000)
    if how == "odd-lines":
        said: list[Any] = [[], None, 1e999, {"event": ["report"], "verdict": {}}]
        for line in [*said, {"event": "report", "verdict": ["verified"]}]:
            say({"line": line})
    say({"exit": EXITS.get(how, 0), "error": None if how == "no-error" else ""})


OFFER: list[bytes] = []


def manifest(size: int) -> bytes:
    data = b""
    while len(data) < size:
        _, length = struct.unpack(">cI", read(5))
        data += read(length)
    OFFER[:] = [data]
    return data


def ledger(how: str, hub: str, request: dict[str, Any]) -> None:
    if how == "a-huge-ledger":
        say({"size": 2**60})
        for_ever(frame(b"B", b"x" * 2**16))
    if how == "a-ledger-in-empty-pieces":
        say({"size": 1000})
        for_ever(frame(b"B", b""))
    content = LEDGERS.get(how, LEDGERS["well"])(hub)
    say({"size": len(content)})
    for start in range(0, len(content), 2**16):
        write(frame(b"B", content[start : start + 2**16]))
    say({"mark": "2"})


def drip() -> None:
    while True:
        write(b"x")
        time.sleep(0.1)


def complain() -> None:
    while True:
        os.write(2, b"\x1b[31mno\n" * 1000)


def greet_otherwise() -> None:
    write(b"schoolbag site 7\n")
    time.sleep(30)


BEFORE: dict[str, Callable[[], None]] = {
    "endless-noise": lambda: for_ever(b"noise\n" * 1000),
    "noise-little-by-little": drip,
    "endless-complaints": complain,
    "another-greeting": greet_otherwise,
}
RAW = {
    "a-huge-frame": b"J\xff\xff\xff\xff" + b"{" * 2**16,
    "deep-json": frame(b"J", b"[" * 500_000),
    "not-json": frame(b"J", b'{"v": NaN, "x": Infinity'),
    "many-digits": frame(b"J", b'{"v": ' + b"9" * 100_000 + b"}"),
}


def main() -> None:
    """The arguments are who the hub is, and behaviours, each with a port."""
    hub, names = sys.argv[1], dict(word.split("=") for word in sys.argv[2:])
    how = names[os.environ["SSH_CONNECTION"].split()[3]]
    global BENCH, OPENED
    BENCH = hashlib.sha256(how.encode()).hexdigest()[:16]
    OPENED = ("bench.opened", BENCH, {"name": "bad", "v": 1})
    if how in BEFORE:
        BEFORE[how]()
    write(b"schoolbag site 1\n")
    if how in RAW:
        receive()
        write(RAW[how])
    contact(how, hub)


if __name__ == "__main__":
    main()
