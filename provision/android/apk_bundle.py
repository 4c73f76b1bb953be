"""Which APKs and expansion files the files of an app hold: one APK, several, or bundles of them.

Known bundles: .apks (bundletool's, and those of backup tools), .xapk (``manifest.json``), .apkm (``info.json``).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from provision.android.apk_manifest import ApkError

MANIFEST = "AndroidManifest.xml"
MAX_MEMBER = 8 << 30
MAX_RATIO = 1000
"""How much larger than its packed form a large member may be: deflate reaches 1032, apps hardly 20."""

BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises for damage, for packings that Android does not know, and for encryption."""

_BLOCK = 1 << 20
_LARGE = 64 << 20
_MAX_LIST = 4 << 20
_OBB = re.compile(r"^(main|patch)\.\d{1,10}\.[A-Za-z0-9_.]+\.obb$")
_GET_AGAIN = "Get the file again from where it came from."


@dataclass(frozen=True)
class File:
    """A file on the host: size in bytes, SHA-256 in hex."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Member:
    """A file on the host, or the member ``name`` of a bundle on the host."""

    path: Path
    name: str = ""

    def open(self) -> BinaryIO:
        """Its bytes from the start, streamed; the caller closes it."""
        if not self.name:
            return self.path.open("rb")
        with zipfile.ZipFile(self.path) as archive:
            return cast("BinaryIO", archive.open(self.name))

    def file(self, cache: Path) -> File:
        """It as a file. A bundle's member is copied to ``cache``, named by its content: there whole or not at all."""
        if not self.name:
            with self.path.open("rb") as source:
                return File(self.path, self.path.stat().st_size, hashlib.file_digest(source, "sha256").hexdigest())
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # it may be the home, which holds keys
        cache.mkdir(exist_ok=True)
        temporary = cache / f"{secrets.token_hex(8)}.part"
        digest = hashlib.sha256()
        try:
            with temporary.open("xb") as copy:
                for block in self._blocks():
                    copy.write(block)
                    digest.update(block)
                size = copy.tell()
            path = temporary.replace(cache / (digest.hexdigest() + PurePosixPath(self.name).suffix))
        finally:
            temporary.unlink(missing_ok=True)
        return File(path, size, digest.hexdigest())

    def _blocks(self) -> Iterator[bytes]:
        try:
            with self.open() as source:
                while block := source.read(_BLOCK):
                    yield block
        except BAD_ZIP as error:
            raise not_a_zip(self) from error

    def __str__(self) -> str:
        return f"{self.path.name}: {self.name}" if self.name else self.path.name


@dataclass(frozen=True)
class Contents:
    """The APKs, the expansion files with their names on the phone, and whether parts may come in several variants."""

    apks: tuple[Member, ...]
    obbs: tuple[tuple[Member, str], ...] = ()
    variants: bool = False


def contents(paths: Sequence[Path]) -> Contents:
    """What there is in the files of one app. Raises ApkError for what is no app or bundle."""
    found = [_one(path) for path in paths]
    apks = tuple(apk for one in found for apk in one.apks)
    if not apks:
        raise ApkError(
            f"{', '.join(path.name for path in paths)}: there is no APK in it.", "Check the path in the profile."
        )
    return Contents(apks, tuple(obb for one in found for obb in one.obbs), any(one.variants for one in found))


def not_a_zip(member: Member) -> ApkError:
    """The error for a file that cannot be read as a zip, after a look at its first bytes."""
    try:
        with member.open() as file:
            head = file.read(4)
    except BAD_ZIP:
        head = b"PK\x03\x04"
    if head == b"PK\x03\x04":
        return ApkError(f"{member}: the file is damaged or was cut short.", _GET_AGAIN)
    return ApkError(f"{member}: this is not an app file.", "It has to be an .apk, .apks, .xapk or .apkm.")


def _one(path: Path) -> Contents:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if MANIFEST in names:
                return Contents((Member(path),))
            if "BundleConfig.pb" in names:
                raise ApkError(
                    f"{path.name}: an .aab is for the app store, phones cannot take it.",
                    "Ask for an .apk or .apks, or make one with bundletool build-apks.",
                )
            _check_members(path, archive)
            return _bundle(path, archive, names)
    except BAD_ZIP as error:
        raise not_a_zip(Member(path)) from error


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    seen = set()
    for info in archive.infolist():
        name = info.filename
        if (
            name in seen
            or name.startswith("/")
            or "\\" in name
            or ".." in PurePosixPath(name).parts
            or not name.isprintable()
        ):
            raise ApkError(f"{path.name}: a name in it is not safe ({name!a}).", "Do not use this file.")
        seen.add(name)
        if info.file_size > MAX_MEMBER or info.file_size > max(_LARGE, MAX_RATIO * info.compress_size):
            raise ApkError(f"{path.name}: {name} is far too large when unpacked.", "Do not use this file.")


def _bundle(path: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> Contents:
    if "manifest.json" in names:
        return _xapk(path, archive, names)
    apks = [name for name in names if name.lower().endswith(".apk")]
    splits = [name for name in apks if name.startswith("splits/")]
    if splits:
        return Contents(tuple(Member(path, name) for name in splits), variants=True)
    if apks and all(name.startswith("standalones/") for name in apks):
        raise ApkError(
            f"{path.name}: it holds a whole app per kind of phone, not one for all.",
            "Take out the right .apk and name that, or make the bundle with --mode=universal.",
        )
    return Contents(tuple(Member(path, name) for name in apks))


def _xapk(path: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> Contents:
    """``split_apks`` lists the APKs (older files leave it out), ``expansions`` the expansion files."""
    listing = _listing(path, archive)
    apks = [_field(path, entry, "file") for entry in _entries(path, listing, "split_apks")]
    obbs = [
        (_field(path, entry, "file"), _field(path, entry, "install_path"))
        for entry in _entries(path, listing, "expansions")
    ]
    for name in [*apks, *(file for file, _ in obbs)]:
        if name not in names:
            raise ApkError(f"{path.name}: {name} is in its list, but not in the file.", _GET_AGAIN)
    apks = apks or [name for name in names if name.lower().endswith(".apk")]
    return Contents(
        tuple(Member(path, name) for name in apks), tuple((Member(path, file), _obb(path, to)) for file, to in obbs)
    )


def _obb(path: Path, to: str) -> str:
    parts = PurePosixPath(to).parts
    if (
        len(parts) != 4
        or parts[:2] != ("Android", "obb")
        or not _OBB.match(parts[3])
        or f".{parts[2]}." not in parts[3]
    ):
        raise ApkError(f"{path.name}: an expansion file has a place that is not its own ({to!a}).", "Do not use it.")
    return parts[3]


def _listing(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    with archive.open("manifest.json") as file:
        text = file.read(_MAX_LIST)
    try:
        listing = json.loads(text)
    except ValueError as error:
        raise ApkError(f"{path.name}: its manifest.json cannot be read ({error}).", _GET_AGAIN) from error
    if not isinstance(listing, dict):
        raise ApkError(f"{path.name}: its manifest.json is not a list of files.", _GET_AGAIN)
    return listing


def _entries(path: Path, listing: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = listing.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ApkError(f"{path.name}: {key} in its manifest.json is not a list of files.", _GET_AGAIN)
    return entries


def _field(path: Path, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ApkError(f"{path.name}: an entry of its manifest.json has no {key}.", _GET_AGAIN)
    return value
