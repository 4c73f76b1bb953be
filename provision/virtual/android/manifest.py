"""What a phone reads out of an APK: the binary AndroidManifest.xml, the native ABIs and the signer.

The binary XML is a chain of chunks: ``u16 type, u16 header size, u32 chunk size``; strings are kept in one pool and
attribute names are known by resource id.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from provision.virtual.android.signer import Signer, signer_of

XML, STRINGS, RESOURCE_IDS, START, END = 0x0003, 0x0001, 0x0180, 0x0102, 0x0103
NO_STRING = 0xFFFFFFFF
TYPE_STRING, TYPE_BOOL, FIRST_INT, LAST_INT = 0x03, 0x12, 0x10, 0x1F
NAMES = {
    0x01010003: "name",
    0x01010006: "permission",
    0x0101000F: "debuggable",
    0x0101020C: "minSdkVersion",
    0x01010270: "targetSdkVersion",
    0x0101021B: "versionCode",
    0x0101021C: "versionName",
    0x01010272: "testOnly",
    0x01010576: "versionCodeMajor",
    0x01010591: "isSplitRequired",
}

Value = str | int | bool | None


class BadApk(Exception):
    """These bytes are no APK that a phone would read. ``code`` is the parse failure that the phone answers with."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Element:
    """A start tag: how deep it is (``manifest`` is 0), its name and its attributes."""

    depth: int
    tag: str
    attributes: dict[str, Value]


@dataclass(frozen=True)
class Apk:
    """One APK file as the package parser sees it. ``split`` is empty for the base, ``size`` is in bytes."""

    package: str
    split: str
    size: int
    version_code: int = 0
    version_name: str = ""
    min_sdk: int = 1
    target_sdk: int = 0
    split_required: bool = False
    test_only: bool = False
    debuggable: bool = False
    permissions: tuple[str, ...] = ()
    receivers: dict[str, str] = field(default_factory=dict)
    """Class name to the permission that guards it, "" for none."""
    activities: frozenset[str] = frozenset()
    abis: frozenset[str] = frozenset()
    signer: Signer | None = None


def read_apk(data: bytes) -> Apk:
    """The APK in ``data``; raises :class:`BadApk` as a phone's parser would."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "AndroidManifest.xml" not in names:
                raise BadApk("INSTALL_PARSE_FAILED_UNEXPECTED_EXCEPTION", "AndroidManifest.xml")
            elements = list(parse(archive.read("AndroidManifest.xml")))
            damaged = archive.testzip()
            signer = signer_of(data, archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise BadApk("INSTALL_PARSE_FAILED_NOT_APK", str(error)) from error
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadApk("INSTALL_PARSE_FAILED_MANIFEST_MALFORMED", str(error)) from error
    if damaged:
        raise BadApk("INSTALL_PARSE_FAILED_UNEXPECTED_EXCEPTION", damaged)
    abis = frozenset(name.split("/")[1] for name in names if name.startswith("lib/") and name.endswith(".so"))
    return _apk(elements, len(data), abis, signer)


def _apk(elements: list[Element], size: int, abis: frozenset[str], signer: Signer | None) -> Apk:
    root = next((element for element in elements if element.depth == 0 and element.tag == "manifest"), None)
    package = str(root.attributes.get("package") or "") if root else ""
    if root is None or not package:
        raise BadApk("INSTALL_PARSE_FAILED_BAD_PACKAGE_NAME", "no package name")
    sdk = _first(elements, "uses-sdk")
    application = _first(elements, "application")
    min_sdk = _number(sdk.get("minSdkVersion"), 1)
    return Apk(
        package=package,
        split=str(root.attributes.get("split") or ""),
        size=size,
        version_code=(_number(root.attributes.get("versionCodeMajor"), 0) << 32)
        | _number(root.attributes.get("versionCode"), 0),
        version_name=str(root.attributes.get("versionName") or ""),
        min_sdk=min_sdk,
        target_sdk=_number(sdk.get("targetSdkVersion"), min_sdk),
        split_required=bool(root.attributes.get("isSplitRequired") or application.get("isSplitRequired")),
        test_only=bool(application.get("testOnly")),
        debuggable=bool(application.get("debuggable")),
        permissions=tuple(
            dict.fromkeys(
                str(element.attributes.get("name"))
                for element in elements
                if element.tag in {"uses-permission", "uses-permission-sdk-23"} and element.attributes.get("name")
            )
        ),
        receivers={
            _class(package, str(element.attributes.get("name") or "")): str(element.attributes.get("permission") or "")
            for element in elements
            if element.tag == "receiver"
        },
        activities=frozenset(
            _class(package, str(element.attributes.get("name") or ""))
            for element in elements
            if element.tag in {"activity", "activity-alias"}
        ),
        abis=abis,
        signer=signer,
    )


def _first(elements: list[Element], tag: str) -> dict[str, Value]:
    return next((element.attributes for element in elements if element.depth == 1 and element.tag == tag), {})


def _number(value: Value, default: int) -> int:
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else default


def _class(package: str, name: str) -> str:
    if name.startswith("."):
        return package + name
    return name if "." in name else f"{package}.{name}"


def parse(data: bytes) -> Iterator[Element]:
    """The start tags of a binary XML document, in order."""
    kind, header, size = struct.unpack_from("<HHI", data)
    if kind != XML or size > len(data):
        raise BadApk("INSTALL_PARSE_FAILED_MANIFEST_MALFORMED", "not a binary XML file")
    strings: list[str] = []
    ids: tuple[int, ...] = ()
    depth = 0
    at = header
    while at < size:
        kind, header, length = struct.unpack_from("<HHI", data, at)
        if length < 8:
            raise BadApk("INSTALL_PARSE_FAILED_MANIFEST_MALFORMED", "empty chunk")
        chunk = data[at : at + length]
        if kind == STRINGS:
            strings = _strings(chunk)
        elif kind == RESOURCE_IDS:
            ids = struct.unpack_from(f"<{(length - header) // 4}I", chunk, header)
        elif kind == START:
            yield _element(chunk, header, depth, strings, ids)
            depth += 1
        elif kind == END:
            depth -= 1
        at += length


def _strings(chunk: bytes) -> list[str]:
    count, _styles, flags, start = struct.unpack_from("<4I", chunk, 8)
    offsets = struct.unpack_from(f"<{count}I", chunk, struct.unpack_from("<H", chunk, 2)[0])
    read = _utf8 if flags & 0x100 else _utf16
    return [read(chunk, start + offset) for offset in offsets]


def _utf8(chunk: bytes, at: int) -> str:
    at += 2 if chunk[at] & 0x80 else 1  # the length in characters, which is not needed
    length = chunk[at]
    at += 1
    if length & 0x80:
        length = (length & 0x7F) << 8 | chunk[at]
        at += 1
    return chunk[at : at + length].decode("utf-8")


def _utf16(chunk: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<H", chunk, at)
    at += 2
    if length & 0x8000:
        length = (length & 0x7FFF) << 16 | struct.unpack_from("<H", chunk, at)[0]
        at += 2
    return chunk[at : at + 2 * length].decode("utf-16-le")


def _element(chunk: bytes, header: int, depth: int, strings: list[str], ids: tuple[int, ...]) -> Element:
    _namespace, tag, start, size, count = struct.unpack_from("<IIHHH", chunk, header)
    attributes: dict[str, Value] = {}
    for index in range(count):
        _ns, name, raw, _size, _zero, kind, value = struct.unpack_from("<IIIHBBI", chunk, header + start + index * size)
        known = NAMES.get(ids[name]) if name < len(ids) else None
        attributes[known or strings[name]] = _value(kind, value, raw, strings)
    return Element(depth, strings[tag], attributes)


def _value(kind: int, value: int, raw: int, strings: list[str]) -> Value:
    if kind == TYPE_STRING:
        return strings[value]
    if kind == TYPE_BOOL:
        return value != 0
    if FIRST_INT <= kind <= LAST_INT:
        return value
    return strings[raw] if raw != NO_STRING else None
