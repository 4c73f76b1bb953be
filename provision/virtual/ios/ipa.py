"""What a phone checks of an app before it takes it, in its order, and how it refuses (facts, iOS §1).

The codes and their texts are those of installation logs that people published and of the phone's own programs. That the
checks come in this order, and what comes of an App Store app without its purchase, is [inferred]; docs/unproven.md.
"""

from __future__ import annotations

import errno
import os
import plistlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from provision.virtual.ios.macho import ARM64, Code, read_code
from provision.virtual.ios.provisioning import BadProfile, Provisioning, read_profile

UNKNOWN, NO_PROFILE, BAD_ENTITLEMENTS, UNSIGNED = 0xE8008001, 0xE8008015, 0xE8008016, 0xE800801C
_SAYS = {
    UNKNOWN: "An unknown error has occurred.",
    NO_PROFILE: "A valid provisioning profile for this executable was not found.",
    BAD_ENTITLEMENTS: "The executable was signed with invalid entitlements.",
    UNSIGNED: "No code signature found.",
}
_APP = re.compile(r"Payload/[^/]+\.app/")
_BUNDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,154}")
_LARGEST = 64 << 20
"""Bytes of an executable or a property list that are read; the longest real ones are shorter."""
_UNREADABLE = (
    plistlib.InvalidFileException,
    ExpatError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class Refused(Exception):
    """``error`` is the phone's word, ``description`` its sentence, ``detail`` the code of a failed verification."""

    def __init__(self, error: str, description: str, detail: int | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.detail = detail

    def to_plist(self) -> dict[str, Any]:
        """As installation_proxy answers it; the code is there as a signed 32-bit number."""
        told: dict[str, Any] = {"Error": self.error, "ErrorDescription": self.description}
        if self.detail is not None:
            told["ErrorDetail"] = self.detail - (1 << 32)
        return told


@dataclass(frozen=True)
class Package:
    """An app as it lies in an IPA. ``folder`` is the path of its bundle on the phone while it is checked, ``size``
    the bytes of all that is in it, ``store`` whether it came from the App Store."""

    folder: str
    info: Mapping[str, Any]
    size: int
    code: Code | None
    sealed: bool
    profile: bytes | None

    @property
    def bundle(self) -> str:
        return str(self.info["CFBundleIdentifier"])

    @property
    def name(self) -> str:
        """Of the bundle, such as Reader.app."""
        return self.folder.rpartition("/")[2]

    @property
    def store(self) -> bool:
        return self.profile is None and self.code is not None and self.code.encrypted


def extract(path: Path, room: int) -> None:
    """Unpack it, that is: read it to the end. Raises Refused; ``room`` are the bytes that are free."""
    try:
        if path.stat().st_size == 0:
            raise Refused(
                "PackageExtractionFailed",
                f"Archive we've been requested to install at {path.name} is 0 bytes. That can't be a valid ipa.",
            )
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise Refused("PackageExtractionFailed", "Could not extract archive") from error
    if damaged is not None:
        raise Refused("PackageExtractionFailed", "Could not extract archive")


def inspect(path: Path, staging: str) -> Package:
    """What is in it; ``staging`` is where the phone unpacked it. Raises Refused."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        folder = next((found[0] for name in entries if (found := _APP.match(name))), None)
        if folder is None:
            raise Refused("PackageInspectionFailed", "The item being installed did not contain any installable apps.")
        info = _info(archive, f"{folder}Info.plist", f"{staging}/{folder.rstrip('/')}")
        name = info.get("CFBundleExecutable")
        if not isinstance(name, str) or (executable := _read(archive, f"{folder}{name}")) is None:
            raise Refused("MissingBundleExecutable", f"Bundle at path {staging}/{folder}did not have an executable.")
        return Package(
            folder=f"{staging}/{folder.rstrip('/')}",
            info=info,
            size=sum(entry.file_size for entry in entries.values()),
            code=read_code(executable),
            sealed=f"{folder}_CodeSignature/CodeResources" in entries,
            profile=_read(archive, f"{folder}embedded.mobileprovision"),
        )


def _read(archive: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        with archive.open(name) as file:
            return file.read(_LARGEST)
    except KeyError:
        return None


def _info(archive: zipfile.ZipFile, name: str, folder: str) -> dict[str, Any]:
    data = _read(archive, name)
    try:
        info = plistlib.loads(data or b"")
    except _UNREADABLE:
        info = None
    if not isinstance(info, dict):
        raise Refused("PackageInspectionFailed", f"Failed to load Info.plist from bundle at path {folder}")
    bundle = info.get("CFBundleIdentifier")
    if not isinstance(bundle, str) or not _BUNDLE.fullmatch(bundle) or ".." in bundle:
        raise Refused("MissingBundleIdentifier", f"Bundle at path {folder} did not have a CFBundleIdentifier.")
    if not info.get("CFBundleVersion"):
        raise Refused("MissingBundleVersion", f"Bundle at path {folder} did not have a CFBundleVersion.")
    return info


def preflight(package: Package, version: str, families: Iterable[int]) -> None:
    """Whether it is made for this phone: iOS ``version``, device ``families`` (1 iPhone, 2 iPad). Raises Refused."""
    needs = str(package.info.get("MinimumOSVersion", "0"))
    if _numbers(version) < _numbers(needs):
        raise Refused(
            "DeviceOSVersionTooLow",
            "The system version is lower than the minimum OS version specified for bundle at "
            f"{package.folder}. Have {version}; need {needs}",
        )
    made_for = package.info.get("UIDeviceFamily") or [1]
    made_for = made_for if isinstance(made_for, list) else [made_for]
    here = list(families)
    if not set(map(str, made_for)) & set(map(str, here)):
        raise Refused(
            "DeviceFamilyNotSupported",
            "This app was not built to support this device family; app is compatible with "
            f"{_shown(made_for)} but this device supports {_shown(here)}",
        )
    if package.code is None or package.code.cpu != ARM64:
        raise Refused(
            "IncorrectArchitecture",
            f"Failed to find matching arch for input file {package.folder}/{package.info['CFBundleExecutable']}",
        )


def _numbers(version: str) -> list[int]:
    """A version for comparing: 12.0 is 12."""
    found = [int(digits) for digits in re.findall(r"\d+", version)]
    while found and found[-1] == 0:
        found.pop()
    return found


def _shown(families: list[Any]) -> str:
    """As the phone prints an array."""
    return "(\n" + ",\n".join(f"    {family}" for family in families) + "\n)"


def verify(package: Package, udid: str, now: datetime, purchase: Mapping[str, Any]) -> Provisioning | None:
    """Whether its signature holds on this phone at ``now``. ``purchase`` are the options of the installation, with the
    ApplicationSINF of an App Store app. Raises Refused; the result is the profile, None for an App Store app."""
    code = package.code
    if code is None or code.entitlements is None or not package.sealed:
        raise _fails(package, UNSIGNED)
    if package.store:
        if not purchase.get("ApplicationSINF"):
            raise _fails(package, UNKNOWN)
        return None
    if package.profile is None:
        raise _fails(package, NO_PROFILE)
    try:
        profile = read_profile(package.profile)
    except BadProfile:
        raise _fails(package, NO_PROFILE) from None
    if not profile.covers(udid) or profile.expires <= now:
        raise _fails(package, NO_PROFILE)
    identifier = str(code.entitlements.get("application-identifier", ""))
    if not identifier.endswith(f".{package.bundle}") or not profile.grants(code.entitlements):
        raise _fails(package, BAD_ENTITLEMENTS)
    return profile


def _fails(package: Package, code: int) -> Refused:
    return Refused(
        "ApplicationVerificationFailed",
        f"Failed to verify code signature of {package.folder} : 0x{code:08x} ({_SAYS[code]})",
        code,
    )


def replaces(package: Package, installed: str | None) -> None:
    """Whether it may take the place of the app whose application-identifier is ``installed``. Raises Refused."""
    identifier = (package.code.entitlements or {}).get("application-identifier") if package.code else None
    if installed and identifier != installed:
        raise Refused(
            "MismatchedApplicationIdentifierEntitlement",
            f"Upgrade's application-identifier entitlement string ({identifier}) does not match installed "
            f"application's application-identifier string ({installed}); rejecting upgrade.",
        )
