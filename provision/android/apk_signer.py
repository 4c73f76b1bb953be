"""Who signed an APK: read from its signing block (schemes v2, v3, v3.1) or from META-INF (v1).

Nothing is verified here, the phone does that at install. What is read is what the phone would have to verify, so a
false certificate cannot pass on both: ask for the signer *of the phone's Android*.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from provision.android.apk_manifest import ApkError

_MAGIC = b"APK Sig Block 42"
_MAX_SCHEME = 4 << 20
_V2, _V3, _V31, _LINEAGE = 0x7109871A, 0xF05368C0, 0x1B93AD61, 0x3BA06F8C
_FIRST_API = {_V31: 33, _V3: 28, _V2: 24}
_V1_SUFFIXES = (".RSA", ".DSA", ".EC")
_MAX_V1 = 1 << 20


@dataclass(frozen=True)
class Signer:
    """A certificate, and the first Android API number that goes by it.

    ``sha256`` is the hex digest of its DER; ``short`` what ``dumpsys package`` prints for it (facts §5.5);
    ``replaces`` the shorts of the earlier certificates that it may take over from.
    """

    sha256: str
    short: str
    since: int
    replaces: frozenset[str] = frozenset()


def signers(file: BinaryIO, archive: zipfile.ZipFile) -> tuple[Signer, ...]:
    """The signers of an open APK, the one for the newest Android first; empty when it is not signed at all.

    A v1 signature that cannot be read counts as none where there is a newer one: old tools wrote many that are not
    quite to the letter, and only Android 6 and older go by it.
    """
    found: list[Signer] = []
    try:
        for scheme, value in _blocks(file, archive.start_dir):
            found += _scheme_signers(scheme, value)
        try:
            found += _jar_signers(archive)
        except ValueError:
            if not found:
                raise
    except (struct.error, ValueError) as error:
        raise ApkError(f"The app's signature is damaged ({error}).", "Get the file again.") from error
    return tuple(sorted(found, key=lambda signer: -signer.since))


def short(certificate: bytes) -> str:
    """Java's ``Arrays.hashCode`` of the certificate, in hex, as ``dumpsys package`` prints it."""
    value = 1
    for byte in certificate:
        value = (31 * value + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return f"{value:x}"


def _signer(certificate: bytes, since: int, replaces: frozenset[str] = frozenset()) -> Signer:
    return Signer(hashlib.sha256(certificate).hexdigest(), short(certificate), since, replaces)


def _blocks(file: BinaryIO, directory: int) -> Iterator[tuple[int, bytes]]:
    """The id-value pairs of the signing block, which ends where the zip's central directory starts."""
    if directory < 32:
        return
    file.seek(directory - 24)
    size, magic = struct.unpack("<Q16s", file.read(24))
    if magic != _MAGIC:
        return
    at, end = directory - size, directory - 24
    if size < 24 or at < 8:
        raise ValueError("the signing block is longer than the file")
    while at + 12 <= end:
        file.seek(at)
        length, scheme = struct.unpack("<QI", file.read(12))
        if not 4 <= length <= end - at - 8:
            raise ValueError("a part of the signing block is longer than the block")
        if scheme in _FIRST_API:
            if length > _MAX_SCHEME:
                raise ValueError("the signing block is too large")
            yield scheme, file.read(length - 4)
        at += 8 + length


def _scheme_signers(scheme: int, value: bytes) -> Iterator[Signer]:
    entries = list(_sequence(_prefixed(value)[0]))
    if scheme == _V2 and len(entries) != 1:
        raise ApkError("The app is signed by several keys at once.", "Ask its maker for a file with one signer.")
    for entry in entries:
        signed, rest = _prefixed(entry)
        _, after_digests = _prefixed(signed)
        certificates, after_certificates = _prefixed(after_digests)
        certificate = next(_sequence(certificates), b"")
        if not certificate:
            raise ValueError("a signer without a certificate")
        if scheme == _V2:
            yield _signer(certificate, _FIRST_API[scheme])
            continue
        (since,) = struct.unpack_from("<I", rest)
        attributes = _prefixed(after_certificates[8:])[0]
        yield _signer(
            certificate, max(since, _FIRST_API[scheme]), frozenset(_lineage(attributes)) - {short(certificate)}
        )


def _lineage(attributes: bytes) -> Iterator[str]:
    """The shorts of all certificates in the chain of key changes."""
    for attribute in _sequence(attributes):
        (kind,) = struct.unpack_from("<I", attribute)
        if kind == _LINEAGE:
            for node in _sequence(attribute[8:]):
                yield short(_prefixed(_prefixed(node)[0])[0])


def _jar_signers(archive: zipfile.ZipFile) -> Iterator[Signer]:
    names = [n for n in archive.namelist() if n.upper().startswith("META-INF/") and n.upper().endswith(_V1_SUFFIXES)]
    names = [n for n in names if n.count("/") == 1]
    if len(names) > 1:
        raise ApkError("The app is signed by several keys at once.", "Ask its maker for a file with one signer.")
    for name in names:
        if archive.getinfo(name).file_size > _MAX_V1:
            raise ValueError(f"{name} is too large")
        certificates = pkcs7.load_der_pkcs7_certificates(archive.read(name))
        yield _signer(_leaf(certificates).public_bytes(Encoding.DER), 1)


def _leaf(certificates: list[x509.Certificate]) -> x509.Certificate:
    """The signer's own certificate: the one that issued none of the others."""
    leaves = [c for c in certificates if not any(o.issuer == c.subject for o in certificates if o is not c)]
    if len(leaves) != 1:
        raise ValueError("the signer's certificate cannot be told from the others")
    return leaves[0]


def _prefixed(data: bytes) -> tuple[bytes, bytes]:
    """The first length-prefixed value in ``data``, and what comes after it."""
    (length,) = struct.unpack_from("<I", data)
    if length > len(data) - 4:
        raise ValueError("a value is longer than the data")
    return data[4 : 4 + length], data[4 + length :]


def _sequence(data: bytes) -> Iterator[bytes]:
    while data:
        value, data = _prefixed(data)
        yield value
