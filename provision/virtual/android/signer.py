"""Who signed an APK: the first signer's certificate out of a v3, v2 or v1 signature.

The v2 and v3 blocks stand before the central directory of the ZIP file: ``u64 size, (u64 length, u32 id, value)…,
u64 size, "APK Sig Block 42"``; everything inside is length-prefixed by u32. A v1 signature is a PKCS #7 file in
META-INF.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

MAGIC = b"APK Sig Block 42"
END_OF_CENTRAL_DIRECTORY = b"PK\x05\x06"
BLOCKS = ((0xF05368C0, 3), (0x1B93AD61, 3), (0x7109871A, 2))
"""Block ids with their scheme, the newest first: v3.1 counts as v3."""


@dataclass(frozen=True)
class Signer:
    """The certificate (DER) and the newest signature scheme, 1 to 3."""

    certificate: bytes
    scheme: int


def java_hash(data: bytes) -> str:
    """``Arrays.hashCode`` of the bytes in hex, as ``dumpsys package`` names a certificate (§5.5)."""
    value = 1
    for byte in data:
        value = (31 * value + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return f"{value:x}"


def signer_of(data: bytes, archive: zipfile.ZipFile) -> Signer | None:
    """The signer of the APK ``data``, opened as ``archive``; None when nobody signed it."""
    blocks = dict(_blocks(data))
    for block, scheme in BLOCKS:
        if block in blocks and (certificate := _certificate(blocks[block])):
            return Signer(certificate, scheme)
    return _v1(archive)


def _v1(archive: zipfile.ZipFile) -> Signer | None:
    for name in archive.namelist():
        if name.startswith("META-INF/") and name.upper().endswith((".RSA", ".DSA", ".EC")):
            try:
                certificates = pkcs7.load_der_pkcs7_certificates(archive.read(name))
            except ValueError:
                return None
            return Signer(certificates[0].public_bytes(Encoding.DER), 1) if certificates else None
    return None


def _blocks(data: bytes) -> list[tuple[int, bytes]]:
    end = data.rfind(END_OF_CENTRAL_DIRECTORY)
    if end < 0 or end + 20 > len(data):
        return []
    (directory,) = struct.unpack_from("<I", data, end + 16)
    if data[directory - 16 : directory] != MAGIC:
        return []
    (size,) = struct.unpack_from("<Q", data, directory - 24)
    at, stop = directory - size, directory - 24
    found = []
    while 0 <= at < stop - 12:
        length, block = struct.unpack_from("<QI", data, at)
        found.append((block, data[at + 12 : at + 8 + length]))
        at += 8 + length
    return found


def _certificate(block: bytes) -> bytes | None:
    try:
        signers = _prefixed(block, 0)
        signed_data = _prefixed(_prefixed(signers, 0), 0)
        digests = _prefixed(signed_data, 0)
        certificates = _prefixed(signed_data, 4 + len(digests))
        return _prefixed(certificates, 0) or None
    except struct.error:
        return None


def _prefixed(data: bytes, at: int) -> bytes:
    (length,) = struct.unpack_from("<I", data, at)
    return data[at + 4 : at + 4 + length]
