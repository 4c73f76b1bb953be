"""What a phone holds, as JSON: for people who look at the bench, and for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from provision.virtual.ios import installing, profile_effects
from provision.virtual.ios.phone import Phone


def plain(value: Any) -> Any:
    """Any value of a property list or frozen dataclass as JSON has it; bytes as ``{"bytes": N, "sha256": …}``."""
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def phone(held: Phone) -> dict[str, Any]:
    """All that it holds but its files. The caller holds its lock."""
    return {
        "preset": held.preset,
        "serial": held.serial,
        "udid": held.udid,
        "version": held.version,
        "locked": held.locked,
        "has_passcode": held.has_passcode,
        "find_my": held.find_my,
        "activation_lock": held.activation_lock,
        "activation": held.activation,
        "set_up": held.set_up,
        "supervised": held.supervised,
        "erased": held.erased,
        "free": held.free(),
        "values": plain({domain: held.read(domain) for domain in held.values}),
        "apps": plain(held.apps),
        "profiles": plain(held.profiles),
        "cloud": plain(held.cloud),
        "supervisors": [hashlib.sha256(der).hexdigest() for der in held.supervisors],
        "restrictions": plain(held.restrictions),
        "effects": plain(profile_effects.effects(held)),
        "waiting": _waiting(held),
        "hosts": [{"host_id": host.host_id, "supervisor": host.supervisor} for host in held.hosts.values()],
    }


def _waiting(held: Phone) -> dict[str, Any] | None:
    """The profile that waits in Settings for a person to install it."""
    found = installing.waiting(held)
    return None if found is None else {"identifier": found.profile.identifier, "uuid": found.profile.uuid}
