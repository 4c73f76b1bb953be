"""What a phone checks before it takes a package, and how it refuses (§2.2).

The codes are those of the facts; texts behind a code that the facts do not give are [inferred].
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from provision.virtual.android.manifest import Apk, BadApk, read_apk
from provision.virtual.android.packages import SYSTEM, Package
from provision.virtual.android.phone import Phone
from provision.virtual.android.sessions import Options, Session

LOWEST_TARGET = {34: 23}
"""API to the lowest target SDK that is taken; 24 on those after, as with the build flag minTargetSdk24 on (§2.2)."""


class Refused(Exception):
    """The text between the brackets of ``Failure [...]``."""


@dataclass(frozen=True)
class Staged:
    """A staged APK, parsed."""

    apk: Apk
    path: str

    @property
    def part(self) -> str:
        """The name of this part of a package."""
        return self.apk.split or "base"


def commit(phone: Phone, session: Session) -> Package:
    """Installs what the session holds, or raises :class:`Refused`. The session is closed in both cases."""
    try:
        size = sum(phone.files.stat(path, uid=SYSTEM).size for path in session.staged.values())
        if phone.faults.slow_install:
            with phone.installing:
                phone.sleep(phone.faults.slow_install * size / 1e6)
        with phone.lock:
            return _commit(phone, session)
    finally:
        phone.sessions.close(session)


def _commit(phone: Phone, session: Session) -> Package:
    if phone.faults.install_refused:
        raise Refused(phone.faults.install_refused)
    if phone.faults.storage_full:
        raise Refused("INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override installation location")
    parts = [_parse(phone, session, name, path) for name, path in session.staged.items()]
    _agree(phone, session, parts)
    if session.options.from_adb and not phone.switches.get("install_via_usb", True):
        raise Refused("INSTALL_FAILED_USER_RESTRICTED: Install canceled by user")
    old = phone.packages.get(parts[0].apk.package)
    base = next((part.apk for part in parts if not part.apk.split), None)
    if base is None:
        return _add_splits(phone, session, parts, old)
    _fits(phone, session.options, base, old)
    libraries = frozenset[str]().union(*(part.apk.abis for part in parts))
    abi = _abi(phone, session.options, libraries)
    package = phone.packages.put(
        {part.part: (part.apk, part.path) for part in parts},
        [session.options.user] if session.options.user is not None else [user.id for user in phone.users],
        grant=session.options.grant,
        options={"installer": session.options.installer, "abi": abi, "now": f"{phone.now():%Y-%m-%d %H:%M:%S}"},
    )
    phone.on_replaced(package.name)
    return package


def _parse(phone: Phone, session: Session, name: str, path: str) -> Staged:
    try:
        apk = _read_cached(phone.files.read_bytes(path, uid=SYSTEM))
    except BadApk as error:
        more = f": Failed to load asset path {path}" if phone.api >= 30 and error.code.endswith("NOT_APK") else ""
        raise Refused(f"{error.code}: Failed to parse {session.folder}/{name}{more}") from error
    if apk.signer is None:
        collected = "Failed collecting certificates for" if phone.api >= 28 else "Failed to collect certificates from"
        raise Refused(f"INSTALL_PARSE_FAILED_NO_CERTIFICATES: {collected} {path}: Attempt to get length of null array")
    if phone.api >= 30 and apk.target_sdk >= 30 and apk.signer.scheme < 2:
        raise Refused(
            "INSTALL_PARSE_FAILED_NO_CERTIFICATES: No signature found in package of version 2 or newer for package "
            f"{apk.package}"
        )
    return Staged(apk, path)


@functools.lru_cache(maxsize=16)
def _read_cached(data: bytes) -> Apk:
    return read_apk(data)


def _agree(phone: Phone, session: Session, parts: list[Staged]) -> None:
    """The APKs of a session must be one package, in one version, by one signer, with one base."""
    if not parts:
        raise Refused("INSTALL_FAILED_INVALID_APK: No packages staged")
    first = parts[0].apk
    if session.options.package not in {None, first.package}:
        raise Refused(
            f"INSTALL_FAILED_INVALID_APK: {parts[0].part} specified package {session.options.package} "
            f"inconsistent with {first.package}"
        )
    names = [part.part for part in parts]
    for name, part in zip(session.staged, parts, strict=True):
        if names.count(part.part) > 1:
            raise Refused(f"INSTALL_FAILED_INVALID_APK: Split {part.apk.split or 'null'} was defined multiple times")
        if part.apk.package != first.package:
            raise Refused(
                f"INSTALL_FAILED_INVALID_APK: {name} package {part.apk.package} inconsistent with {first.package}"
            )
        if part.apk.version_code != first.version_code:
            raise Refused(
                f"INSTALL_FAILED_INVALID_APK: {name} version code {part.apk.version_code} inconsistent with "
                f"{first.version_code}"
            )
        if part.apk.signer != first.signer:
            raise Refused(f"INSTALL_FAILED_INVALID_APK: {name} signatures are inconsistent")
    if "base" not in names and session.options.inherit is None:
        raise Refused("INSTALL_FAILED_INVALID_APK: Full install must include a base package")
    required = any(part.apk.split_required for part in parts if part.part == "base")
    if phone.api >= 28 and required and len(parts) == 1 and session.options.inherit is None:
        raise Refused(f"INSTALL_FAILED_MISSING_SPLIT: Missing split for {first.package}")


def _add_splits(phone: Phone, session: Session, parts: list[Staged], old: Package | None) -> Package:
    """``install-create -p``: the base stays, splits come to it."""
    apk = parts[0].apk
    if old is None or session.options.inherit != apk.package:
        raise Refused(f"INSTALL_FAILED_INVALID_APK: Missing existing base package for {session.options.inherit}")
    if old.version_code != apk.version_code:
        raise Refused(
            f"INSTALL_FAILED_INVALID_APK: Existing version code {old.version_code} inconsistent with {apk.version_code}"
        )
    if apk.signer is None or apk.signer.certificate != old.certificate:
        raise Refused("INSTALL_FAILED_INVALID_APK: Existing signatures are inconsistent")
    phone.packages.add_splits(old, {part.part: (part.apk, part.path) for part in parts})
    return old


def _fits(phone: Phone, options: Options, apk: Apk, old: Package | None) -> None:
    """This APK on this phone, beside what is there."""
    if apk.min_sdk > phone.api:
        raise Refused(
            f"INSTALL_FAILED_OLDER_SDK: Requires newer sdk version #{apk.min_sdk} (current version is #{phone.api})"
        )
    lowest = LOWEST_TARGET.get(phone.api, 24 if phone.api > 34 else 0)
    if apk.target_sdk < lowest and not options.low_target_ok:
        raise Refused(
            "INSTALL_FAILED_DEPRECATED_SDK_VERSION: App package must target at least SDK version "
            f"{lowest}, but found {apk.target_sdk}"
        )
    if apk.test_only and not options.test_ok:
        hint = "Failed to install test-only apk. Did you forget to add -t?" if phone.api >= 31 else "installPackageLI"
        raise Refused(f"INSTALL_FAILED_TEST_ONLY: {hint}")
    if old is not None:
        _replaces(phone, options, apk, old)


def _replaces(phone: Phone, options: Options, apk: Apk, old: Package) -> None:
    here = any(state.installed for state in old.users.values())
    if here and not options.replace:
        raise Refused(f"INSTALL_FAILED_ALREADY_EXISTS: Attempt to re-install {apk.package} without first uninstalling.")
    if apk.signer is None or apk.signer.certificate != old.certificate:
        raise Refused(_signed_otherwise(phone, apk))
    if apk.version_code < old.version_code and not (options.downgrade and old.debuggable):
        text = f": Downgrade detected: Update version code {apk.version_code} is older than current {old.version_code}"
        raise Refused(f"INSTALL_FAILED_VERSION_DOWNGRADE{text if phone.api >= 31 else ''}")
    if apk.target_sdk < 23 <= old.target_sdk:
        raise Refused(
            f"INSTALL_FAILED_PERMISSION_MODEL_DOWNGRADE: Package {apk.package} new target SDK {apk.target_sdk} doesn't "
            f"support runtime permissions but the old target SDK {old.target_sdk} does."
        )


def _signed_otherwise(phone: Phone, apk: Apk) -> str:
    if phone.api >= 30:
        text = f"Existing package {apk.package} signatures do not match newer version; ignoring!"
    else:
        text = f"Package {apk.package} signatures do not match the previously installed version; ignoring!"
    return f"INSTALL_FAILED_UPDATE_INCOMPATIBLE: {text}"


def _abi(phone: Phone, options: Options, libraries: frozenset[str]) -> str | None:
    """The ABI that the package will run as; None without native code."""
    if not libraries:
        return None
    offered = phone.properties.get("ro.product.cpu.abilist", "").split(",")
    if options.abi and options.abi != "-":
        offered = [options.abi]
    for abi in offered:
        if abi in libraries:
            return abi
    raise Refused("INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113")
