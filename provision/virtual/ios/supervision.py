"""Who may configure the phone: the cloud configuration that supervises it, and the proof of being its supervisor.

A supervisor shows its certificate, is given eight random bytes and returns them in a signed message that holds them and
its certificate. Whether the certificate has ended is not looked at [inferred]. Facts, iOS §1 and §4.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from provision.virtual.ios.cms import Unsigned, verify
from provision.virtual.ios.phone import Phone
from provision.virtual.ios.profile_effects import restrictions
from provision.virtual.ios.profile_errors import CLOUD, Cause, Refused

_AFTER_SETUP = {
    "AllowPairing": True,
    "CloudConfigurationUIComplete": True,
    "ConfigurationSource": 0,
    "ConfigurationWasApplied": True,
    "IsMDMUnremovable": False,
    "IsMandatory": False,
    "IsSupervised": False,
    "PostSetupProfileWasInstalled": True,
}
"""What the Setup Assistant leaves where nobody configured the device [inferred]."""
_CONFIGURATOR = 2
_TYPES: Mapping[str, type] = {
    "IsSupervised": bool,
    "AllowPairing": bool,
    "IsMandatory": bool,
    "OrganizationName": str,
    "OrganizationMagic": str,
    "SkipSetup": list,
    "SupervisorHostCertificates": list,
}


def cloud(phone: Phone) -> dict[str, Any] | None:
    """``GetCloudConfiguration``; ``None`` where there is none yet."""
    if phone.cloud is not None:
        return phone.cloud
    return dict(_AFTER_SETUP) if phone.set_up else None


def set_cloud(phone: Phone, given: Any) -> None:
    """``SetCloudConfiguration``. Raises Refused.

    A device that is not activated refuses from iOS 18 on; older ones say yes and are not supervised (facts, iOS §1).
    """
    if cloud(phone) is not None:
        domain = "DMCTunnelErrorDomain" if phone.major >= 13 else "MCTunnelErrorDomain"
        raise Refused(Cause(domain, 14002, "A cloud configuration is already present."))
    if not isinstance(given, dict) or any(
        not isinstance(given[key], wanted) for key, wanted in _TYPES.items() if key in given
    ):
        raise Refused(Cause(CLOUD, 33002, "The cloud configuration is invalid."))
    if phone.activation != "Activated":
        if phone.major >= 18:
            raise Refused(Cause(CLOUD, 33003, "The device is not activated."))
        return
    phone.cloud = given | {
        "ConfigurationSource": _CONFIGURATOR,
        "CloudConfigurationUIComplete": True,
        "ConfigurationWasApplied": True,
        "IsMandatory": True,
        "IsMDMUnremovable": False,
    }
    shown = given.get("SupervisorHostCertificates", [])
    phone.supervisors = [bytes(one) for one in shown if isinstance(one, bytes)] if phone.supervised else []
    if not given.get("AllowPairing", True):
        phone.hosts.clear()
    phone.restrictions = restrictions(phone)


class Escalation:
    """The way of one connection to the rights of a supervisor; callers hold the phone's lock."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._asked: tuple[bytes, bytes] | None = None
        self.done = False

    def begin(self, certificate: Any) -> dict[str, Any]:
        """``Escalate``."""
        if certificate not in self._phone.supervisors:
            return {"Status": "CertificateRejected"}
        self._asked = (certificate, secrets.token_bytes(8))
        return {"Status": "Acknowledged", "Challenge": self._asked[1]}

    def prove(self, signed: Any) -> dict[str, Any]:
        """``EscalateResponse``; there is one try for each challenge."""
        asked, self._asked = self._asked, None
        try:
            found = verify(signed) if isinstance(signed, bytes) else None
        except Unsigned:
            found = None
        if asked is None or found is None or (found.signer, found.content) != asked:
            return {"Status": "SignedRequestRejected"}
        self.done = True
        return {"Status": "Acknowledged"}
