"""What a profile's app file holds: one APK, several APKs, or a bundle (.apks, .xapk, .apkm), read on the host.

What is inside a bundle is unpacked once, block by block, into a cache where each file is named by its content; no
app is ever held in memory, and all phones of a run share one reading and one copy.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs

from provision.android import apk_bundle, apk_manifest, apk_signer
from provision.android.apk_bundle import Member
from provision.android.apk_manifest import ApkError, Manifest
from provision.android.apk_signer import Signer

__all__ = ["Apk", "ApkError", "AppFiles", "Obb", "Signer", "for_device", "read"]

BASE = "base"
_DENSITIES = {"ldpi": 120, "mdpi": 160, "tvdpi": 213, "hdpi": 240, "xhdpi": 320, "xxhdpi": 480, "xxxhdpi": 640}
_ABIS = {abi.replace("-", "_"): abi for abi in ("arm64-v8a", "armeabi-v7a", "armeabi", "x86", "x86_64", "riscv64")}


@dataclass(frozen=True)
class Apk:
    """One APK on the host: ``name`` is "base" or the split's name; ``size`` in bytes, ``sha256`` in hex."""

    path: Path
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Obb:
    """An expansion file. Its place on the device is ``Android/obb/PACKAGE/name`` in the shared storage."""

    path: Path
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class AppFiles:
    """An app as a profile names it: what its manifest and signature say, and the files to send.

    ``abis`` are the processor kinds that it has native code for (empty: it needs none). ``permissions`` maps each
    permission that it requests to the last API number for which it does. ``signers`` is never empty, and starts with
    the one for the newest Android; they differ where the maker has changed keys.
    """

    package: str
    version_code: int
    version_name: str
    min_sdk: int
    target_sdk: int
    abis: frozenset[str]
    permissions: Mapping[str, int]
    test_only: bool
    signers: tuple[Signer, ...]
    apks: tuple[Apk, ...]
    obbs: tuple[Obb, ...]

    @property
    def signer(self) -> str:
        """SHA-256 (hex) of the certificate that the newest Android goes by."""
        return self.signers[0].sha256

    @property
    def signer_short(self) -> str:
        """The same certificate as ``dumpsys package`` prints it (facts §5.5)."""
        return self.signers[0].short

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(apk.size for apk in self.apks) + sum(obb.size for obb in self.obbs)

    def signer_for(self, api: int) -> Signer | None:
        """The signer that this Android goes by; None when it knows none of the ways in which the app is signed."""
        return next((signer for signer in self.signers if signer.since <= api), None)


def read(paths: Sequence[Path], cache: Path | None = None) -> AppFiles:
    """Read the file or files of one app. Raises ApkError, with the file's name, when they cannot be installed.

    ``cache`` is where the parts of bundles are unpacked: by default ``cache`` in ``FLEET_HOME``, else the user's own
    cache folder. A file that has not changed (path, size, time) is read once per process.
    """
    try:
        stamps = [(path.absolute(), path.stat()) for path in paths]
        with _READING:
            return _read(
                tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stamps), cache or default_cache()
            )
    except OSError as error:
        raise ApkError(
            f"{error.filename or paths[0]}: cannot be read or unpacked ({error.strerror}).",
            "Check the path in the profile, and the free space of this computer.",
        ) from error


def for_device(app: AppFiles, abis: Sequence[str], density: int | None = None) -> tuple[Apk, ...]:
    """The APKs of ``app`` that a device needs, the base first.

    Of the splits for processor kinds only the one that comes first in ``abis`` (the device's own order) is taken; of
    those for screen densities (dpi) the nearest that is not lower than ``density``, or all when it is not known. All
    languages and everything else are kept: a phone changes its language more easily than its files.
    ApkError when the app has native code and none of it is for this device.
    """
    if app.abis and not app.abis.intersection(abis):
        raise ApkError(
            f"{app.package} has no code for this processor: it is for {', '.join(sorted(app.abis))}, "
            f"the device takes {', '.join(abis)}.",
            "Get the app for this processor, or leave it out for this device.",
        )
    configs = {apk.name: apk.name.rpartition("config.")[2] for apk in app.apks if "config." in apk.name}
    offered = {_ABIS[config] for config in configs.values() if config in _ABIS}
    abi = next((abi for abi in abis if abi in offered), "").replace("-", "_")
    dpi = _density([config for config in configs.values() if config in _DENSITIES], density)
    wanted = [
        apk
        for apk in app.apks
        if (config := configs.get(apk.name, "")) not in _ABIS.keys() - {abi}
        and (not dpi or config not in _DENSITIES.keys() - {dpi})
    ]
    return tuple(sorted(wanted, key=lambda apk: (apk.name != BASE, apk.name)))


def _density(offered: Iterable[str], density: int | None) -> str:
    if density is None:
        return ""
    ordered = sorted(offered, key=_DENSITIES.__getitem__)
    return next((name for name in ordered if _DENSITIES[name] >= density), ordered[-1] if ordered else "")


_READING = threading.Lock()


def default_cache() -> Path:
    """Where parts of app bundles are kept once they are taken out."""
    home = os.environ.get("FLEET_HOME")
    return Path(home, "cache") if home else platformdirs.user_cache_path("schoolbag")


@lru_cache(maxsize=256)
def _read(stamps: tuple[tuple[Path, int, int], ...], cache: Path) -> AppFiles:
    contents = apk_bundle.contents([path for path, _, _ in stamps])
    parts = [_part(member, cache) for member in contents.apks]
    if contents.variants:
        parts = _one_variant(parts)
    return _app(parts, tuple(_obb(member, cache, name) for member, name in contents.obbs))


@dataclass(frozen=True)
class _Part:
    source: Member
    apk: Apk
    manifest: Manifest
    abis: frozenset[str]
    signers: tuple[Signer, ...]


def _part(member: Member, cache: Path) -> _Part:
    file = member.file(cache)
    try:
        with file.path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
            if names.count(apk_bundle.MANIFEST) != 1:
                raise ApkError("This is not an app: it has no manifest, or several.", "Check the path in the profile.")
            if archive.getinfo(apk_bundle.MANIFEST).file_size > apk_manifest.MAX_MANIFEST:
                raise ApkError("The app's manifest is too large.", "Get the file from the app's maker.")
            manifest = apk_manifest.parse(archive.read(apk_bundle.MANIFEST))
            signers = apk_signer.signers(stream, archive)
    except apk_bundle.BAD_ZIP as error:
        raise apk_bundle.not_a_zip(member) from error
    except ApkError as error:
        raise ApkError(f"{member}: {error.what}", error.next_action) from error
    if not signers:
        raise ApkError(f"{member}: The app is not signed.", "Android takes signed apps only: get it from its maker.")
    abis = frozenset(n.split("/")[1] for n in names if n.startswith("lib/") and n.endswith(".so") and n.count("/") == 2)
    return _Part(member, Apk(file.path, manifest.split, file.size, file.sha256), manifest, abis, signers)


def _obb(member: Member, cache: Path, name: str) -> Obb:
    file = member.file(cache)
    return Obb(file.path, name, file.size, file.sha256)


def _one_variant(parts: Sequence[_Part]) -> list[_Part]:
    """bundletool may add copies of a part that are tuned for newer Androids; the one for the oldest runs on all."""
    oldest: dict[str, _Part] = {}
    for part in sorted(parts, key=lambda part: (part.manifest.min_sdk, len(part.source.name), part.source.name)):
        oldest.setdefault(part.apk.name, part)
    return list(oldest.values())


def _app(parts: Sequence[_Part], obbs: tuple[Obb, ...]) -> AppFiles:
    base = next((part for part in parts if part.apk.name == BASE), None)
    where = parts[0].source.path.name
    if base is None:
        raise ApkError(
            f"{where}: the main APK (base) of the app is missing.", "Get the whole app: base and all splits."
        )
    for part in parts:
        _check_same(base, part)
    if len({part.apk.name for part in parts}) < len(parts):
        raise ApkError(f"{where}: a part of the app is there twice.", "Name each APK once.")
    if base.manifest.split_required and len(parts) == 1:
        raise ApkError(f"{where}: this is only the main APK of an app that has several.", "Get the app as a bundle.")
    manifest = base.manifest
    _check_obbs(where, manifest.package, obbs)
    return AppFiles(
        package=manifest.package,
        version_code=manifest.version_code,
        version_name=manifest.version_name,
        min_sdk=manifest.min_sdk,
        target_sdk=manifest.target_sdk,
        abis=frozenset[str]().union(*(part.abis for part in parts)),
        permissions=manifest.permissions,
        test_only=manifest.test_only,
        signers=base.signers,
        apks=tuple(part.apk for part in parts),
        obbs=obbs,
    )


def _check_same(base: _Part, part: _Part) -> None:
    for what, ours, theirs in (
        ("another app", base.manifest.package, part.manifest.package),
        ("another version", base.manifest.version_code, part.manifest.version_code),
        ("another signer", base.signers[0].sha256, part.signers[0].sha256),
    ):
        if ours != theirs:
            raise ApkError(
                f"{part.source}: this part is of {what} than {base.source} ({theirs}, not {ours}).",
                "Get all parts of the app from one place, of one version.",
            )


def _check_obbs(where: str, package: str, obbs: Iterable[Obb]) -> None:
    for obb in obbs:
        if package not in obb.name or obb.name.split(".")[0] not in {"main", "patch"}:
            raise ApkError(f"{where}: an expansion file is not this app's: {obb.name}.", "Get the file again.")
