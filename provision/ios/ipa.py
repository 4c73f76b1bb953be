"""What an .ipa file holds, read here, without unpacking it: what it is, which devices it is for, and how it is signed.

Nothing of it is believed for safety's sake (the device checks the signature itself): this only finds out before a byte
is sent what a device would say after all bytes were (facts, iOS §1).
"""

from __future__ import annotations

import plistlib
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from profiles.errors import SchoolbagError
from profiles.schema import IosApp

_MOST_READ = 4 * 1024 * 1024
"""Bytes of one property list, unpacked: Apple's are a few hundred kB with a hundred thousand devices."""

_INFO = re.compile(r"(Payload/[^/]+\.app/)Info\.plist")
_BUNDLE = re.compile(r"[A-Za-z0-9.-]{1,155}")
_FAMILIES = {"1": 1, "2": 2}
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    plistlib.InvalidFileException,
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
"""What zipfile and plistlib raise on bytes that are none of theirs (RecursionError is a RuntimeError)."""


class IpaError(SchoolbagError):
    """The file cannot be installed on any device of ours. ``what`` names the file."""


@dataclass(frozen=True)
class Signing:
    """The provisioning profile in the app. ``devices`` are UDIDs in one spelling (see :func:`plain_udid`); ``None`` is
    every device, as in an organisation's own apps. ``ends`` is UTC."""

    name: str
    team: str
    developer: str
    devices: frozenset[str] | None = field(repr=False)
    ends: datetime


@dataclass(frozen=True)
class Ipa:
    """``size`` is that of the file, ``unpacked`` that of what is in it, in bytes. ``version`` is what iOS compares
    (CFBundleVersion), ``shown`` what people read. ``families``: 1 iPhone, 2 iPad. ``shares_files``: documents can be
    put into it over USB."""

    path: Path
    size: int
    unpacked: int
    bundle: str
    version: str
    shown: str
    minimum_os: str
    families: frozenset[int]
    shares_files: bool
    signing: Signing

    def ended(self, now: datetime) -> bool:
        return now >= self.signing.ends

    def allows(self, udid: str) -> bool:
        return self.signing.devices is None or plain_udid(udid) in self.signing.devices


def plain_udid(said: str) -> str:
    """A UDID without the dash and capitals by which its spellings differ."""
    return said.replace("-", "").casefold()


def read(path: Path) -> Ipa:
    """Read the file. Raises IpaError; a file that has not changed (size, time) is read once per process."""
    try:
        stat = path.stat()
        with _READING:
            return _read(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise IpaError(f"{path.name} cannot be read: {error.strerror}.", "Check the path in the profile.") from error


def bundle_of(app: IosApp) -> str:
    """The bundle identifier of an app of a profile; "" of a page. Raises IpaError where its file has to tell it."""
    if app.bundle is not None:
        return app.bundle
    return read(app.file).bundle if app.file else ""


_READING = threading.Lock()
"""So that sixty devices that want one app at the same moment have it read once."""


@lru_cache(maxsize=256)
def _read(path: Path, size: int, _modified: int) -> Ipa:
    try:
        with zipfile.ZipFile(path) as archive:
            return _ipa(path, size, archive)
    except zipfile.BadZipFile as error:
        raise IpaError(f"{path.name} is cut short, or no IPA at all.", "Download it again.") from error
    except _BROKEN as error:
        raise IpaError(f"{path.name} is damaged.", "Download it again.") from error


def _ipa(path: Path, size: int, archive: zipfile.ZipFile) -> Ipa:
    entries = {entry.filename: entry for entry in archive.infolist()}
    apps = [found[1] for name in entries if (found := _INFO.fullmatch(name))]
    if len(apps) != 1:
        raise IpaError(f"{path.name} holds {len(apps) or 'no'} apps of iOS, and has to hold one.", "Build it anew.")
    (app,) = apps
    _past_the_end(path, size, entries.values())
    info = _plist(archive, entries[f"{app}Info.plist"])
    bundle = _text(info, "CFBundleIdentifier")
    if not _BUNDLE.fullmatch(bundle):
        raise IpaError(f"{path.name} does not tell its bundle identifier.", "Build it anew.")
    return Ipa(
        path=path,
        size=size,
        unpacked=sum(entry.file_size for entry in entries.values()),
        bundle=bundle,
        version=_text(info, "CFBundleVersion"),
        shown=_text(info, "CFBundleShortVersionString") or _text(info, "CFBundleVersion"),
        minimum_os=_text(info, "MinimumOSVersion"),
        families=_families(info.get("UIDeviceFamily")),
        shares_files=info.get("UIFileSharingEnabled") is True,
        signing=_signing(path, archive, entries, app, bundle),
    )


def _families(said: Any) -> frozenset[int]:
    """Old apps name none, and are for iPhones; some write the numbers as texts."""
    named = {str(one) for one in (said if isinstance(said, list) else [said])}
    return frozenset(_FAMILIES[one] for one in named & _FAMILIES.keys()) or frozenset({1})


def _past_the_end(path: Path, size: int, entries: Iterable[zipfile.ZipInfo]) -> None:
    """A list of contents that was mended after a download broke off promises more than there is."""
    if any(entry.header_offset + entry.compress_size > size for entry in entries):
        raise IpaError(f"{path.name} is cut short.", "Download it again.")


def _signing(
    path: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], app: str, bundle: str
) -> Signing:
    if any(name.startswith(f"{app}SC_Info/") and not name.endswith("/") for name in entries):
        raise IpaError(
            f"{path.name} comes from the App Store and is encrypted for the account that bought it: without that Apple "
            "ID it does not open.",
            "Get the app from its maker, signed for your devices, or put a web page in its place (web: …).",
        )
    if f"{app}_CodeSignature/CodeResources" not in entries:
        raise IpaError(f"{path.name} is not signed (0xe800801c).", "Have its maker sign it for your devices.")
    embedded = entries.get(f"{app}embedded.mobileprovision")
    if embedded is None:
        raise IpaError(
            f"{path.name} has no provisioning profile, so no device takes it (0xe8008015).",
            "Have its maker export it for ad hoc or enterprise distribution.",
        )
    return _provisioning(path, _contents(archive, embedded), bundle)


def _provisioning(path: Path, message: bytes, bundle: str) -> Signing:
    """The property list in the CMS message, where it stands as it is between the signature's own fields."""
    begin, end = message.find(b"<?xml"), message.rfind(b"</plist>")
    if not 0 <= begin < end:
        raise IpaError(f"{path.name}: its provisioning profile is damaged.", "Have its maker sign it anew.")
    said = plistlib.loads(message[begin : end + len(b"</plist>")])
    entitlements = said.get("Entitlements")
    whose = _text(entitlements if isinstance(entitlements, dict) else {}, "application-identifier")
    team, _, pattern = whose.partition(".")
    if not _fits(pattern, bundle):
        raise IpaError(
            f"{path.name}: its provisioning profile is for {pattern or 'no app'}, not for {bundle} (0xe8008016).",
            "Have its maker sign it anew.",
        )
    ends = said.get("ExpirationDate")
    if not isinstance(ends, datetime):
        raise IpaError(f"{path.name}: its provisioning profile has no end.", "Have its maker sign it anew.")
    return Signing(_text(said, "Name"), team, _text(said, "TeamName") or team, _devices(said), ends.replace(tzinfo=UTC))


def _fits(pattern: str, bundle: str) -> bool:
    return bundle.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == bundle


def _devices(said: Mapping[str, Any]) -> frozenset[str] | None:
    if said.get("ProvisionsAllDevices") is True:
        return None
    listed = said.get("ProvisionedDevices")
    return frozenset(plain_udid(one) for one in (listed if isinstance(listed, list) else ()) if isinstance(one, str))


def _plist(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Mapping[str, Any]:
    found = plistlib.loads(_contents(archive, entry))
    if not isinstance(found, dict):
        raise TypeError("no dict")
    return found


def _contents(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """All of it, whatever size it claims to be."""
    with archive.open(entry) as file:
        data = file.read(_MOST_READ + 1)
    if len(data) > _MOST_READ:
        raise ValueError("too large")
    return data


def _text(said: Mapping[str, Any], key: str) -> str:
    """A text of one line, cut where no honest one is as long."""
    found = said.get(key)
    return "".join(c for c in found[:200] if c.isprintable()) if isinstance(found, str) else ""
