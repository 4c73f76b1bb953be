"""The manifest inside an APK: Android's binary XML, read chunk by chunk with apkInspector.

Its whole-file parser is not used: it misreads texts of 128 bytes and more, can loop for ever on a cut file, and
decodes every string of a hostile pool. Here texts are decoded when asked for, and every chunk has to fit the file.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from profiles.errors import SchoolbagError

_root = logging.getLogger()
_before = (_root.level, list(_root.handlers))
from apkInspector import axml  # noqa: E402 - importing it sets up the root logger, which is not a library's to set up

_root.setLevel(_before[0])
_root.handlers[:] = _before[1]

MAX_MANIFEST = 8 << 20
PREVIEW = 10_000
"""The API number of an Android that has a letter instead of a number: no phone outside a laboratory has it."""

_STRINGS, _RESOURCE_MAP, _START, _END = 0x0001, 0x0180, 0x0102, 0x0103
_UTF8 = 1 << 8
_REFERENCE, _STRING = 1, 3

# Attributes are known by the number of their resource: the names may be left out of a file.
_NAME, _VERSION_CODE, _VERSION_CODE_MAJOR, _VERSION_NAME = 0x01010003, 0x0101021B, 0x01010576, 0x0101021C
_MIN_SDK, _TARGET_SDK, _MAX_SDK = 0x0101020C, 0x01010270, 0x01010271
_TEST_ONLY, _SPLIT_REQUIRED = 0x01010272, 0x01010591


class ApkError(SchoolbagError):
    """An app file cannot be used."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says. ``split`` is "base" or the split's name; permissions map to their last API number.

    ``version_name`` is "" when it is a reference into the resources.
    """

    package: str
    version_code: int
    version_name: str
    split: str
    min_sdk: int
    target_sdk: int
    permissions: Mapping[str, int]
    test_only: bool
    split_required: bool


def parse(data: bytes) -> Manifest:
    """The manifest in ``data``. Raises ApkError when it is damaged or has no package name or version."""
    try:
        return _manifest(data)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise ApkError(
            f"The app's manifest is damaged ({error}).", "Get the file again from where it came from."
        ) from error


def _manifest(data: bytes) -> Manifest:
    root: _Attributes | None = None
    sdk: tuple[int, int] = (1, 1)
    permissions: dict[str, int] = {}
    test_only = split_required = False
    for depth, tag, attributes in _elements(data):
        if depth == 0 and tag == "manifest" and root is None:
            root = attributes
            split_required = bool(attributes.number(_SPLIT_REQUIRED, 0))
        elif depth == 1 and tag == "uses-sdk":
            minimum = attributes.number(_MIN_SDK, 1)
            sdk = (minimum, attributes.number(_TARGET_SDK, minimum))
        elif depth == 1 and tag in {"uses-permission", "uses-permission-sdk-23"}:
            permissions[attributes.text(_NAME)] = attributes.number(_MAX_SDK, PREVIEW)
        elif depth == 1 and tag == "application":
            test_only = bool(attributes.number(_TEST_ONLY, 0))
            split_required = split_required or bool(attributes.number(_SPLIT_REQUIRED, 0))
    if root is None or not root.text("package"):
        raise ValueError("no package name")
    code = root.number(_VERSION_CODE, 0) & 0xFFFFFFFF
    return Manifest(
        package=root.text("package"),
        version_code=(root.number(_VERSION_CODE_MAJOR, 0) << 32) | code,
        version_name=root.text(_VERSION_NAME),
        split=root.text("split") or "base",
        min_sdk=sdk[0],
        target_sdk=sdk[1],
        permissions=MappingProxyType(permissions),
        test_only=test_only,
        split_required=split_required,
    )


class _Strings:
    """The texts of the file, decoded when asked for."""

    def __init__(self, data: bytes) -> None:
        header = axml.ResStringPoolHeader.parse(io.BytesIO(data))
        self._data = data
        self._count: int = header.string_count
        self._start: int = header.strings_start
        self._utf8 = bool(header.flags & _UTF8)
        self._offsets: int = header.header.header_size

    def __getitem__(self, index: int) -> str:
        if index >= self._count:
            return ""
        at = self._start + int(struct.unpack_from("<I", self._data, self._offsets + 4 * index)[0])
        if self._utf8:
            _, at = self._length(at, 1)
            length, at = self._length(at, 1)
            return self._data[at : at + length].decode("utf-8", "replace")
        length, at = self._length(at, 2)
        return self._data[at : at + 2 * length].decode("utf-16-le", "replace")

    def _length(self, at: int, width: int) -> tuple[int, int]:
        """A length of one unit, or of two when the top bit of the first is set; and where it ends."""
        unit = "<B" if width == 1 else "<H"
        top = 0x80 << (8 * (width - 1))
        (first,) = struct.unpack_from(unit, self._data, at)
        if not first & top:
            return first, at + width
        (second,) = struct.unpack_from(unit, self._data, at + width)
        return ((first & (top - 1)) << (8 * width)) | second, at + 2 * width


class _Attributes:
    """The attributes of one element, by resource number, or by name where they have none."""

    def __init__(self, attributes: list[axml.XmlAttributeElement], strings: _Strings, numbers: list[int]) -> None:
        self._strings = strings
        self._by_key: dict[int | str, axml.XmlAttributeElement] = {}
        for attribute in attributes:
            index = attribute.name_index
            number = numbers[index] if index < len(numbers) else 0
            self._by_key.setdefault(number or strings[index], attribute)

    def text(self, key: int | str) -> str:
        attribute = self._by_key.get(key)
        if attribute is None or attribute.typed_value_datatype == _REFERENCE:
            return ""
        if attribute.typed_value_datatype == _STRING:
            return self._strings[attribute.typed_value_data]
        return str(attribute.typed_value_data)

    def number(self, key: int | str, default: int) -> int:
        """A number; a letter (the name of an Android that is not out yet) counts as one that no phone has."""
        attribute = self._by_key.get(key)
        if attribute is None:
            return default
        if attribute.typed_value_datatype == _REFERENCE:
            raise ValueError("a number is kept in the resources")
        text = self.text(key)
        return int(text) if text.lstrip("-").isdecimal() else PREVIEW


def _elements(data: bytes) -> Iterator[tuple[int, str, _Attributes]]:
    """Each element with its depth (the root has 0), its tag and its attributes, in the order of the file."""
    strings: _Strings | None = None
    numbers: list[int] = []
    depth = 0
    for kind, chunk in _chunks(data):
        if kind == _STRINGS and strings is None:
            strings = _Strings(chunk)
        elif kind == _RESOURCE_MAP:
            numbers = axml.XmlResourceMapType.parse(io.BytesIO(chunk)).resids
        elif kind == _START and strings is not None:
            file = io.BytesIO(chunk)
            element = axml.XmlStartElement.parse(file, axml.ResXMLHeader.parse(file))
            yield depth, strings[element.attrext[1]], _Attributes(element.attributes, strings, numbers)
            depth += 1
        elif kind == _END:
            depth -= 1


def _chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The chunks inside the outermost one, each with its kind."""
    outer = axml.ResChunkHeader.parse(io.BytesIO(data))
    if outer is None:
        raise ValueError("it is empty")
    at = outer.header_size
    while at + 8 <= len(data):
        header = axml.ResChunkHeader.parse(io.BytesIO(data[at : at + 8]))
        if not 8 <= header.header_size <= header.total_size <= len(data) - at:
            raise ValueError("a part is longer than the file")
        yield header.type, data[at : at + header.total_size]
        at += header.total_size
