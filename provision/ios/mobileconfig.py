"""The bytes of a configuration profile: the same content gives the same bytes, identifiers and UUIDs.

A device replaces a profile by one of the same PayloadIdentifier and tells its PayloadUUID (facts, iOS §4), so that
identifier never changes and the UUID is a keyed hash of all content, secrets included: what the device lists says
exactly which content it has, and tells nobody what is in it.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from profiles.secrets import Secret

IDENTIFIER = "org.schoolbag.configuration"

Reveal = Callable[[Secret], str]


@dataclass(frozen=True)
class Payload:
    """``place`` is its name in the profile, stable between versions; ``content`` has its PayloadType and keys."""

    place: str
    title: str
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Mobileconfig:
    """``uuid`` as the device lists it. ``data`` is an XML property list and holds secrets."""

    uuid: str
    data: bytes = field(repr=False)


def build(
    payloads: Iterable[Payload], top: Mapping[str, Any], seal: Callable[[str], str], reveal: Reveal = Secret.reveal
) -> Mobileconfig:
    """One profile of all ``payloads``, by place. ``top`` are further keys of the profile itself, ``seal`` is the keyed
    hash (hex) from which UUIDs come, ``reveal`` says what stands for a secret."""
    inner = [_payload(payload, seal, reveal) for payload in sorted(payloads, key=lambda payload: payload.place)]
    whole = {
        **top,
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": IDENTIFIER,
        "PayloadContent": inner,
    }
    identity = _uuid(whole, seal)
    return Mobileconfig(identity, _bytes({**whole, "PayloadUUID": identity}))


def _payload(payload: Payload, seal: Callable[[str], str], reveal: Reveal) -> dict[str, Any]:
    content = {
        **_plain(payload.content, reveal),
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{IDENTIFIER}.{payload.place}",
        "PayloadDisplayName": payload.title,
    }
    return {**content, "PayloadUUID": _uuid(content, seal)}


def _plain(value: Any, reveal: Reveal) -> Any:
    if isinstance(value, Secret):
        return reveal(value)
    if isinstance(value, Mapping):
        return {key: _plain(child, reveal) for key, child in value.items()}
    return [_plain(child, reveal) for child in value] if isinstance(value, list | tuple) else value


def _uuid(content: Mapping[str, Any], seal: Callable[[str], str]) -> str:
    """A UUID of version 8, which is free for hashes (RFC 9562)."""
    digest = seal(_bytes(content).decode())[:32]
    return str(uuid.UUID(f"{digest[:12]}8{digest[13:16]}{'89ab'[int(digest[16], 16) % 4]}{digest[17:]}")).upper()


def _bytes(content: Mapping[str, Any]) -> bytes:
    return plistlib.dumps(dict(content), sort_keys=True)
