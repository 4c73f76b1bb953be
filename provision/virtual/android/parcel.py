"""Parcels as ``service call`` prints them: little-endian words and a column of their characters (§4.2)."""

from __future__ import annotations

import struct

LINE = 16


def integer(value: int) -> bytes:
    return struct.pack("<i", value)


def string(text: str | None) -> bytes:
    """A String16: its length, UTF-16, a NUL, padded to four bytes; −1 alone for null."""
    if text is None:
        return integer(-1)
    body = text.encode("utf-16-le") + b"\0\0"
    return integer(len(body) // 2 - 1) + body + b"\0" * (-len(body) % 4)


def exception(code: int, message: str) -> bytes:
    """A reply that throws: EX_SECURITY is −1."""
    return integer(code) + string(message) + integer(0)


def dump(data: bytes) -> str:
    """``Result: Parcel(...)`` as the phone writes it: one line up to 16 bytes, lines with offsets beyond."""
    if len(data) <= LINE:
        words = [data[at : at + 4][::-1].hex() for at in range(0, len(data), 4)]
        return f"Result: Parcel({' '.join(words + [''] * (4 - len(words)))} '{_characters(data)}')\n"
    lines = []
    for offset in range(0, len(data), LINE):
        part = data[offset : offset + LINE]
        row = " ".join(part[at : at + 4][::-1].hex().ljust(8) for at in range(0, LINE, 4))
        lines.append(f"  0x{offset:08x}: {row} '{_characters(part).ljust(LINE)}'")
    return "Result: Parcel(\n" + "\n".join(lines) + ")\n"


def _characters(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
