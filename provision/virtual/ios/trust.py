"""Whom the phone lets in: the dialog "Trust This Computer?", the proof of a supervisor, escrow bags.

The dialog is a state of the screen. It appears when a computer asks to be paired and stays until the person answers;
meanwhile each request is answered ``PairingDialogResponsePending``. In the Setup Assistant there is no dialog: whoever
asks is let in, as Apple Configurator is [inferred]. "Don't Trust" holds until the phone is plugged in anew [inferred].
A computer is known by its SystemBUID: libimobiledevice makes a new HostID for each attempt, and is let in at the next.
"""

from __future__ import annotations

import secrets
import ssl
import time
from typing import Any

from provision.virtual.ios import cms, pairing
from provision.virtual.ios.pairing import DeviceKey
from provision.virtual.ios.phone import Host, Phone

_ASK, _DENY = "ask", "deny"


class Trust:
    """All that concerns pairing of one phone; callers hold the phone's lock."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._answer: str | float = phone.tree["trust"]
        self.key = DeviceKey()
        self.forget()

    def forget(self) -> None:
        """An erase."""
        self.key.forget()
        self._bags: dict[str, bytes] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._challenge: tuple[bytes, bytes] | None = None
        self.unplugged()

    def unplugged(self) -> None:
        """The dialog goes with the cable, and so does what was answered."""
        self._dialog: tuple[str, str, float] | None = None
        self._denied: set[str] = set()
        self._allowed: set[str] = set()

    # The person -----------------------------------------------------------------------------------------------

    def ask(self, computer: str, name: str) -> str:
        """What to refuse a computer with that is not trusted yet; "" lets it in."""
        if not self._phone.set_up:
            return ""
        self._elapse()
        if self._dialog is None and computer not in self._denied | self._allowed:
            self._dialog = (computer, name, time.monotonic())
            self._elapse()
        if computer in self._denied:
            return "UserDeniedPairing"
        return "" if computer in self._allowed else "PairingDialogResponsePending"

    def _elapse(self) -> None:
        """A preset may answer by itself: at once, or after so many seconds."""
        if self._dialog is None or self._answer == _ASK:
            return
        if self._answer == _DENY:
            self.answer(trust=False)
        elif time.monotonic() - self._dialog[2] >= float(self._answer):
            self.answer(trust=True)

    def answer(self, *, trust: bool) -> None:
        """The person taps Trust (and enters the passcode) or Don't Trust. ValueError when nobody asked."""
        if self._dialog is None:
            raise ValueError("no dialog is on the screen")
        (self._allowed if trust else self._denied).add(self._dialog[0])
        self._dialog = None

    @property
    def dialog(self) -> dict[str, str] | None:
        """The dialog on the screen: which computer asks."""
        self._elapse()
        return None if self._dialog is None else {"computer": self._dialog[0], "name": self._dialog[1]}

    def forbidden(self) -> bool:
        """Whether a supervisor lets no other computer in."""
        cloud = self._phone.cloud or {}
        return not self._phone.restrictions.get("allowHostPairing", True) or (
            self._phone.supervised and not cloud.get("AllowPairing", True)
        )

    # Supervisors ----------------------------------------------------------------------------------------------

    def challenge(self, certificate: bytes) -> bytes:
        """Something to sign for who shows this certificate."""
        made = secrets.token_bytes(32)
        self._challenge = (certificate, made)
        return made

    def proved(self, signed: bytes) -> bool:
        """Whether ``signed`` (PKCS#7) holds the last challenge, signed by who showed the certificate."""
        given, self._challenge = self._challenge, None
        if given is None:
            return False
        try:
            found = cms.verify(signed)
        except cms.Unsigned:
            return False
        return (found.signer, found.content) == given

    # Paired computers -----------------------------------------------------------------------------------------

    def accept(self, host: Host) -> bytes | None:
        """Trust it from now on. Its escrow bag, which a locked phone cannot make (facts, iOS §1)."""
        self._phone.hosts[host.host_id] = host
        self._contexts[host.host_id] = pairing.context(host, self.key)
        self._allowed.discard(host.system_buid or host.host_id)
        if self._phone.locked:
            return None
        bag = secrets.token_bytes(32)
        self._bags[host.host_id] = bag
        return bag

    def opens(self, host: Host, bag: Any) -> bool:
        """Whether this is the escrow bag that the phone gave that computer."""
        return bag is not None and bag == self._bags.get(host.host_id)

    def context(self, host: Host) -> ssl.SSLContext:
        return self._contexts[host.host_id]
