"""An event, and the one form in which it is hashed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``body`` is canonical JSON; ``prev`` is the hash before it in its chain ("" first)."""

    bench: str
    seq: int
    at: str
    actor: str
    kind: str
    subject: str
    body: str
    prev: str

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of the event, its body as an object.

        The body is put in as it is stored: any other spelling of it is a change too.
        """
        before = canonical({"actor": self.actor, "at": self.at, "bench": self.bench})
        after = canonical({"kind": self.kind, "prev": self.prev, "seq": self.seq, "subject": self.subject})
        whole = f'{before[:-1]},"body":{self.body},{after[1:]}'
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Json) -> str:
    """JSON with sorted keys, in UTF-8, without spaces. TypeError for floats: two machines may write them apart."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _refuse_floats(value: Json) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key of an event is text, not {key!r}")
            _refuse_floats(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_floats(inner)
    elif isinstance(value, float):
        raise TypeError(f"an event holds no floats: {value!r}")


def storable(text: str) -> str:
    """``text`` as every database can keep it: no NUL, and valid UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
