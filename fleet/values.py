"""An event, and the one form in which it is hashed."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

quoted = json.encoder.encode_basestring
"""A text as canonical JSON writes it."""

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class Event(NamedTuple):
    """One thing that happened. ``body`` is canonical JSON; ``prev`` is the hash before it in its chain ("" first).

    A tuple, as a million of them are made at once.
    """

    bench: str
    seq: int
    at: str
    actor: str
    kind: str
    subject: str
    body: str
    prev: str

    def line(self) -> str:
        """The one form in which it is hashed: canonical JSON, its body as an object.

        The body is put in as it is stored: any other spelling of it is a change too.
        """
        return (
            f'{{"actor":{quoted(self.actor)},"at":{quoted(self.at)},"bench":{quoted(self.bench)},"body":{self.body},'
            f'"kind":{quoted(self.kind)},"prev":{quoted(self.prev)},"seq":{self.seq:d},"subject":{quoted(self.subject)}}}'
        )

    def digest(self) -> str:
        """SHA-256 (hex) of :meth:`line`. TypeError for what no event holds."""
        return digest(self.line())


def digest(line: str) -> str:
    """SHA-256 (hex) of the text in UTF-8."""
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Json) -> str:
    """JSON with sorted keys, in UTF-8, without spaces. TypeError for floats: two machines may write them apart."""
    _refuse_floats(value)
    return _ENCODER.encode(value)


_PLAIN = frozenset({str, int, bool, type(None)})


def _refuse_floats(value: Json) -> None:
    """Most values are plain, and there are millions of them: what need not be looked into is passed at once."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise TypeError(f"a key of an event is text, not {key!r}")
            if type(inner) not in _PLAIN:
                _refuse_floats(inner)
    elif isinstance(value, list):
        for inner in value:
            if type(inner) not in _PLAIN:
                _refuse_floats(inner)
    elif isinstance(value, float):
        raise TypeError(f"an event holds no floats: {value!r}")


def storable(text: str) -> str:
    """``text`` as every database can keep it: no NUL, and valid UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
