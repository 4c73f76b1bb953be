"""What a phone reads out of an app's executable: for which processors it is, its entitlements, whether it is encrypted.

Mach-O: a header of 28 or 32 bytes, then load commands; several processors' in one "fat" file, its header big-endian.
The code signature is a SuperBlob (big-endian) of numbered blobs, number 5 the entitlements as a property list.
"""

from __future__ import annotations

import plistlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

ARM64 = 0x0100000C

_FAT = 0xCAFEBABE
_HEADERS = {0xFEEDFACE: 28, 0xFEEDFACF: 32}
_LC_CODE_SIGNATURE, _LC_ENCRYPTION_INFO, _LC_ENCRYPTION_INFO_64 = 0x1D, 0x21, 0x2C
_UNREADABLE = (
    struct.error,
    plistlib.InvalidFileException,
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_SUPER_BLOB, _ENTITLEMENTS = 0xFADE0CC0, 0xFADE7171


@dataclass(frozen=True)
class Code:
    """One processor's code. ``entitlements`` is None where there is no code signature."""

    cpu: int
    entitlements: dict[str, Any] | None = field(default=None)
    encrypted: bool = False


def read_code(data: bytes) -> Code | None:
    """The code for arm64, else the first there is; None when this is no executable."""
    try:
        found = [_one(part) for part in _parts(data)]
    except _UNREADABLE:
        return None
    return next((code for code in found if code.cpu == ARM64), found[0] if found else None)


def _parts(data: bytes) -> Iterator[bytes]:
    magic, count = struct.unpack_from(">II", data)
    if magic != _FAT:
        yield data
        return
    for at in range(min(count, 16)):
        _, _, offset, size, _ = struct.unpack_from(">IIIII", data, 8 + 20 * at)
        yield data[offset : offset + size]


def _one(data: bytes) -> Code:
    magic, cpu, _, _, commands = struct.unpack_from("<IiiII", data)
    if magic not in _HEADERS:
        raise ValueError("no executable")
    at, entitlements, encrypted = _HEADERS[magic], None, False
    for _ in range(min(commands, 1000)):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == _LC_CODE_SIGNATURE:
            offset, length = struct.unpack_from("<II", data, at + 8)
            entitlements = _entitlements(data[offset : offset + length])
        elif kind in (_LC_ENCRYPTION_INFO, _LC_ENCRYPTION_INFO_64):
            encrypted = struct.unpack_from("<I", data, at + 16)[0] != 0
        at += max(size, 8)
    return Code(cpu, entitlements, encrypted)


def _entitlements(blob: bytes) -> dict[str, Any] | None:
    """The entitlements in a signature: {} when it carries none; None when it is no signature."""
    if len(blob) < 12 or struct.unpack_from(">I", blob)[0] != _SUPER_BLOB:
        return None
    (count,) = struct.unpack_from(">I", blob, 8)
    for at in range(min(count, 32)):
        _, offset = struct.unpack_from(">II", blob, 12 + 8 * at)
        magic, length = struct.unpack_from(">II", blob, offset)
        if magic == _ENTITLEMENTS:
            found = plistlib.loads(blob[offset + 8 : offset + length])
            return found if isinstance(found, dict) else {}
    return {}
