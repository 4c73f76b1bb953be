"""This bench's keybag: where it is kept, how it is made once, backed up and put back.

One organisation has one keybag, on as many benches as it has: the devices that one bench supervised obey another only
with the same one. So it is made once and carried to the others as a backup.
"""

from __future__ import annotations

from pathlib import Path

from fleet.home import Home
from fleet.passphrases import SHORTEST_PASSPHRASE, long_enough
from provision.ios import keybag as bags
from provision.ios.keybag import Keybag, KeybagError


def file_of(home: Home) -> Path:
    """Where the keybag of this bench is, or would be."""
    return home.path / "supervision" / "keybag.pem"


def keybag(home: Home) -> Keybag | None:
    """The keybag of this bench; ``None`` where none was made yet. Raises KeybagError when it cannot be used.

    One whose time is over is given, too: a device says then what it cannot have.
    """
    file = file_of(home)
    return bags.load(file) if file.exists() or file.is_symlink() else None


def the_keybag(home: Home) -> Keybag:
    """The keybag of this bench. Raises KeybagError where there is none."""
    found = keybag(home)
    if found is None:
        raise KeybagError(
            "This bench has no keybag.",
            "Run: fleet supervision init --organisation NAME. Or put one back: fleet supervision restore FILE.",
        )
    return found


def keep(home: Home, new: Keybag) -> None:
    """Make it the keybag of this bench. Raises KeybagError when there is one already, whichever it is."""
    home.make()
    if file_of(home).exists():
        raise KeybagError(
            f"This bench has a keybag already: {file_of(home)}.",
            "See whose it is: fleet supervision show. Devices that it supervises obey no other.",
        )
    bags.save(new, file_of(home))


def backup(kept: Keybag, passphrase: str) -> bytes:
    """``kept`` as PKCS #12, encrypted. Raises KeybagError when the passphrase is too short to guard anything."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    if not long_enough(passphrase):
        raise KeybagError(
            "The passphrase is too short: who guesses it has all supervised devices.",
            f"Take at least {SHORTEST_PASSPHRASE} characters, such as four words.",
        )
    key = bags.private_key(kept)
    certificate = x509.load_der_x509_certificate(kept.certificate)
    name = kept.organisation.encode()
    return pkcs12.serialize_key_and_certificates(
        name, key, certificate, None, BestAvailableEncryption(passphrase.encode())
    )


def restored(content: bytes, passphrase: str) -> Keybag:
    """The keybag in a backup. Raises KeybagError for another passphrase, or another file."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        key, certificate, _others = pkcs12.load_key_and_certificates(content, passphrase.encode())
    except (ValueError, TypeError):
        raise KeybagError(
            "The passphrase is not that of this file, or it is no backup of a keybag.", "Try again."
        ) from None
    if certificate is None or not isinstance(key, RSAPrivateKey):
        raise KeybagError("The file holds no certificate with its RSA key.", "Name the backup of a keybag.")
    return bags.of(certificate, key)
