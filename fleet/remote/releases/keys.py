"""The key that signs releases, and whose releases a site believes. Ed25519.

A hub has ``releases/key.pem`` in its home, for its owner alone. A site has ``releases/trusted.json``: the public key of
the one hub whose releases it takes, and that hub's name. A site that has the release already checks no signature, and
so loads nothing that could.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.home import Home
from fleet.remote.errors import ReleaseError
from provision.text import printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_WORD = re.compile(r"ed25519:([A-Za-z0-9+/]{43}=)")
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class PublicKey:
    """``text`` is ``ed25519:`` and the key in base64; ``hub`` names whose it is, for people."""

    text: str
    hub: str = ""

    @property
    def fingerprint(self) -> str:
        """What two people can compare on the phone."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(_bytes(self.text)).digest()).decode().rstrip("=")

    def check(self, content: bytes, signature: bytes) -> None:
        """ReleaseError when ``signature`` is not this key's of ``content``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(_bytes(self.text)).verify(signature, content)
        except InvalidSignature:
            raise ReleaseError(
                f"The release is not signed with the key of {printable(self.hub) or 'our hub'}.",
                "Nothing was taken over. Find out who sent it; build it again at the hub.",
            ) from None


def init(home: Home) -> tuple[PublicKey, bool]:
    """The public key of this hub, and whether it was made just now."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = _path(home)
    made = not path.exists()
    fresh = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _public(_private(home.keep(path, fresh), path), home), made


def public(home: Home) -> PublicKey:
    """The public key of this hub. ReleaseError when it has none."""
    return _public(_own(home), home)


def of_hub(home: Home) -> PublicKey:
    """The public key of the hub that this computer works for: its own, or the one that it takes releases of.

    ReleaseError when there is neither.
    """
    if _path(home).exists():
        return public(home)
    key = trusted(home)
    if key is None:
        raise ReleaseError(
            "This computer knows the key of no hub.",
            "The hub makes one: fleet release key init. Any other is told the hub's: fleet site trust KEY",
        )
    return key


def sign(home: Home, content: bytes) -> bytes:
    """The signature of this hub, 64 bytes. ReleaseError when it has no key."""
    return _own(home).sign(content)


def trusted(home: Home) -> PublicKey | None:
    """The key whose releases this site takes; ``None`` when nobody's yet."""
    path = _trusted(home)
    try:
        told = json.loads(path.read_bytes())
        return parse(told["key"], told["hub"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ReleaseError(
            f"{path} does not say whose releases are taken here.", "Put back a copy, or: fleet site trust KEY --replace"
        ) from error


def trust(home: Home, key: PublicKey, *, replace: bool = False) -> None:
    """Take the releases of this hub from now on. ReleaseError when those of another one are taken, unless told."""
    path = _trusted(home)
    before = None if replace else trusted(home)
    if before and before.text != key.text:
        raise ReleaseError(
            f"This site takes releases of another hub: {printable(before.hub)}, key {before.fingerprint}.",
            "One hub per site. If it has moved: fleet site trust KEY --replace, at the site.",
        )
    content = json.dumps({"hub": key.hub, "key": key.text}).encode() + b"\n"
    home.write(path, content)


def parse(text: str, hub: str = "") -> PublicKey:
    """The key that ``text`` is. ReleaseError when it is none."""
    key = PublicKey(text.strip(), hub)
    _bytes(key.text)
    return key


def _bytes(text: str) -> bytes:
    found = _WORD.fullmatch(text)
    try:
        return base64.b64decode(found[1], validate=True) if found else _no_key(text)
    except binascii.Error:
        return _no_key(text)


def _no_key(text: str) -> bytes:
    raise ReleaseError(f"{printable(text[:80])!r} is no public key.", "It is what 'fleet release key show' prints.")


def _own(home: Home) -> Ed25519PrivateKey:
    path = _path(home)
    try:
        return _private(path.read_bytes(), path)
    except FileNotFoundError:
        raise ReleaseError("This hub has no key to sign releases with.", "Make one: fleet release key init") from None
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from error


def _private(content: bytes, path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(f"{path} holds no Ed25519 key.", "Put back a copy of it.")
    return key


def _public(key: Ed25519PrivateKey, home: Home) -> PublicKey:
    return PublicKey("ed25519:" + base64.b64encode(key.public_key().public_bytes_raw()).decode(), home.bench().name)


def _path(home: Home) -> Path:
    return home.path / "releases" / "key.pem"


def _trusted(home: Home) -> Path:
    return home.path / "releases" / "trusted.json"
