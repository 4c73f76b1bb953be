"""``com.apple.mobile.MCInstall``: profiles, supervision and erasing (facts, iOS §1 and §4).

A request is ``{RequestType, …}``. The answer's ``Status`` is Acknowledged, Error with an ``ErrorChain``, or the word
for what is wrong; a request that is not known, or not to one who is no supervisor, is a CommandFormatError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provision.virtual.ios import installing, supervision
from provision.virtual.ios.phone import Phone, Profile
from provision.virtual.ios.profile_errors import Cause, Refused
from provision.virtual.ios.stream import Stream

Answer = dict[str, Any]
_SHOWN = ("PayloadDescription", "PayloadOrganization")


def serve(stream: Stream, phone: Phone) -> None:
    """Answer until the computer goes. Raises Closed."""
    talk = _Talk(phone)
    while True:
        said = stream.recv_plist()
        with phone.lock:
            answer = talk.answer(said if isinstance(said, Mapping) else {})
        stream.send_plist(answer)
        if talk.erasing is not None:
            phone.erase(talk.erasing)


class _Talk:
    """One connection. ``erasing`` is set when the phone has to be erased: whether the data plan of its eSIM stays."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._escalation = supervision.Escalation(phone)
        self.erasing: bool | None = None
        self._requests: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "HelloHostIdentifier": _acknowledge,
            "Flush": _acknowledge,
            "Disconnect": _acknowledge,
            "GetProfileList": lambda _: self._list(),
            "InstallProfile": lambda said: self._install(said, installing.hand_over),
            "RemoveProfile": lambda said: self._do(installing.remove, said.get("ProfileIdentifier")),
            "GetCloudConfiguration": lambda _: self._cloud(),
            "SetCloudConfiguration": lambda said: self._do(supervision.set_cloud, said.get("CloudConfiguration")),
            "Escalate": lambda said: self._escalation.begin(said.get("SupervisorCertificate")),
            "EscalateResponse": lambda said: self._escalation.prove(said.get("SignedRequest")),
            "EraseDevice": self._erase,
        }
        self._for_supervisors: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "ProceedWithKeybagMigration": _acknowledge,
            "InstallProfileSilent": lambda said: self._install(said, installing.install_silently),
            "SecurityInfo": lambda _: self._security(),
        }

    def answer(self, said: Mapping[str, Any]) -> Answer:
        asked = said.get("RequestType")
        known = {**self._requests, **self._for_supervisors} if self._escalation.done else self._requests
        if not isinstance(asked, str) or asked not in known:
            return {"Status": "CommandFormatError"}
        return known[asked](said)

    def _do(self, work: Callable[[Phone, Any], None], what: Any) -> Answer:
        try:
            work(self._phone, what)
        except Refused as refused:
            return refused.answer()
        return {"Status": "Acknowledged"}

    def _install(self, said: Mapping[str, Any], work: Callable[[Phone, bytes], None]) -> Answer:
        if "Payload" not in said:
            return {"Status": "ErrorPayloadEmpty"}
        if not isinstance(said["Payload"], bytes):
            return Refused(Cause("DMCTunnelErrorDomain", 14000, "The field “Payload” is invalid.")).answer()
        return self._do(work, said["Payload"])

    def _list(self) -> Answer:
        profiles = self._phone.profiles
        return {
            "Status": "Acknowledged",
            "OrderedIdentifiers": list(profiles),
            "ProfileManifest": {name: {"Description": one.name, "IsActive": True} for name, one in profiles.items()},
            "ProfileMetadata": {name: _metadata(one) for name, one in profiles.items()},
        }

    def _cloud(self) -> Answer:
        found = supervision.cloud(self._phone)
        return {"Status": "Acknowledged"} | ({} if found is None else {"CloudConfiguration": found})

    def _erase(self, said: Mapping[str, Any]) -> Answer:
        keep = said.get("PreserveDataPlan", False)
        if not isinstance(keep, int) or not isinstance(said.get("DisallowProximitySetup", False), int):
            return {"Status": "CommandFormatError"}
        self.erasing = bool(keep)
        return {"Status": "Acknowledged"}

    def _security(self) -> Answer:
        present = self._phone.has_passcode
        about = {"HardwareEncryptionCaps": 3, "PasscodeCompliant": True, "PasscodeCompliantWithProfiles": True}
        return {"Status": "Acknowledged", "SecurityInfo": about | {"PasscodePresent": present}}


def _acknowledge(_said: Mapping[str, Any]) -> Answer:
    return {"Status": "Acknowledged"}


def _metadata(profile: Profile) -> Answer:
    content = profile.content
    return {key: content[key] for key in _SHOWN if key in content} | {
        "PayloadDisplayName": profile.name,
        "PayloadRemovalDisallowed": bool(content.get("PayloadRemovalDisallowed", False)),
        "PayloadUUID": profile.uuid,
        "PayloadVersion": 1,
    }
