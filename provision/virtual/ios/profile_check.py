"""Reading a configuration profile as a phone does: plain or signed, XML or binary; what it may not be (facts, iOS §2).

A phone reads a profile when it is handed over, and judges whether it may have it only when it is installed: what
:func:`read` refuses the computer gets to hear, what :func:`admit` refuses the person in Settings (or, silently, the
computer).
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

from provision.virtual.ios import payload_types
from provision.virtual.ios.cms import Unsigned, verify
from provision.virtual.ios.profile_errors import (
    CHAPERONE,
    INSTALLATION,
    PAYLOAD,
    PROFILE,
    Cause,
    Refused,
    bad_type,
    failed,
    malformed_payload,
    missing,
    unreadable,
)

_UNREADABLE = (
    plistlib.InvalidFileException,
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_NAMES = ("PayloadType", "PayloadIdentifier", "PayloadUUID")


@dataclass(frozen=True)
class Read:
    """A profile that was read. ``content`` is all of it, ``signer`` the certificate (DER) of whoever signed it."""

    content: Mapping[str, Any] = field(repr=False)
    signer: bytes | None = field(default=None, repr=False)

    @property
    def identifier(self) -> str:
        return str(self.content["PayloadIdentifier"])

    @property
    def uuid(self) -> str:
        return str(self.content["PayloadUUID"])

    @property
    def name(self) -> str:
        return str(self.content.get("PayloadDisplayName") or self.identifier)

    @property
    def payloads(self) -> list[Mapping[str, Any]]:
        return list(self.content["PayloadContent"])


def read(data: bytes, ios: str, *, named_only: bool = False) -> Read:
    """Raises Refused for what is no profile, or one with parts missing, doubled or of the wrong type.

    ``named_only``: a profile without payloads will do, as in a request to remove one.
    """
    try:
        content, signer = _open(data)
        _check_head(content, named_only)
        if not named_only:
            _check_payloads(content, ios)
    except Refused as refused:
        raise refused.below(unreadable()) from None
    return Read(content, signer)


def _open(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    if not data:
        raise Refused(Cause(PROFILE, 1005, "The profile is empty."))
    signer = None
    content = _plist(data)
    if content is None:
        try:
            signed = verify(data)
        except Unsigned:
            raise _malformed() from None
        signer, content = signed.signer, _plist(signed.content)
    if not isinstance(content, dict):
        raise _malformed()
    return content, signer


def _malformed() -> Refused:
    return Refused(Cause(PROFILE, 1000, "Invalid Profile"))


def _plist(data: bytes) -> Any:
    try:
        return plistlib.loads(data.lstrip())
    except _UNREADABLE:
        return None


def _check_head(content: Mapping[str, Any], named_only: bool) -> None:
    for name in _NAMES:
        _check_name(PROFILE, content, name)
    _check_version(PROFILE, content, Cause(PROFILE, 1001, "The profile has an unsupported version."))
    if content["PayloadType"] != "Configuration":
        raise _malformed()
    for name in ("PayloadDisplayName", "PayloadDescription", "PayloadOrganization"):
        if name in content and not isinstance(content[name], str):
            raise bad_type(PROFILE, name)
    if not isinstance(content.get("PayloadRemovalDisallowed", False), bool | int):
        raise bad_type(PROFILE, "PayloadRemovalDisallowed")
    if named_only and "PayloadContent" not in content:
        return
    if not isinstance(content.get("PayloadContent", []), list):
        raise bad_type(PROFILE, "PayloadContent")
    if not content.get("PayloadContent"):
        raise Refused(Cause(PROFILE, 1005, "The profile is empty."))


def _check_name(domain: str, content: Mapping[str, Any], name: str) -> None:
    if name not in content:
        raise missing(domain, name)
    if not isinstance(content[name], str) or not content[name]:
        raise bad_type(domain, name)


def _check_version(domain: str, content: Mapping[str, Any], other: Cause) -> None:
    version = content.get("PayloadVersion")
    if version is None:
        raise missing(domain, "PayloadVersion")
    if not isinstance(version, int) or isinstance(version, bool):
        raise bad_type(domain, "PayloadVersion")
    if version != 1:
        raise Refused(other)


def _check_payloads(content: Mapping[str, Any], ios: str) -> None:
    payloads = content["PayloadContent"]
    for payload in payloads:
        if not isinstance(payload, dict):
            raise bad_type(PROFILE, "PayloadContent")
        try:
            _check_payload(payload, ios)
        except Refused as refused:
            shown = payload.get("PayloadDisplayName") or payload.get("PayloadIdentifier") or "Payload"
            raise refused.below(malformed_payload(str(shown))) from None
    if _doubled([content["PayloadUUID"], *(payload["PayloadUUID"] for payload in payloads)]):
        raise Refused(Cause(PROFILE, 1007, "The profile contains payloads with the same UUID."))
    if _doubled([payload["PayloadIdentifier"] for payload in payloads]):
        raise Refused(Cause(PROFILE, 1008, "The profile contains payloads with the same identifier."))


def _check_payload(payload: Mapping[str, Any], ios: str) -> None:
    _check_version(PAYLOAD, payload, Cause(PAYLOAD, 2001, "The payload has an unsupported version."))
    for name in _NAMES:
        _check_name(PAYLOAD, payload, name)
    payload_types.check(payload, ios)


def _doubled(names: list[str]) -> bool:
    return len({name.upper() for name in names}) < len(names)


def admit(profile: Read, installed: Iterable[Read], ios: str, *, supervised: bool) -> None:
    """Whether the phone may have the profile beside those that are ``installed``. Raises Refused."""
    try:
        others = []
        for other in installed:
            if other.identifier != profile.identifier:
                others.append(other)
            elif other.signer is not None and other.signer != profile.signer:
                raise Refused(Cause(INSTALLATION, 4008, "The profile was signed by somebody else before."))
        _admit_payloads(profile, others, ios, supervised)
        _admit_removal(profile)
    except Refused as refused:
        raise refused.below(*failed(profile.name)) from None


def _admit_payloads(profile: Read, others: list[Read], ios: str, supervised: bool) -> None:
    there = [payload for other in others for payload in other.payloads]
    codes = [_once(payload, ios) for payload in [*there, *profile.payloads]]
    for payload in profile.payloads:
        about = payload_types.kind(payload, ios) or {}
        code = _once(payload, ios)
        if code and codes.count(code) > 1:
            raise Refused(Cause(INSTALLATION, code, f"Only one payload “{payload['PayloadType']}” can be installed."))
        if about.get("mdm"):
            raise Refused(Cause(INSTALLATION, 4021, "The profile must be installed by a management server."))
        if not supervised and payload_types.needs_supervision(payload, ios):
            raise Refused(Cause(CHAPERONE, 29000, "The device is not supervised."))


def _once(payload: Mapping[str, Any], ios: str) -> int:
    return int((payload_types.kind(payload, ios) or {}).get("once", 0))


def _admit_removal(profile: Read) -> None:
    date = profile.content.get("RemovalDate")
    if isinstance(date, datetime) and date.replace(tzinfo=UTC) < datetime.now(UTC):
        raise Refused(Cause(INSTALLATION, 4025, "The date of its removal is in the past."))
