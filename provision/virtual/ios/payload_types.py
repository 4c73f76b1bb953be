"""The payloads that a phone knows, read from payload_types.yaml, and whether one is well-formed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from provision.virtual.ios.profile_errors import PAYLOAD, PROFILE, Refused, bad_type, bad_value, missing

RESTRICTIONS = "com.apple.applicationaccess"
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "real": (int, float),
    "boolean": (bool, int),
    "data": (bytes,),
    "array": (list,),
    "dict": (dict,),
}


@cache
def _file() -> dict[str, Any]:
    text = resources.files("provision.virtual.ios").joinpath("payload_types.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def number(version: object) -> tuple[int, ...]:
    """A version of iOS, to compare: 17.7.2 -> (17, 7, 2)."""
    return tuple(int(part) for part in str(version).split("."))


def kind(payload: Mapping[str, Any], ios: str) -> Mapping[str, Any] | None:
    """What this iOS knows of the payload; ``None``: it takes it for an unknown one."""
    found = _file()["types"].get(payload.get("PayloadType"))
    return found if found is not None and number(found["from"]) <= number(ios) else None


def check(payload: Mapping[str, Any], ios: str) -> None:
    """Raises Refused for a payload whose keys are missing or of the wrong type. Unknown payloads and keys pass."""
    about = kind(payload, ios)
    if about is None:
        return
    if payload["PayloadType"] == RESTRICTIONS:
        _check_restrictions(payload, ios)
    _check_keys(payload, about.get("keys", {}))


def needs_supervision(payload: Mapping[str, Any], ios: str) -> bool:
    """Whether a device that is not supervised refuses the payload."""
    found = (kind(payload, ios) or {}).get("supervised", False)
    if isinstance(found, dict):
        return all(payload.get(key, value) == value for key, value in found.items())
    return bool(found)


def restrictions(payload: Mapping[str, Any], ios: str, *, supervised: bool) -> dict[str, Any]:
    """Those keys of a restrictions payload that this device obeys; it ignores the others."""
    return {key: payload[key] for key, row in _rows(ios).items() if key in payload and _obeyed(row, ios, supervised)}


def _obeyed(row: Mapping[str, Any], ios: str, supervised: bool) -> bool:
    needed = row.get("supervised", False)
    if isinstance(needed, str):
        needed = number(ios) >= number(needed)
    return supervised or not needed


def _rows(ios: str) -> dict[str, Mapping[str, Any]]:
    return {key: row for key, row in _file()["restrictions"].items() if number(row["from"]) <= number(ios)}


def _check_restrictions(payload: Mapping[str, Any], ios: str) -> None:
    for key, row in _rows(ios).items():
        if key not in payload:
            continue
        wanted = row.get("type", "boolean")
        spec = {"type": "array", "items": {"type": "string"}} if wanted == "strings" else {"type": wanted}
        try:
            _check_value(key, payload[key], spec)
        except Refused:
            raise bad_type(PROFILE, key) from None


def _check_keys(found: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
    for key, spec in keys.items():
        name = str(key)
        if name not in found:
            if spec.get("required"):
                raise missing(PAYLOAD, name)
            continue
        _check_value(name, found[name], spec)


def _check_value(name: str, value: object, spec: Mapping[str, Any]) -> None:
    if not _is(value, spec["type"]):
        raise bad_type(PAYLOAD, name)
    if "one_of" in spec and value not in [str(one) if isinstance(value, str) else one for one in spec["one_of"]]:
        raise bad_value(name)
    if isinstance(value, dict):
        _check_keys(value, spec.get("keys", {}))
    if isinstance(value, list) and "items" in spec:
        for item in value:
            _check_value(name, item, spec["items"])


def _is(value: object, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "boolean":
        return value in (0, 1) and isinstance(value, int)
    return isinstance(value, _KINDS[wanted])
