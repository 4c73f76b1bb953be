"""The hub's side of a contact. What a site says is believed no further than its shape; texts and numbers are bounded.

A session is made over any pipe (:mod:`fleet.remote.wire.ssh` has one over SSH). Its methods raise Unreachable when the
link breaks, SiteRefused with the site's own reason, and SiteError when what comes back is not what a site says.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.remote.errors import SiteError, SiteRefused, Unreachable
from fleet.remote.releases.store import Signed
from fleet.remote.wire.frames import LONGEST, Cut, Malformed, Message, OtherVersion, Pipe, Stream
from fleet.remote.wire.serve import MOST_MISSING, VERSION
from provision.text import printable

MOST_LEDGER = 2**29
"""Bytes that a site may send of its ledger in one contact."""

MOST_SAID = 2**30
"""Bytes that a site may send in one contact, all in all."""

_GREETED, _ANSWERED, _BROUGHT = 120.0, 900.0, 12 * 3600.0
"""Seconds for the greeting, for an answer, and for bringing what is attached: nobody keeps the hub for ever."""

_MOST_ALIVE, _MOST_LINES = 10_000, 2**18
"""Messages that say only that the site is still at it, and lines of progress."""

_SLOWEST = 2000
"""Bytes per second that a ledger comes with at least."""

_TEXT = 300
_BENCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Hello:
    """What a site says of itself. ``zone``: minutes east of UTC; ``free`` in bytes; ``now`` in seconds since 1970."""

    fleet: str
    bench: str
    name: str
    now: int
    zone: int
    free: int
    release: int | None
    digest: str | None
    mark: str | None
    trusts: bool


@dataclass(frozen=True)
class Brought:
    """How ``fleet provision`` ended at the site: its exit code, and the error that it ended with, or ""."""

    exit: int
    error: str


class Session:
    """One contact with a site, from the greeting to the end of the pipe."""

    def __init__(self, pipe: Pipe, site: str) -> None:
        self._stream = Stream(pipe, most=MOST_SAID)
        self._site = printable(site)
        with self._told():
            self._stream.within(_GREETED)
            self._stream.await_greeting()

    def hello(self, key: str, hub: str) -> Hello:
        """Say who asks, hear who answers."""
        told = self._ask({"do": "hello", "key": key, "hub": hub})
        with self._told():
            if type(told["v"]) is int and told["v"] != VERSION:
                raise OtherVersion(told["v"])
            return Hello(
                fleet=_text(told["fleet"]),
                bench=_bench(told["bench"]),
                name=_text(told["name"]),
                now=_number(told["now"], 2**40),
                zone=_number(told["zone"] + 24 * 60, 48 * 60) - 24 * 60,
                free=_number(told["free"], 2**63),
                release=None if told["release"] is None else _number(told["release"], 10**9),
                digest=None if told["digest"] is None else _hash(told["digest"]),
                mark=None if told["mark"] is None else _text(told["mark"]),
                trusts=told["trusts"] is True,
            )

    def trust(self, key: str, hub: str) -> None:
        """Have the site take our releases."""
        self._ask({"do": "trust", "key": key, "hub": hub})

    def offer(self, signed: Signed) -> dict[str, int]:
        """Which contents the site has not, and how many bytes of each have come."""
        with self._told():
            size = len(signed.content)
            self._stream.send({"do": "offer", "size": size, "signature": signed.signature.hex()})
            self._stream.send_bytes(io.BytesIO(signed.content), len(signed.content))
            told = self._answer(MOST_MISSING)["missing"]
            sizes = signed.manifest.blobs
            return {sha256: _number(have, sizes[sha256]) for sha256, have in told}

    def put(self, path: Path, sha256: str, size: int, offset: int, sent: Callable[[int], None]) -> None:
        """Send a content from ``offset`` on; no answer is waited for. ``sent`` is told how many bytes went out."""
        with self._told(), path.open("rb", buffering=0) as source:
            self._stream.send({"do": "put", "sha256": sha256, "size": size, "offset": offset})
            source.seek(offset)
            self._stream.send_bytes(source, size - offset, sent)

    def activate(self, *, older: bool) -> tuple[int, str]:
        """Put what was offered in force. The number and digest that the site says are in force now."""
        told = self._ask({"do": "activate", "older": older})
        with self._told():
            return _number(told["release"], 10**9), _hash(told["digest"])

    def ledger(self, after: int, path: Path) -> str | None:
        """Write the site's own chain after event ``after`` to ``path``; the mark by which it is known for unchanged."""
        with self._told():
            size = _number(self._ask({"do": "ledger", "after": after})["size"], MOST_LEDGER)
            self._stream.within(_ANSWERED + size / _SLOWEST)
            with path.open("xb") as target:
                for piece in self._stream.receive_bytes(size):
                    target.write(piece)
            mark = self._answer()["mark"]
            return None if mark is None else _text(mark)

    def bring(self, profile: str, only: Sequence[str] | None, line: Callable[[Mapping[str, Any]], None]) -> Brought:
        """Have what is attached there brought to the release, or of that ``only`` the devices with these serials.

        ``line`` is called with each line of progress.
        """
        with self._told():
            self._stream.send({"do": "bring", "profile": profile, "only": only})
            self._stream.within(_BROUGHT)
            for _ in range(_MOST_LINES):
                if "exit" in (told := self._reply()):
                    break
                if isinstance(said := told.get("line"), dict):
                    line(said)
            else:
                raise Malformed("lines without end")
            return Brought(_number(told["exit"], 255), _text(told["error"]))

    def bye(self) -> None:
        """End it well."""
        self._ask({"do": "bye"})

    def _ask(self, request: Message) -> Message:
        with self._told():
            self._stream.send(request)
            return self._answer()

    def _answer(self, longest: int = LONGEST) -> Message:
        """What it answers, in time. SiteRefused with the site's own words."""
        self._stream.within(_ANSWERED)
        return self._reply(longest)

    def _reply(self, longest: int = LONGEST) -> Message:
        for _ in range(_MOST_ALIVE):
            if (told := self._stream.receive(longest)) != {"alive": True}:
                break
        else:
            raise Malformed("nothing but that it is alive")
        if "error" in told and "exit" not in told:
            raise SiteRefused(f"{self._site}: {_text(told['error'])}", _text(told.get("next", "")))
        return told

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A link that breaks while we send may have broken because the site refused: its reason is read first."""
        try:
            yield
        except Cut as cut:
            self._last_words()
            raise Unreachable(
                f"The link to {self._site} broke: {printable(str(cut))[:_TEXT]}.", "It goes on at the next contact."
            ) from cut
        except OtherVersion as other:
            newer = other.number > VERSION
            raise SiteError(
                f"{self._site} has {'a newer' if newer else 'an older'} fleet, which this hub does not understand.",
                "Update fleet here." if newer else "Update fleet at the site.",
            ) from other
        except (Malformed, KeyError, TypeError, ValueError, AttributeError) as error:
            raise SiteError(
                f"{self._site} answers what no fleet says.", "Look at that computer: is it what it was?"
            ) from error

    def _last_words(self) -> None:
        try:
            self._answer()
        except (Cut, Malformed, TypeError, ValueError):
            return


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return printable(value[:_TEXT])


def _bench(value: object) -> str:
    """Whose chain comes from there. Nothing that could mean another one's, or every one's."""
    if not isinstance(value, str) or not _BENCH.fullmatch(value):
        raise ValueError(value)
    return value


def _number(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(value)
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(value)
    return value
