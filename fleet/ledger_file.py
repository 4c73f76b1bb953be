"""The file in which a ledger travels: whole chains, so that whoever takes them over can check every hash.

Lines of canonical JSON in UTF-8:

    1             {"at": …, "chains": [{"bench", "name", "first", "prev", "seq", "hash"}], "events": N, "health": N,
                  "names": N, "schoolbag": "ledger", "v": 1}
    events        chain by chain, each line exactly what is hashed: its SHA-256 is the ``prev`` of the next
    health        {"health": {a row of that table}}
    names         {"name": {a row of the vault, still encrypted}}, only where they were asked for
    the last      {"sha256": of all bytes before it}

``first`` is the first event of the chain in this file, ``prev`` the hash of the one before it, ``seq`` and ``hash``
the last one's. Nothing of a file is trusted: every number, length and name is checked before it is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Table

from fleet.errors import FileError
from fleet.models import health, vault
from fleet.values import Event, canonical, digest, storable
from provision.text import printable

VERSION = 1
_LONGEST = 2 * 2**20
"""Bytes of a line. A run with hundreds of items has some hundred thousand."""

_DEEPEST = 40
"""Levels of an event. Those of ours have six."""

_SMALL, _BIG = 2**31 - 1, 2**63 - 1
_HASH = re.compile(r"[0-9a-f]{64}")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_NAME = 200
"""Characters of a bench's id or name."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Chain:
    """What a file has of one chain: the events from ``first`` to ``seq``."""

    bench: str
    name: str
    first: int
    prev: str
    seq: int
    hash: str

    @property
    def shown(self) -> str:
        """The bench, for people."""
        return f"{printable(self.name)} ({printable(self.bench)})"


@dataclass(frozen=True)
class Header:
    """The first line."""

    at: str
    chains: tuple[Chain, ...]
    events: int
    health: int
    names: int


class Source:
    """A file that is being read: its header, then the rest in the order of the file. Raises FileError."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = printable(name)
        self._number = 0
        self._whole = hashlib.sha256()
        self.header = self._header()

    def events(self, chain: Chain) -> Iterator[tuple[Event, str]]:
        """The events of a chain with their hashes, each checked. The chains come in the order of the header."""
        prev = chain.prev
        for seq in range(chain.first, chain.seq + 1):
            line = self._line()
            try:
                event = _event(line)
            except (ValueError, TypeError, RecursionError):
                self._refuse(f"event {seq} of bench {chain.shown} is not as it was written")
            if (event.bench, event.seq) != (chain.bench, seq):
                self._refuse(f"event {seq} of bench {chain.shown} is missing")
            if event.prev != prev:
                before = f"event {seq - 1}" if seq > 1 else "nothing"
                self._refuse(f"event {seq} of bench {chain.shown} does not follow {before}")
            prev = digest(line)
            yield event, prev
        if prev != chain.hash:
            self._refuse(f"event {chain.seq} of bench {chain.shown} is not the end that was noted")

    def rows(self, table: Table) -> Iterator[Row]:
        """The rows of ``health``, after those the rows of ``vault``."""
        word, count = ("health", self.header.health) if table is health else ("name", self.header.names)
        for _ in range(count):
            try:
                told = json.loads(self._line())[word]
                row = {column.name: _unpacked(column, told.pop(column.name)) for column in table.columns}
                if told:
                    raise ValueError(told)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self._refuse(f"there is no row of {table.name}")
            yield row

    def end(self) -> None:
        """The last line, and nothing after it."""
        whole = self._whole.hexdigest()
        if self._line() != canonical({"sha256": whole}):
            self._refuse("this is not its end, or something in it was changed")
        if self._file.read(1):
            self._refuse("something comes after its end")

    def refuse(self, why: str, next_action: str, error: type[FileError] = FileError) -> NoReturn:
        """FileError about the line that was read last."""
        raise error(f"{self._name}, line {self._number}: {why}.", next_action)

    def _refuse(self, why: str) -> NoReturn:
        self.refuse(why, "Nothing was taken over. Get the file again from the bench that made it.")

    def _line(self) -> str:
        self._number += 1
        raw = self._file.readline(_LONGEST + 1)
        if len(raw) > _LONGEST:
            self._refuse("it is longer than any line of a ledger")
        if not raw.endswith(b"\n"):
            self._refuse("the file is cut off here")
        try:
            line = raw[:-1].decode()
        except UnicodeDecodeError:
            self._refuse("it is not text in UTF-8")
        self._whole.update(raw)
        return line

    def _header(self) -> Header:
        line = self._line()
        try:
            told = json.loads(line)
            version = told["v"] if told["schoolbag"] == "ledger" else None
        except (ValueError, TypeError, KeyError, RecursionError):
            version = None
        if type(version) is not int:
            self.refuse("this is no export of a ledger", "Make one with 'fleet ledger export FILE'.")
        if version > VERSION:
            self.refuse("it was written by a newer version of fleet", "Update fleet on this computer.")
        try:
            chains = tuple(map(_chain, told["chains"]))
            header = Header(_text(told["at"]), chains, *(_number(told[name]) for name in ("events", "health", "names")))
        except (ValueError, TypeError, KeyError, RecursionError):
            self._refuse("its first line is damaged")
        expected = sum(chain.seq - chain.first + 1 for chain in chains)
        if header.events != expected or len({chain.bench for chain in chains}) != len(chains):
            self._refuse("its first line is damaged")
        return header


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file at ``path``. What cannot be read becomes a FileError."""
    try:
        with path.open("rb") as file:
            yield Source(file, str(path))
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        raise FileError(
            f"{printable(str(path))} cannot be read: {error.strerror}.", "Check its name and who may read it."
        ) from error


def check(path: Path) -> Header:
    """Read a whole file, and say what is in it; FileError where it does not hold."""
    with opened(path) as source:
        for chain in source.header.chains:
            for _ in source.events(chain):
                pass
        for table in (health, vault):
            for _ in source.rows(table):
                pass
        source.end()
        return source.header


def packed(row: Mapping[str, Any]) -> Row:
    """A row of ``health`` or ``vault`` as JSON has it."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()
    }


def _event(line: str) -> Event:
    told = json.loads(line)
    if ("\\u" in line and not _storable(told)) or _is_deep(line, told):
        raise ValueError(line)
    body = told.pop("body")
    event = Event(body=canonical(body), **told)
    if event.line() != line or type(event.seq) is not int or type(body["v"]) is not int or not _AT.fullmatch(event.at):
        raise ValueError(line)
    return event


def _is_deep(line: str, told: Any) -> bool:
    """Whether it has so many levels that who reads it later, from wherever, might not get to its ground."""
    if line.count("[") + line.count("{") <= _DEEPEST:
        return False
    level = [told]
    for _ in range(_DEEPEST):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [value for values in inner for value in values]
    return bool(level)


def _storable(value: Any) -> bool:
    """Whether every database can keep it: what none can, a line of text can only say by an escape."""
    match value:
        case str():
            return storable(value) == value
        case dict():
            return all(_storable(inner) for pair in value.items() for inner in pair)
        case list():
            return all(map(_storable, value))
        case _:
            return True


def _chain(told: Mapping[str, Any]) -> Chain:
    bench, name = (_text(told[key]) for key in ("bench", "name"))
    first, seq = (_number(told[key]) for key in ("first", "seq"))
    prev, last = told["prev"], told["hash"]
    if not (1 <= first <= seq and bench and len(bench) <= _NAME and len(name) <= _NAME):
        raise ValueError(told)
    if not _HASH.fullmatch(last) or not (prev == "" if first == 1 else _HASH.fullmatch(prev)):
        raise ValueError(told)
    return Chain(bench, name, first, prev, seq, last)


def _text(value: object) -> str:
    if not isinstance(value, str) or storable(value) != value:
        raise ValueError(value)
    return value


def _number(value: object, greatest: int = _SMALL) -> int:
    if type(value) is not int or not 0 <= value <= greatest:
        raise ValueError(value)
    return value


def _unpacked(column: Column[Any], value: Any) -> Any:
    """A value as ``column`` can keep it. ValueError for any other."""
    if value is None and column.nullable:
        return None
    match column.type:
        case LargeBinary():
            return base64.b64decode(value, validate=True)
        case Boolean():
            if type(value) is not bool:
                raise ValueError(value)
            return value
        case BigInteger():
            return _number(value, _BIG)
        case Integer():
            return _number(value)
        case Float():
            if type(value) not in (int, float) or not -1000 < value < 1000:
                raise ValueError(value)
            return float(value)
        case _:
            return _text(value)
