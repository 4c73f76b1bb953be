"""An event, and the one form in which it is hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

quoted = json.encoder.encode_basestring
"""A text as canonical JSON writes it."""

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def _no_float(text: str) -> NoReturn:
    raise TypeError(f"an event holds no floats: {text}")


def _nothing_else(value: object) -> NoReturn:
    raise TypeError(f"an event holds what JSON can say: {value!r}")


_ENCODE: Callable[[object, int], Iterable[str]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _nothing_else, quoted, None, ":", ",", True, False, True
)
"""Made once: json makes one for each value, which takes as long as the writing of most events."""

_DECODER: Any = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)


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
    return written(value)[0]


def written(value: Json) -> tuple[str, Any]:
    """The same, and what whoever reads it will find. TypeError where that is not ``value``: keys that are no text."""
    text = encoded(value)
    told, _ = _DECODER.scan_once(text, 0)
    if told != value:
        raise TypeError("an event holds what JSON can say: keys that are text, no tuples")
    return text, told


def encoded(value: object) -> str:
    """JSON in the same form, of what is known to hold but texts, numbers, lists and objects."""
    return "".join(_ENCODE(value, 0))


def storable(text: str) -> str:
    """``text`` as every database can keep it: no NUL, and valid UTF-8."""
    if "\0" not in text:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
