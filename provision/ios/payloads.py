"""What a configuration profile may hold, on which device: payloads.yaml, and the check of a payload against it.

A device refuses a whole profile for one payload that it does not take, and ignores some keys without a word: both are
found here, before anything is sent (facts, iOS §2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from profiles.once import once
from profiles.versions import at_least

COMMON = ("PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID", "PayloadDisplayName")
"""The keys that every payload has, written by the builder."""


WHOLE = "Configuration"
"""The type of a profile itself."""


class Kind(StrEnum):
    """Why it would not be taken: ``VALUE`` by no device at all, the others by this one."""

    VALUE = "value"
    MDM = "mdm"
    VERSION = "version"
    SUPERVISED = "supervised"


@dataclass(frozen=True)
class Problem:
    """``where`` is the payload's type, then the keys down to the value. ``what`` is for people."""

    kind: Kind
    where: str
    what: str


@dataclass(frozen=True)
class _Row:
    """A payload, a key, or what a list holds; see payloads.yaml. ``supervised`` is the first iOS that wants it so."""

    type: str
    required: bool
    min_os: str
    until: str
    supervised: str
    mdm: bool
    single: bool
    one_of: tuple[Any, ...]
    range: tuple[int, int] | None
    of: _Row | None
    keys: Mapping[str, _Row] | None


@dataclass(frozen=True)
class _Device:
    version: str
    supervised: bool


def check(payload: Mapping[str, Any], version: str, supervised: bool) -> tuple[Problem, ...]:
    """What a device of this iOS, supervised or not, would refuse or ignore in ``payload``, which has a PayloadType.

    Of a whole profile (``Configuration``) all that is in it is looked at, too.
    """
    kind = str(payload.get("PayloadType", ""))
    row = _table().get(kind)
    if row is None:
        return (Problem(Kind.VALUE, kind, f"there is no payload {kind}"),)
    content = {key: value for key, value in payload.items() if key not in COMMON or key in (row.keys or {})}
    found = list(_check(content, row, kind, _Device(version, supervised)))
    if kind == WHOLE:
        inner = payload.get("PayloadContent", ())
        found += [problem for part in inner for problem in check(part, version, supervised)]
        found += _twice([str(part.get("PayloadType", "")) for part in inner])
    return tuple(found)


def _twice(kinds: list[str]) -> Iterator[Problem]:
    for kind in sorted(set(kinds)):
        if kinds.count(kind) > 1 and kind in _table() and _table()[kind].single:
            yield Problem(Kind.VALUE, kind, f"is there {kinds.count(kind)} times, and may be there once")


def _check(value: Any, row: _Row, where: str, device: _Device) -> Iterator[Problem]:
    if row.mdm:
        yield Problem(Kind.MDM, where, "only a management server (MDM) may set it")
    if not at_least(device.version, row.min_os):
        yield Problem(Kind.VERSION, where, f"it needs iOS {row.min_os}, and this is {device.version}")
    if row.until and at_least(device.version, row.until):
        yield Problem(Kind.VERSION, where, f"it is no more since iOS {row.until}, and this is {device.version}")
    if row.supervised and at_least(device.version, row.supervised) and not device.supervised:
        yield Problem(Kind.SUPERVISED, where, "only a supervised device takes it")
    if not isinstance(value, _TYPES[row.type]) or (row.type == "whole" and isinstance(value, bool)):
        yield Problem(Kind.VALUE, where, f"must be a {row.type}, not {type(value).__name__}")
        return
    yield from _value(value, row, where)
    if isinstance(value, list | tuple) and row.of:
        for item in value:
            yield from _check(item, row.of, where, device)
    if isinstance(value, Mapping) and row.keys is not None:
        yield from _keys(value, row.keys, where, device)


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "whole": int,
    "switch": bool,
    "list": (list, tuple),
    "map": Mapping,
}


def _value(value: Any, row: _Row, where: str) -> Iterator[Problem]:
    if row.one_of and value not in row.one_of:
        yield Problem(Kind.VALUE, where, f"must be one of {', '.join(map(str, row.one_of))}, not {value}")
    if row.range:
        least, most = row.range
        size = len(value) if isinstance(value, list | tuple) else value
        if not least <= size <= most:
            yield Problem(Kind.VALUE, where, f"must be {least} to {most}, not {size}")


def _keys(value: Mapping[str, Any], keys: Mapping[str, _Row], where: str, device: _Device) -> Iterator[Problem]:
    for name, row in keys.items():
        if row.required and name not in value:
            yield Problem(Kind.VALUE, f"{where} {name}", "is missing")
    for name, child in value.items():
        if name not in keys:
            yield Problem(Kind.VALUE, f"{where} {name}", "there is no such key")
        else:
            yield from _check(child, keys[name], f"{where} {name}", device)


@once
def _table() -> Mapping[str, _Row]:
    rows = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {name: _row({"type": "map", **row}) for name, row in rows.items()}


def _row(row: Mapping[str, Any]) -> _Row:
    bounds = row.get("range")
    return _Row(
        type=row["type"],
        required=row.get("required", False),
        min_os=row.get("from", "0"),
        until=row.get("until", ""),
        supervised=_since(row.get("supervised", False)),
        mdm=row.get("mdm", False),
        single=row.get("single", False),
        one_of=tuple(row.get("one_of", ())),
        range=(bounds[0], bounds[1]) if bounds else None,
        of=_row(row["of"]) if "of" in row else None,
        keys={name: _row(child) for name, child in row["keys"].items()} if "keys" in row else None,
    )


def _since(said: bool | str) -> str:
    if isinstance(said, str):
        return said
    return "0" if said else ""
