"""``com.apple.mobileactivationd``: the phone's side of activation; the computer carries it to Apple's server and back.

A session is a random word of the phone's: it goes to the server in the handshake and comes back in the activation
record, so that a record of another phone, or of another day, is refused. Facts, iOS §3 and §4; the insides of the
messages are made up [inferred], their outer keys are those that clients pass on.
"""

from __future__ import annotations

import plistlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from provision.virtual.ios.phone import Phone
from provision.virtual.ios.stream import Stream

Answer = dict[str, Any]
_IDENTITY = ("InternationalMobileEquipmentIdentity", "MobileEquipmentIdentifier", "IntegratedCircuitCardIdentity")


class _Refused(Exception):
    """What the daemon answers as ``Error``."""


def serve(stream: Stream, phone: Phone) -> None:
    """Answer until the computer goes. Raises Closed."""
    while True:
        said = stream.recv_plist()
        asked = said.get("Command") if isinstance(said, Mapping) else None
        work = _COMMANDS.get(str(asked))
        try:
            if work is None:
                raise _Refused(f"Invalid command {asked}")
            with phone.lock:
                answer: Answer = {"Value": work(phone, said.get("Value"))}
        except _Refused as refused:
            answer = {"Error": str(refused)}
        stream.send_plist(answer)


def _session(phone: Phone, _value: Any) -> Answer:
    """``CreateTunnel1SessionInfoRequest``: a new session; the one before is over."""
    phone.activation_session = secrets.token_bytes(20)
    return {
        "HandshakeRequestMessage": phone.activation_session,
        "UniqueDeviceID": phone.udid,
        "CollectionBlob": plistlib.dumps({"IngestBody": {}}),
    }


def _info(phone: Phone, value: Any) -> Answer:
    """``CreateTunnel1ActivationInfoRequest``: what the server has to know, given its answer to the handshake."""
    if not phone.activation_session or _plist(value).get("HandshakeResponseMessage") != phone.activation_session:
        raise _Refused("The response does not belong to the session")
    about = {
        "ActivationRequestInfo": {
            "ActivationRandomness": str(uuid.uuid4()).upper(),
            "ActivationState": phone.activation,
            "FMiPAccountExists": phone.find_my,
        },
        "DeviceID": {"SerialNumber": phone.serial, "UniqueDeviceID": phone.udid},
        "DeviceInfo": {key: phone.values[""][key] for key in ("DeviceClass", "ProductType", "BuildVersion")},
        "BasebandRequestInfo": {key: phone.values[""][key] for key in _IDENTITY if key in phone.values[""]},
    }
    return {
        "ActivationInfoComplete": True,
        "ActivationInfoXML": plistlib.dumps(about),
        "FairPlayCertChain": secrets.token_bytes(64),
        "FairPlaySignature": phone.activation_session,
    }


def _activate(phone: Phone, value: Any) -> Answer:
    """``HandleActivationInfoWithSessionRequest``: take the record of the server."""
    record = _plist(value).get("ActivationRecord")
    if not isinstance(record, dict) or not record.get("unbrick"):
        raise _Refused("There is no activation record")
    token = _plist(record.get("AccountToken"))
    if (token.get("UniqueDeviceID"), token.get("Session")) != (phone.udid, phone.activation_session):
        raise _Refused("The activation record is not for this device")
    phone.activation_session = b""
    phone.activation = "Activated"
    return {}


def _deactivate(phone: Phone, _value: Any) -> Answer:
    phone.activation = "Unactivated"
    return {}


_COMMANDS: Mapping[str, Callable[[Phone, Any], Any]] = {
    "GetActivationStateRequest": lambda phone, _: phone.activation,
    "CreateTunnel1SessionInfoRequest": _session,
    "CreateTunnel1ActivationInfoRequest": _info,
    "HandleActivationInfoWithSessionRequest": _activate,
    "DeactivateRequest": _deactivate,
}


def _plist(data: Any) -> dict[str, Any]:
    """A property list within a message; empty where it is none."""
    try:
        found = plistlib.loads(data) if isinstance(data, bytes) else data
    except (plistlib.InvalidFileException, ExpatError, ValueError, LookupError, TypeError, OverflowError):
        return {}
    return found if isinstance(found, dict) else {}
