"""Makes IPAs: zip files that are built as Apple's are, all the way down to the executable's code signature.

Nothing in them is Apple's. Certificates are made on the spot, so a real iPhone takes none of these; a virtual
one, which knows no certificate of Apple's, does.
"""

from __future__ import annotations

import functools
import hashlib
import plistlib
import random
import struct
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

TEAM = "SCHOOLBAG1"
ARM64 = 0x0100000C
ARM_32 = 12
"""Kinds of processor, as a Mach-O header names them."""

_NEVER = datetime(2046, 1, 1, tzinfo=UTC)
_MADE = datetime(2026, 1, 1, tzinfo=UTC)
_MEGABYTE = 1 << 20
_ZIP_TIME = (1981, 1, 1, 0, 0, 0)
_MAIN = struct.pack("<II", 0x52800000, 0xD65F03C0)  # mov w0, #0; ret


def make_ipa(
    path: Path,
    bundle: str,
    *,
    version: str = "1.0",
    short: str = "1.0",
    signed: bool = True,
    devices: Literal["all"] | Sequence[str] | None = "all",
    expires: datetime = _NEVER,
    drm: bool = False,
    size: int = 0,
    shares_files: bool = False,
    min_os: str = "12.0",
    family: Sequence[int] = (1, 2),
    title: str = "",
    team: str = TEAM,
    entitlements: Mapping[str, Any] | None = None,
    cpu: int = ARM64,
    info: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the IPA and returns where it is.

    ``devices``: "all" as in an organisation's own apps, UDIDs as in development and ad hoc ones; None leaves the
    profile out. ``drm``: encrypted and without a profile, as the App Store's are. ``size``: bytes of an incompressible
    file in it. ``entitlements`` and ``info`` are laid over what they would be.
    """
    name = (title or bundle.rpartition(".")[2]).replace("/", "-")
    app = f"Payload/{name}.app"
    rights = {"application-identifier": f"{team}.{bundle}", "com.apple.developer.team-identifier": team}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "Payload/", b"")
        _put(archive, f"{app}/", b"")
        plist = _info(bundle, name, version, short, min_os, family) | dict(info or {})
        if shares_files:
            plist |= {"UIFileSharingEnabled": True, "LSSupportsOpeningDocumentsInPlace": True}
        _put(archive, f"{app}/Info.plist", plistlib.dumps(plist, fmt=plistlib.FMT_BINARY))
        _put(archive, f"{app}/PkgInfo", b"APPL????")
        code = macho(bundle, cpu, rights | dict(entitlements or {}) if signed else None, encrypted=drm)
        _put(archive, f"{app}/{plist.get('CFBundleExecutable', name)}", code, mode=0o755)
        if devices is not None and not drm:
            profile = provisioning_profile(bundle, devices, expires=expires, team=team)
            _put(archive, f"{app}/embedded.mobileprovision", profile)
        if signed:
            resources = plistlib.dumps({"files": {}, "files2": {}, "rules": {"^.*": True}})
            _put(archive, f"{app}/_CodeSignature/CodeResources", resources)
        if drm:
            _put(archive, f"{app}/SC_Info/{name}.sinf", b"sinf" + bytes(60))
            _put(archive, "iTunesMetadata.plist", plistlib.dumps(_store_metadata(bundle, name, short)))
        if size:
            _filler(archive, f"{app}/filler.bin", size, bundle)
    return path


def _put(archive: zipfile.ZipFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_TIME)
    entry.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
    entry.external_attr = (0o40755 if name.endswith("/") else 0o100000 | mode) << 16
    archive.writestr(entry, data)


def _filler(archive: zipfile.ZipFile, name: str, size: int, seed: str) -> None:
    piece = random.Random(seed).randbytes(_MEGABYTE)
    with archive.open(zipfile.ZipInfo(name, _ZIP_TIME), "w", force_zip64=size > 1 << 31) as file:
        for at in range(0, size, _MEGABYTE):
            file.write(piece[: min(_MEGABYTE, size - at)])


def _info(bundle: str, name: str, version: str, short: str, min_os: str, family: Sequence[int]) -> dict[str, Any]:
    return {
        "CFBundleDevelopmentRegion": "en",
        "CFBundleDisplayName": name,
        "CFBundleExecutable": name,
        "CFBundleIdentifier": bundle,
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": name,
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": short,
        "CFBundleSupportedPlatforms": ["iPhoneOS"],
        "CFBundleVersion": version,
        "DTPlatformName": "iphoneos",
        "LSRequiresIPhoneOS": True,
        "MinimumOSVersion": min_os,
        "UIDeviceFamily": list(family),
        "UIRequiredDeviceCapabilities": ["arm64"],
    }


def _store_metadata(bundle: str, name: str, short: str) -> dict[str, Any]:
    return {
        "bundleShortVersionString": short,
        "com.apple.iTunesStore.downloadInfo": {"accountInfo": {"AppleID": "buyer@example.org"}},
        "itemId": 1,
        "itemName": name,
        "softwareVersionBundleId": bundle,
    }


# Provisioning profile ---------------------------------------------------------------------------------------------


def provisioning_profile(
    bundle: str, devices: Literal["all"] | Sequence[str], *, expires: datetime = _NEVER, team: str = TEAM
) -> bytes:
    """A profile as Apple hands it out: a property list inside a CMS SignedData (DER)."""
    certificate, key = _identity()
    plist: dict[str, Any] = {
        "AppIDName": bundle,
        "ApplicationIdentifierPrefix": [team],
        "CreationDate": _MADE.replace(tzinfo=None),
        "DeveloperCertificates": [certificate.public_bytes(Encoding.DER)],
        "Entitlements": {
            "application-identifier": f"{team}.{bundle}",
            "com.apple.developer.team-identifier": team,
            "get-task-allow": False,
            "keychain-access-groups": [f"{team}.*"],
        },
        "ExpirationDate": expires.astimezone(UTC).replace(tzinfo=None),
        "Name": f"Schoolbag sample for {bundle}",
        "Platform": ["iOS"],
        "TeamIdentifier": [team],
        "TeamName": "Schoolbag samples",
        "TimeToLive": max(1, (expires - _MADE).days),
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, bundle)).upper(),
        "Version": 1,
    }
    plist |= {"ProvisionsAllDevices": True} if devices == "all" else {"ProvisionedDevices": list(devices)}
    builder = pkcs7.PKCS7SignatureBuilder().set_data(plistlib.dumps(plist))
    signed = builder.add_signer(certificate, key, hashes.SHA256())
    return signed.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


@functools.cache
def _identity() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"iPhone Distribution: Schoolbag samples ({TEAM})"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, TEAM),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Schoolbag samples"),
        ]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(_MADE).not_valid_after(_NEVER)
    return builder.sign(key, hashes.SHA256()), key


# Executable -------------------------------------------------------------------------------------------------------


def macho(bundle: str, cpu: int, entitlements: Mapping[str, Any] | None, *, encrypted: bool = False) -> bytes:
    """A Mach-O executable that returns 0; with ``entitlements`` it has a code signature that carries them."""
    wide = cpu == ARM64
    header_size, page = (32 if wide else 28), 4096
    commands = [struct.pack("<IIQQ", 0x80000028, 24, page - len(_MAIN), 0)]  # LC_MAIN
    commands.append(struct.pack("<IIIII", 0x2C if wide else 0x21, 24 if wide else 20, 0, page, int(encrypted)))
    if wide:
        commands[-1] += bytes(4)
    room = sum(map(len, commands)) + (16 if entitlements is not None else 0)
    assert header_size + room < page - len(_MAIN)
    signature = b""
    if entitlements is not None:
        length = len(_signature(bundle, bytes(page), entitlements))
        commands.append(struct.pack("<IIII", 0x1D, 16, page, length))  # LC_CODE_SIGNATURE
    magic = 0xFEEDFACF if wide else 0xFEEDFACE
    header = struct.pack("<IiiIIII", magic, cpu, 0, 2, len(commands), room, 0x00200085) + bytes(4 if wide else 0)
    code = (header + b"".join(commands)).ljust(page - len(_MAIN), b"\0") + _MAIN
    if entitlements is not None:
        signature = _signature(bundle, code, entitlements)
    return code + signature


def _signature(bundle: str, code: bytes, entitlements: Mapping[str, Any]) -> bytes:
    """The SuperBlob behind the code: CodeDirectory, requirements, entitlements, CMS."""
    rights = _blob(0xFADE7171, plistlib.dumps(dict(entitlements)))
    requirements = _blob(0xFADE0C01, struct.pack(">I", 0))
    slots = [hashlib.sha256(rights).digest(), bytes(32), bytes(32), hashlib.sha256(requirements).digest(), bytes(32)]
    parts = [
        (0, _code_directory(bundle, code, slots)),
        (2, requirements),
        (5, rights),
        (0x10000, _blob(0xFADE0B01, b"")),
    ]
    at = 12 + 8 * len(parts)
    index = b""
    for kind, part in parts:
        index += struct.pack(">II", kind, at)
        at += len(part)
    return _blob(0xFADE0CC0, struct.pack(">I", len(parts)) + index + b"".join(part for _, part in parts))


def _code_directory(bundle: str, code: bytes, slots: list[bytes]) -> bytes:
    name = bundle.encode() + b"\0"
    pages = [hashlib.sha256(code[at : at + 4096]).digest() for at in range(0, len(code), 4096)]
    names_at = 44
    hashes_at = names_at + len(name) + 32 * len(slots)
    fixed = struct.pack(
        ">IIIIIIIBBBBI", 0x20001, 0, hashes_at, names_at, len(slots), len(pages), len(code), 32, 2, 0, 12, 0
    )
    return _blob(0xFADE0C02, fixed + name + b"".join(slots) + b"".join(pages))


def _blob(magic: int, data: bytes) -> bytes:
    return struct.pack(">II", magic, 8 + len(data)) + data
