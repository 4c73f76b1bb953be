"""The key of the vault, carried to another bench or put away: encrypted with a passphrase (scrypt, AES-GCM)."""

from __future__ import annotations

import base64
import binascii
import json
import os

from fleet.account.people.vault import KEY_BYTES
from fleet.errors import VaultError
from fleet.passphrases import SHORTEST_PASSPHRASE, long_enough

_WHAT = "key of a schoolbag vault"
_SALT, _NONCE = 16, 12
_WORK = 2**15
"""About a tenth of a second and 32 MB for each guess at the passphrase."""


def backup(key: bytes, passphrase: str) -> bytes:
    """The file. VaultError when the passphrase is too short to guard anything."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not long_enough(passphrase):
        raise VaultError(
            "The passphrase is too short: who guesses it can read all names.",
            f"Take at least {SHORTEST_PASSPHRASE} characters, such as four words.",
        )
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    sealed = AESGCM(_stretched(passphrase, salt)).encrypt(nonce, key, _WHAT.encode())
    fields = {"v": 1, "what": _WHAT, "sealed": base64.b64encode(salt + nonce + sealed).decode()}
    return (json.dumps(fields) + "\n").encode()


def restored(content: bytes, passphrase: str) -> bytes:
    """The key in a backup. VaultError for another passphrase, or another file."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        fields = json.loads(content)
        if fields["v"] != 1 or fields["what"] != _WHAT:
            raise ValueError
        sealed = base64.b64decode(fields["sealed"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise VaultError(
            "The file is no backup of the key of a vault.", "Name the file of fleet vault backup."
        ) from None
    salt, nonce, rest = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE], sealed[_SALT + _NONCE :]
    try:
        key = AESGCM(_stretched(passphrase, salt)).decrypt(nonce, rest, _WHAT.encode())
    except (InvalidTag, ValueError):
        raise VaultError("The passphrase is not that of this file, or the file is damaged.", "Try again.") from None
    if len(key) != KEY_BYTES:
        raise VaultError("The file is damaged.", "Name another backup.")
    return key


def _stretched(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=KEY_BYTES, n=_WORK, r=8, p=1).derive(passphrase.encode())
