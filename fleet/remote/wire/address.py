"""Where a site is reached, and the key by which its host is known."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from fleet.remote.errors import SiteError
from provision.text import printable

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:%_-]{0,252})")
_KEY = re.compile(r"((?:ssh|ecdsa)-[a-z0-9@.-]+) ([A-Za-z0-9+/]+={0,2})(?: .*)?")
_HOW = "Write it as ssh://user@host or ssh://user@host:port."


@dataclass(frozen=True)
class Address:
    """``ssh://user@host:port``; no password has a place in it."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user}@{host}" + (f":{self.port}" if self.port != 22 else "")


def parse(text: str) -> Address:
    """The address in ``text``. SiteError when it is none."""
    try:
        parts = urlsplit(text)
        port = parts.port or 22
    except ValueError:
        raise SiteError(f"{printable(text)!r} is no address.", _HOW) from None
    if parts.password is not None:
        raise SiteError("A password has no place in an address: all could see it.", "Use a key: ssh-copy-id.")
    host, user = parts.hostname or "", parts.username or ""
    if parts.scheme != "ssh" or parts.path.strip("/") or parts.query or parts.fragment:
        raise SiteError(f"{printable(text)!r} is no address.", _HOW)
    if not _HOST.fullmatch(host) or not _USER.fullmatch(user):
        raise SiteError(f"{printable(text)!r} names no user, or no host.", _HOW)
    return Address(user, host, port)


@dataclass(frozen=True)
class HostKey:
    """As known_hosts has it: the type, and the key in base64."""

    kind: str
    blob: str

    def __str__(self) -> str:
        return f"{self.kind} {self.blob}"

    @property
    def content(self) -> bytes:
        """The key as it goes over the wire."""
        return base64.b64decode(self.blob)

    @property
    def fingerprint(self) -> str:
        """What ssh-keygen -l shows, and a person compares."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.content).digest()).decode().rstrip("=")


def parse_key(text: str) -> HostKey:
    """The key in a line of known_hosts or of a ``.pub`` file, without the host's name. SiteError when it is none."""
    found = _KEY.fullmatch(text.strip())
    try:
        if found and base64.b64decode(found[2], validate=True):
            return HostKey(found[1], found[2])
    except binascii.Error:
        pass
    raise SiteError(
        f"{printable(text[:60])!r} is no host key.",
        "It is the line in /etc/ssh/ssh_host_ed25519_key.pub of the site, or what ssh-keyscan prints after the host.",
    )
