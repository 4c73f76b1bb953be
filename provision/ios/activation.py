"""Apple's activation, without which an erased iPhone does nothing (facts, iOS §1).

The device and the server talk through us: the device makes a message, the server answers it, the device asks with that
for its activation, and the server gives a record that the device takes. All but the record changes nothing.

``send`` puts one command to mobileactivationd, on a connection of its own, and gives its reply.
"""

from __future__ import annotations

import os
import plistlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from provision.errors import NeedsOwner, Refused

Send = Callable[[Mapping[str, Any]], Mapping[str, Any]]

APPLE = "https://albert.apple.com"
_VARIABLE = "FLEET_ACTIVATION_SERVER"
_HANDSHAKE = "/deviceservices/drmHandshake"
_ACTIVATION = "/deviceservices/deviceActivation"
_CONNECT, _ANSWER = 10.0, 30.0
"""Seconds to wait for a connection, and for something to come."""
_WHOLE = 60.0
"""Seconds for a question and the whole of its answer: a server that sends a byte now and then holds up nobody."""
_SOON = 8.0
"""The same, where it is only asked whose a device is."""

_MOST = 4 * 1024 * 1024
"""Bytes taken of an answer; a record has some 20 000."""
_PIECE = 65536

_HEADERS = {
    "Accept": "application/xml",
    "User-Agent": "iOS Device Activator (MobileActivation-20 built on Jan 15 2012 at 19:07:28)",
}
"""As Apple's own program says who it is; the server may go by it."""

_PLIST = "application/x-apple-plist"
_LOCKED = "application/x-buddyml"
_RECORD = "text/xml"

_INTERNET = "Give this computer a way to {server}, then run again. Nothing is lost by waiting."


def server(environment: Mapping[str, str] = os.environ) -> str:
    """The address of the server: Apple's, or what FLEET_ACTIVATION_SERVER names (a bench's own gateway)."""
    return environment.get(_VARIABLE, APPLE).rstrip("/")


def ask(send: Send, to: str) -> None:
    """See that the server answers for this device; nothing changes. Raises Refused (``needs internet``).

    A device that makes no message while it is activated [I] still shows whether the server can be reached.
    """
    made = send({"Command": "CreateTunnel1SessionInfoRequest"})
    if "Error" in made or not isinstance(made.get("Value"), Mapping):
        said = _post(to, _HANDSHAKE, plistlib.dumps({}), _PLIST)
        if not to.startswith("https:") and said.kind not in (_PLIST, _LOCKED, _RECORD):  # anybody may have answered
            raise _unclear(to, said)
    else:
        _handshake(made["Value"], to)


def ask_owner(send: Send, to: str) -> None:
    """See whose a device is that is not activated, within seconds: the record is asked for and thrown away.

    Raises NeedsOwner where it is somebody's, Refused (``needs internet``) where the server does not answer.
    """
    _record(send, to, _SOON)


def activate(send: Send, to: str) -> None:
    """Activate the device. Raises Refused: ``needs internet``, ``needs its owner``, or what else was said no to.

    That the device took the record is not yet its being activated: read it back.
    """
    said = _record(send, to, _WHOLE)
    command = {
        "Command": "HandleActivationInfoWithSessionRequest",
        "Value": said.body,
        "ActivationResponseHeaders": dict(said.headers),
    }
    taken = send(command)
    if "Error" in taken:
        raise _refused(taken)


def _record(send: Send, to: str, seconds: float) -> _Said:
    """The server's record for the device, which has not got it yet."""
    made = _asked(send, {"Command": "CreateTunnel1SessionInfoRequest"})
    answer = _handshake(made, to, seconds)
    info = _asked(send, {"Command": "CreateTunnel1ActivationInfoRequest", "Value": answer})
    said = _post(to, _ACTIVATION, {"activation-info": plistlib.dumps(info)}, seconds=seconds)
    if said.kind == _LOCKED:
        raise NeedsOwner(evidence=said.text)
    if said.code != 200 or said.kind != _RECORD:
        raise _unclear(to, said)
    return said


@dataclass(frozen=True)
class _Said:
    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        found = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        return found.partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body[:2000].decode("utf-8", "replace")


def _asked(send: Send, command: Mapping[str, Any]) -> Mapping[str, Any]:
    reply = send(command)
    made = reply.get("Value")
    if "Error" in reply or not isinstance(made, Mapping):
        raise _refused(reply)
    return made


def _handshake(made: Mapping[str, Any], to: str, seconds: float | None = None) -> bytes:
    """The server's answer to the device's message. A page of somebody else's (a hotel's Wi-Fi) is none."""
    said = _post(to, _HANDSHAKE, plistlib.dumps(dict(made)), _PLIST, seconds)
    try:
        answered = isinstance(plistlib.loads(said.body), dict)
    except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):
        answered = False
    if said.code != 200 or not answered:
        raise _unclear(to, said)
    return said.body


def _post(to: str, path: str, data: bytes | Mapping[str, bytes], kind: str = "", seconds: float | None = None) -> _Said:
    """``seconds``: for the whole of it, where not the usual."""
    import requests
    from urllib3.exceptions import HTTPError

    whole = seconds or _WHOLE
    end = time.monotonic() + whole
    patience = (min(_CONNECT, whole), min(_ANSWER, whole))
    headers = {**_HEADERS, "Content-Type": kind} if kind else _HEADERS
    try:
        with requests.post(
            to + path, data=data, headers=headers, timeout=patience, stream=True, allow_redirects=False
        ) as got:
            said = _Said(got.status_code, dict(got.headers), _body(_pieces(got.raw), end))
    except (requests.RequestException, HTTPError, OSError) as error:
        raise _unreachable(to, f"{type(error).__name__}: {error}") from None
    if said.code >= 500 or 300 <= said.code < 400:
        raise _unreachable(to, f"{said.code} {said.text}")
    return said


def _pieces(raw: Any) -> Iterator[bytes]:
    """As they come: what is read by size waits until so much has come."""
    while piece := raw.read1(_PIECE, decode_content=True):
        yield piece


def _body(pieces: Iterator[bytes], end: float) -> bytes:
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > _MOST:
            raise OSError("it goes on and on")
        if time.monotonic() > end:
            raise TimeoutError("its answer takes too long")
    return bytes(found)


def _unreachable(to: str, evidence: str) -> Refused:
    return Refused(
        "It needs internet: the activation server does not answer.", _INTERNET.format(server=to), evidence=evidence
    )


def _unclear(to: str, said: _Said) -> Refused:
    return Refused(
        f"It needs internet: what answers is not the activation server, or is out of order ({said.code}).",
        _INTERNET.format(server=to),
        evidence=f"{said.code} {said.kind} {said.text}",
    )


def _refused(reply: Mapping[str, Any]) -> Refused:
    return Refused(
        "The device refuses to be activated.",
        "Restart it, connect it again and run again; if it stays so, activate it by hand with Wi-Fi.",
        evidence=str(reply.get("Error", ""))[:2000],
    )
