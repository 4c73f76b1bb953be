"""Configuration profiles for tests: written short, as in the case files, and filled in."""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

IDENTIFIER = "org.example.configuration"
CAMERA = {"type": "com.apple.applicationaccess", "allowCamera": False}


def profile(
    payloads: Sequence[Mapping[str, Any]] = (CAMERA,), *, identifier: str = IDENTIFIER, **own: Any
) -> dict[str, Any]:
    """A profile with these payloads (``type`` and keys); a key given as ``None`` is left out."""
    head = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid.uuid4()),
        "PayloadDisplayName": "School",
        "PayloadContent": [_payload(number, payload) for number, payload in enumerate(payloads)],
    }
    return without_none(head | own)


def data(*args: Any, **own: Any) -> bytes:
    """The same as a file."""
    return plistlib.dumps(profile(*args, **own))


def _payload(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    made = {
        "PayloadType": given["type"],
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{IDENTIFIER}.{number}",
        "PayloadUUID": str(uuid.uuid4()),
    }
    return without_none(made | {key: value for key, value in given.items() if key != "type"})


def without_none(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of it without the keys that are ``None``."""
    return {key: value for key, value in tree.items() if value is not None}
