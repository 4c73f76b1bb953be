"""lockdownd: the door to everything else of an iPhone (facts, iOS §4).

One connection is one :class:`Talk`. It begins in clear and may start a TLS session with a computer that the phone
trusts. It answers XML property lists, echoes ``Request`` and says no by ``Error``, as iOS does from 5 on.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from provision.virtual.ios import pairing
from provision.virtual.ios.phone import Host, Phone
from provision.virtual.ios.services import SERVICES
from provision.virtual.ios.stream import Closed, Stream
from provision.virtual.ios.trust import Trust

PORT = 62078
IDLE_SECONDS = 60.0
UNPAIRED = frozenset(
    {
        "ActivationState",
        "BasebandStatus",
        "BluetoothAddress",
        "BoardId",
        "BuildVersion",
        "CPUArchitecture",
        "ChipID",
        "DeviceClass",
        "DeviceColor",
        "DeviceName",
        "DevicePublicKey",
        "HardwareModel",
        "HardwarePlatform",
        "HasSiDP",
        "PartitionType",
        "PasswordProtected",
        "ProductName",
        "ProductType",
        "ProductVersion",
        "ProductionSOC",
        "ProtocolVersion",
        "SupportedDeviceFamilies",
        "TelephonyCapability",
        "UniqueChipID",
        "UniqueDeviceID",
        "WiFiAddress",
    }
)
"""What a computer may read that the phone does not trust [inferred]."""
SETTABLE: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {"ActivationStateAcknowledged", "DeviceName", "TimeZone", "TimeIntervalSince1970", "Uses24HourClock"}
    ),
    "com.apple.international": frozenset({"Language", "Locale", "Keyboard"}),
    "com.apple.mobile.wireless_lockdown": frozenset({"EnableWifiConnections", "EnableWifiDebugging"}),
    "com.apple.mobile.data_sync": frozenset({"Contacts", "Calendars", "Bookmarks", "Notes", "Mail Accounts"}),
}
"""What a computer may set [inferred, but for the names that facts, iOS §1 give]."""
_NOTIFICATIONS = {
    ("", "DeviceName"): "com.apple.mobile.lockdown.device_name_changed",
    ("", "TimeZone"): "com.apple.mobile.lockdown.timezone_changed",
    ("com.apple.international", "Language"): "com.apple.language.changed",
}


class Refused(Exception):
    """What lockdownd answers as ``Error``, with what more it answers."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.more = more


class Ports(Protocol):
    """Where the services that were started wait for their connection."""

    def open_port(self, service: str, host: Host) -> int: ...


class Talk:
    """One connection to lockdownd."""

    def __init__(self, stream: Stream, phone: Phone, trust: Trust, ports: Ports) -> None:
        self._stream = stream
        self._phone = phone
        self._trust = trust
        self._ports = ports
        self._host: Host | None = None
        self._after: Callable[[], None] | None = None
        self._requests: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "QueryType": lambda _: {"Type": "com.apple.mobile.lockdown"},
            "GetValue": self._get,
            "SetValue": self._set,
            "RemoveValue": self._remove,
            "Pair": self._pair,
            "ValidatePair": self._validate,
            "Unpair": self._unpair,
            "StartSession": self._start_session,
            "StopSession": self._stop_session,
            "StartService": self._start_service,
        }

    def run(self) -> None:
        """Answer until the computer goes, or says nothing for a minute. Raises Closed."""
        self._stream.idle = IDLE_SECONDS
        while True:
            said = self._stream.recv_plist()
            if not isinstance(said, Mapping) or not isinstance(said.get("Request"), str):
                raise Closed("no request")
            self._stream.send_plist(self._answer(said), binary=False)
            after, self._after = self._after, None
            if after is not None:
                after()

    def _answer(self, said: Mapping[str, Any]) -> dict[str, Any]:
        asked = said["Request"]
        answer: dict[str, Any] = {"Request": asked}
        try:
            handler = self._requests.get(asked)
            if handler is None:
                raise Refused("InvalidRequest")
            with self._phone.lock:
                return answer | handler(said)
        except Refused as refused:
            return answer | {"Error": str(refused)} | refused.more

    # Values ---------------------------------------------------------------------------------------------------

    def _get(self, said: Mapping[str, Any]) -> dict[str, Any]:
        domain, key = str(said.get("Domain", "")), said.get("Key")
        if key is not None and not isinstance(key, str):
            raise Refused("InvalidRequest")
        about = {name: said[name] for name in ("Domain", "Key") if name in said}
        if self._host is None and (domain or (key is not None and key not in UNPAIRED)):
            raise Refused("GetProhibited", **about)
        if not domain and key == "DevicePublicKey":
            return about | {"Value": self._trust.key.public_pem()}
        values = self._phone.read(domain)
        if key is not None:
            if values is None or key not in values:
                raise Refused("MissingValue", **about)
            return about | {"Value": values[key]}
        shown = values or {}
        if self._host is None:
            shown = {name: value for name, value in shown.items() if name in UNPAIRED}
        return about | {"Value": shown}

    def _set(self, said: Mapping[str, Any]) -> dict[str, Any]:
        domain, key = self._settable(said, "SetProhibited")
        if "Value" not in said:
            raise Refused("MissingValue")
        self._phone.values.setdefault(domain, {})[key] = said["Value"]
        self._tell(domain, key)
        return {name: said[name] for name in ("Domain", "Key", "Value") if name in said}

    def _remove(self, said: Mapping[str, Any]) -> dict[str, Any]:
        domain, key = self._settable(said, "RemoveProhibited")
        if self._phone.values.get(domain, {}).pop(key, None) is None:
            raise Refused("MissingValue")
        return {name: said[name] for name in ("Domain", "Key") if name in said}

    def _settable(self, said: Mapping[str, Any], error: str) -> tuple[str, str]:
        domain, key = str(said.get("Domain", "")), str(said.get("Key", ""))
        if self._host is None or key not in SETTABLE.get(domain, ()):
            raise Refused(error)
        return domain, key

    def _tell(self, domain: str, key: str) -> None:
        if (domain, key) in _NOTIFICATIONS:
            self._after = lambda: self._phone.post(_NOTIFICATIONS[domain, key])

    # Pairing --------------------------------------------------------------------------------------------------

    def _pair(self, said: Mapping[str, Any]) -> dict[str, Any]:
        record, options = said.get("PairRecord"), said.get("PairingOptions")
        options = options if isinstance(options, Mapping) else {}
        if not isinstance(record, Mapping) or not isinstance(record.get("HostID"), str):
            raise Refused("InvalidPairRecord")
        supervisor = self._supervisor(options)
        if not supervisor:
            self._ask_person(record, str(said.get("HostName", "")))
        try:
            host = pairing.host_of(record, self._trust.key, supervisor=supervisor)
        except pairing.NoPairRecord:
            raise Refused("InvalidPairRecord") from None
        bag = self._trust.accept(host)
        return {} if bag is None else {"EscrowBag": bag}

    def _supervisor(self, options: Mapping[str, Any]) -> bool:
        """Whether it proved to be one. The first time it shows its certificate, and is given something to sign."""
        shown, signed = options.get("SupervisorCertificate"), options.get("ChallengeResponse")
        if signed is not None:
            if not isinstance(signed, bytes) or not self._trust.proved(signed):
                raise Refused("MCChallengeFailed")
            return True
        if isinstance(shown, bytes) and shown in self._phone.supervisors:
            challenge = self._trust.challenge(shown)
            raise Refused("MCChallengeRequired", ExtendedResponse={"PairingChallenge": challenge})
        return False

    def _ask_person(self, record: Mapping[str, Any], name: str) -> None:
        if self._trust.forbidden():
            raise Refused("MCProtected")
        if record["HostID"] in self._phone.hosts:
            return
        if self._phone.locked:
            raise Refused("PasswordProtected")
        error = self._trust.ask(str(record.get("SystemBUID") or record["HostID"]), name)
        if error:
            raise Refused(error)

    def _validate(self, said: Mapping[str, Any]) -> dict[str, Any]:
        self._known(said)
        return {}

    def _unpair(self, said: Mapping[str, Any]) -> dict[str, Any]:
        del self._phone.hosts[self._known(said).host_id]
        return {}

    def _known(self, said: Mapping[str, Any]) -> Host:
        record = said.get("PairRecord")
        host = self._phone.hosts.get(str(record.get("HostID", ""))) if isinstance(record, Mapping) else None
        if host is None:
            raise Refused("InvalidHostID")
        return host

    # Sessions and services ------------------------------------------------------------------------------------

    def _start_session(self, said: Mapping[str, Any]) -> dict[str, Any]:
        if self._host is not None:
            raise Refused("SessionActive")
        host = self._phone.hosts.get(str(said.get("HostID", "")))
        if host is None:
            raise Refused("InvalidHostID")

        def secure() -> None:
            self._stream.start_tls(self._trust.context(host))
            self._host = host

        self._after = secure
        return {"SessionID": str(uuid.UUID(bytes=secrets.token_bytes(16))).upper(), "EnableSessionSSL": True}

    def _stop_session(self, said: Mapping[str, Any]) -> dict[str, Any]:
        if self._host is None:
            raise Refused("SessionInactive")
        self._host = None
        self._after = self._stream.stop_tls
        return {"SessionID": said["SessionID"]} if "SessionID" in said else {}

    def _start_service(self, said: Mapping[str, Any]) -> dict[str, Any]:
        service = str(said.get("Service", ""))
        if self._host is None:
            raise Refused("SessionInactive")
        if self._host.host_id not in self._phone.hosts:
            raise Refused("InvalidHostID")
        if service not in SERVICES:
            raise Refused("InvalidService")
        if self._phone.locked and not self._trust.opens(self._host, said.get("EscrowBag")):
            raise Refused("PasswordProtected")
        port = self._ports.open_port(service, self._host)
        return {"Service": service, "Port": port, "EnableServiceSSL": True}
