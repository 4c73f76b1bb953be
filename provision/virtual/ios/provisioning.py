"""The provisioning profile inside an app: for which devices, until when, with which rights (facts, iOS §1).

A property list in a CMS SignedData. That Apple signed it is the one thing that is not asked here: Apple's certificates
are not ours to carry.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

from cryptography import x509
from cryptography.x509.oid import NameOID

from provision.virtual.ios import cms


class BadProfile(Exception):
    """No provisioning profile."""


@dataclass(frozen=True)
class Provisioning:
    """``signer`` is the name in the signer's certificate. ``devices`` are UDIDs, None: all there are (``enterprise``).
    ``expires`` is UTC."""

    name: str
    signer: str
    devices: frozenset[str] | None
    expires: datetime
    entitlements: Mapping[str, Any]

    @property
    def enterprise(self) -> bool:
        return self.devices is None

    def covers(self, udid: str) -> bool:
        return self.devices is None or udid in self.devices

    def grants(self, wanted: Mapping[str, Any]) -> bool:
        """Whether all these entitlements are in the profile."""
        return all(key in self.entitlements and _within(value, self.entitlements[key]) for key, value in wanted.items())


def _within(wanted: Any, granted: Any) -> bool:
    """Whether an entitlement's value is allowed; ``TEAM.*`` stands for everything that starts with ``TEAM.``."""
    if isinstance(wanted, list):
        return isinstance(granted, list) and all(any(_within(one, each) for each in granted) for one in wanted)
    if isinstance(wanted, str) and isinstance(granted, str) and granted.endswith("*"):
        return wanted.startswith(granted[:-1])
    return bool(wanted == granted or wanted is False)


def read_profile(data: bytes) -> Provisioning:
    """The profile in ``embedded.mobileprovision``. Raises BadProfile."""
    try:
        plist = plistlib.loads(cms.verify(data).content)
        certificate = x509.load_der_x509_certificate(plist["DeveloperCertificates"][0])
        (signer,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        devices = None if plist.get("ProvisionsAllDevices") else frozenset(map(str, plist["ProvisionedDevices"]))
        expires = plist["ExpirationDate"].replace(tzinfo=UTC)
        return Provisioning(str(plist["Name"]), str(signer.value), devices, expires, dict(plist["Entitlements"]))
    except (
        cms.Unsigned,
        plistlib.InvalidFileException,
        ExpatError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BadProfile(str(error)) from None
