"""The identity by which this organisation supervises iPhones and iPads: a certificate and its private key.

A device under supervision knows the certificate, and takes from whoever holds the key what it takes from nobody else
(facts, iOS §1). Who loses the key can only erase its devices; who has it has them all. So the file is its owner's
alone, nothing here prints the key, and no file that is there is ever written over.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from profiles.errors import SchoolbagError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_BITS = 2048
_DAYS = 3652
_MOST = 65536
"""Bytes that are read of a keybag file; a real one has about 3000."""

LONGEST_NAME = 64
"""Characters of an organisation's name that a certificate can hold (X.520)."""

_BACKUP = "Put back the backup of it: fleet supervision restore FILE."


class KeybagError(SchoolbagError):
    """The keybag cannot be used, made or written."""


@dataclass(frozen=True)
class Keybag:
    """``certificate`` is DER, ``key`` the PEM of the private key, ``ends`` the last moment of its validity (UTC)."""

    organisation: str
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    ends: datetime

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        import hashlib

        return hashlib.sha256(self.certificate).hexdigest()

    def expired(self, now: datetime) -> bool:
        return now > self.ends


def create(organisation: str, now: datetime | None = None) -> Keybag:
    """A new identity (RSA, 2048 bits), self-signed, for ten years from ``now``. Raises KeybagError for a bad name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    name = organisation.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise KeybagError(
            f"An organisation's name has 1 to {LONGEST_NAME} characters, on one line.", "Give another --organisation."
        )
    begins = (now or datetime.now(UTC)).replace(microsecond=0)
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.COMMON_NAME, "Supervision identity"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - timedelta(days=1))  # the clock of a device that was just erased may be behind
        .not_valid_after(begins + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return of(certificate, key)


def of(certificate: Certificate, key: RSAPrivateKey) -> Keybag:
    """The keybag of a certificate and its key. Raises KeybagError when they do not belong together."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    if certificate.public_key() != key.public_key():
        raise KeybagError("The certificate and the private key do not belong together.", _BACKUP)
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):  # devices compare it byte for byte, so a damaged one is none
        raise KeybagError("The certificate is damaged: it is not signed by its own key.", _BACKUP) from None
    names = [
        attribute.value
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    ]
    if not names:
        raise KeybagError("The certificate does not say whose it is.", _BACKUP)
    return Keybag(
        organisation=str(names[0]),
        certificate=certificate.public_bytes(Encoding.DER),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ends=certificate.not_valid_after_utc,
    )


def load(path: Path) -> Keybag:
    """The keybag in ``path``. Raises KeybagError when others may read the file, or it is no keybag.

    One whose time is over is loaded too: whoever uses it says so.
    """
    content = _content(path)
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificate(content)
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        raise KeybagError(f"{path} is damaged, or is no keybag.", _BACKUP) from None
    if not isinstance(key, RSAPrivateKey):
        raise KeybagError(f"{path} is no keybag: its key is not an RSA key.", _BACKUP)
    return of(certificate, key)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeybagError(
                    f"Others on this computer may read or write {path}, which holds the key of all supervised devices.",
                    f"Run: chmod 600 {path}",
                )
            return file.read(_MOST)
    except OSError as error:
        raise KeybagError(
            f"{path} cannot be read: {error.strerror}.", "Check who may read it, or put back a backup."
        ) from error


def save(keybag: Keybag, path: Path) -> None:
    """Write it to ``path``, readable by the owner only: whole or not at all, and never over what is there."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = x509.load_der_x509_certificate(keybag.certificate)
    write_once(path, keybag.key + certificate.public_bytes(Encoding.PEM))


def private_key(keybag: Keybag) -> RSAPrivateKey:
    """Its key, ready to sign with."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(keybag.key, None)
    assert isinstance(key, RSAPrivateKey)
    return key


def write_once(path: Path, content: bytes) -> None:
    """Write a secret to a file that is not there yet. Raises KeybagError when it is, or cannot be written.

    Under its own name at once: USB sticks (FAT, exFAT) have no links, by which a whole file could be given its name.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _fill(file, path, content)
        _keep_name(path.parent)
    except FileExistsError:
        raise KeybagError(f"{path} is there already; nothing was written.", "Name another file.") from None
    except OSError as error:
        raise KeybagError(
            f"{path} cannot be written: {error.strerror}.", "Free some space, or name another folder."
        ) from error


def _fill(file: BinaryIO, path: Path, content: bytes) -> None:
    """Down to the disk, or nothing is left of it."""
    try:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _keep_name(folder: Path) -> None:
    """See that the names in it outlast a stick that is pulled at once, where its file system can."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
