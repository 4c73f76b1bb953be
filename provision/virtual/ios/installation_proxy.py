"""The service that lists, installs and removes apps (facts, iOS §1, §4): a command, then many answers to it.

The steps of an installation and their percentages are those of a real capture. Up to iOS 12 there is a message among
them that has only the app's identifier and no Status, at which libimobiledevice 1.3.0 gives up and ideviceinstaller
waits for ever (libimobiledevice, pull request 846). That later ones lack it is [inferred], and that an installation
goes on when the computer has gone.
"""

from __future__ import annotations

import shutil
import time
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provision.virtual.ios import ipa
from provision.virtual.ios.afc_files import AfcError, Files
from provision.virtual.ios.ipa import Package, Refused
from provision.virtual.ios.phone import App, Phone
from provision.virtual.ios.provisioning import Provisioning
from provision.virtual.ios.stream import Closed, Stream

_CHUNK = 10
"""Apps in one answer to Browse."""
_LAST_STATUSLESS = 12
_STAGING = "/var/installd/Library/Caches/com.apple.mobile.installd.staging"
_CONTAINER = ("Documents", "Library/Caches", "Library/Preferences", "SystemData", "tmp")


def serve(stream: Stream, phone: Phone) -> None:
    """The service com.apple.mobile.installation_proxy; one command after the other."""
    commands: Mapping[str, Callable[[dict[str, Any]], None]] = {
        "Browse": lambda asked: _browse(stream, phone, asked),
        "Lookup": lambda asked: stream.send_plist({"Status": "Complete", "LookupResult": _lookup(phone, asked)}),
        "Install": lambda asked: _Installation(stream, phone, asked).run(),
        "Upgrade": lambda asked: _Installation(stream, phone, asked).run(),
        "Uninstall": lambda asked: _uninstall(stream, phone, asked),
    }
    while True:
        asked = stream.recv_plist()
        command = asked.get("Command") if isinstance(asked, dict) else None
        if not isinstance(command, str):
            stream.send_plist({"Error": "MissingCommand"})
        elif command not in commands:
            stream.send_plist({"Error": "UnknownCommand"})
        else:
            commands[command](asked)


def _options(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    options = asked.get("ClientOptions")
    return options if isinstance(options, dict) else {}


# Listing ----------------------------------------------------------------------------------------------------------


def _browse(stream: Stream, phone: Phone, asked: Mapping[str, Any]) -> None:
    found = list(_listed(phone, _options(asked)).values())
    for at in range(0, len(found), _CHUNK):
        some = found[at : at + _CHUNK]
        told = {"Status": "BrowsingApplications", "CurrentIndex": at, "CurrentAmount": len(some), "CurrentList": some}
        stream.send_plist(told)
    stream.send_plist({"Status": "Complete"})


def _lookup(phone: Phone, asked: Mapping[str, Any]) -> dict[str, Any]:
    options = _options(asked)
    found = _listed(phone, options)
    wanted = options.get("BundleIDs")
    return {bundle: found[bundle] for bundle in wanted if bundle in found} if isinstance(wanted, list) else found


def _listed(phone: Phone, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kind = options.get("ApplicationType", "Any")
    wanted = options.get("ReturnAttributes")
    with phone.lock:
        apps = [app for app in phone.apps.values() if kind in ("Any", app.kind)]
    if not isinstance(wanted, list):
        return {app.bundle: _attributes(app) for app in apps}
    return {
        app.bundle: {key: value for key, value in (_attributes(app) | _sizes(phone, app)).items() if key in wanted}
        for app in apps
    }


def _sizes(phone: Phone, app: App) -> dict[str, int]:
    """They have to be counted, so they come only when asked for."""
    files = _container(phone, app.bundle).rglob("*")
    used = sum(path.lstat().st_size for path in files if path.is_file())
    return {"StaticDiskUsage": app.size, "DynamicDiskUsage": used}


def _attributes(app: App) -> dict[str, Any]:
    return dict(app.attributes) | {
        "ApplicationType": app.kind,
        "CFBundleDisplayName": app.name,
        "CFBundleIdentifier": app.bundle,
        "CFBundleName": app.attributes.get("CFBundleName", app.name),
        "CFBundleShortVersionString": app.short_version,
        "CFBundleVersion": app.version,
        "UIFileSharingEnabled": app.shares_files,
    }


# Installing -------------------------------------------------------------------------------------------------------


class _Installation:
    """One app on its way in."""

    def __init__(self, stream: Stream, phone: Phone, asked: Mapping[str, Any]) -> None:
        self._stream = stream
        self._phone = phone
        self._asked = asked
        self._options = _options(asked)
        self._gone: Closed | None = None
        self._seconds = 0.0

    def run(self) -> None:
        """Raises Closed when the computer has gone, after the phone is done."""
        try:
            bundle = self._install()
        except Refused as refused:
            self._tell(refused.to_plist())
        except (OSError, zipfile.BadZipFile, zlib.error) as error:  # somebody took the package away meanwhile
            self._tell({"Error": "APIInternalError", "ErrorDescription": str(error)})
        else:
            self._phone.post("com.apple.mobile.application_installed")
            if self._phone.major <= _LAST_STATUSLESS:
                self._tell({"CFBundleIdentifier": bundle})
            self._tell({"Status": "Complete"})
        if self._gone is not None:
            raise self._gone

    def _install(self) -> str:
        self._may()
        staged = self._staged()
        self._step("CreatingStagingDirectory", 5)
        staging = f"{_STAGING}/temp.{uuid.uuid4().hex[:6]}/extracted"
        size = staged.stat().st_size
        self._seconds = float(self._phone.tree["install_seconds_per_mb"]) * size / 1e6
        self._step("ExtractingPackage", 15, share=0.3)
        ipa.extract(staged, self._phone.free())
        self._step("InspectingPackage", 20)
        package = ipa.inspect(staged, staging)
        self._step("TakingInstallLock", 20)
        with self._phone.installing:
            bundle = self._put(package)
        with suppress(OSError):
            staged.unlink()
        return bundle

    def _put(self, package: Package) -> str:
        self._step("PreflightingApplication", 30)
        families = self._phone.values[""]["SupportedDeviceFamilies"]
        ipa.preflight(package, self._phone.version, families)
        if package.profile is not None:
            self._step("InstallingEmbeddedProfile", 30)
        self._step("VerifyingApplication", 40, share=0.3)
        profile = ipa.verify(package, self._phone.udid, datetime.now(UTC), self._options)
        before = self._phone.apps.get(package.bundle)
        ipa.replaces(package, before.attributes.get("ApplicationIdentifier") if before else None)
        self._step("CreatingContainer", 50)
        self._step("InstallingApplication", 60, share=0.4)
        self._step("PostflightingApplication", 70)
        self._step("SandboxingApplication", 80)
        self._step("GeneratingApplicationMap", 90)
        with self._phone.lock:
            for name in _CONTAINER:
                (_container(self._phone, package.bundle) / name).mkdir(parents=True, exist_ok=True)
            self._phone.apps[package.bundle] = _app(package, profile)
        return package.bundle

    def _may(self) -> None:
        """Raises Refused where no app may be installed, whichever it is."""
        word, _, text = self._phone.install_refused.partition(": ")
        if word:
            raise Refused(word, text or "It was refused.")
        if self._phone.restrictions.get("allowAppInstallation") is False:
            raise Refused("InstallProhibited", "Installing apps is prohibited on this device.")

    def _staged(self) -> Path:
        """The IPA that the command names, below the directory that AFC shows."""
        path = self._asked.get("PackagePath")
        if not isinstance(path, str) or not path:
            raise Refused("MissingPackagePath", "The request named no package.")
        media = self._phone.home / "media"
        shown = path.removeprefix("/private").removeprefix("/var/mobile/Media")
        try:
            found = Path(Files(self._phone, media).resolve(shown))
        except AfcError:
            found = media / "nowhere"
        if not found.is_file():
            raise Refused("APIInternalError", f"Can't stat {path}: No such file or directory")
        return found

    def _step(self, name: str, percent: int, share: float = 0.0) -> None:
        """Tell that a step begins, and take its share of the time."""
        self._tell({"PercentComplete": percent, "Status": name})
        if self._seconds and share:
            time.sleep(self._seconds * share)

    def _tell(self, what: Mapping[str, Any]) -> None:
        if self._gone is None:
            try:
                self._stream.send_plist(dict(what))
            except Closed as gone:
                self._gone = gone


def _app(package: Package, profile: Provisioning | None) -> App:
    info = package.info
    rights = dict(package.code.entitlements or {}) if package.code else {}
    found = {
        "ApplicationIdentifier": rights.get("application-identifier", ""),
        "Entitlements": rights,
        "SignerIdentity": "Apple iPhone OS Application Signing" if profile is None else profile.signer,
        "ProfileValidated": profile is not None,
        "UPPValidated": profile is not None and profile.enterprise,
        "Path": f"/private/var/containers/Bundle/Application/{_made_uuid(package.bundle)}/{package.name}",
        "Container": f"/private/var/mobile/Containers/Data/Application/{_made_uuid(package.bundle, 'data')}",
    }
    return App(
        bundle=package.bundle,
        name=str(info.get("CFBundleDisplayName") or info.get("CFBundleName") or package.bundle),
        version=str(info["CFBundleVersion"]),
        short_version=str(info.get("CFBundleShortVersionString", "")),
        shares_files=info.get("UIFileSharingEnabled") is True,
        size=package.size,
        attributes=_listable(info) | found,
    )


def _listable(info: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in info.items() if not key.startswith(("DT", "NS"))}


def _made_uuid(*of: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(of))).upper()


def _container(phone: Phone, bundle: str) -> Path:
    return phone.home / "apps" / bundle


# Removing ---------------------------------------------------------------------------------------------------------


def _uninstall(stream: Stream, phone: Phone, asked: Mapping[str, Any]) -> None:
    """What is not installed is removed with success [inferred]."""
    bundle = asked.get("ApplicationIdentifier")
    if not isinstance(bundle, str) or not bundle:
        stream.send_plist({"Error": "MissingApplicationIdentifier"})
        return
    with phone.lock:
        app = phone.apps.get(bundle)
        if app is not None and (app.kind == "System" or phone.restrictions.get("allowAppRemoval") is False):
            stream.send_plist({"Error": "UninstallProhibited", "ErrorDescription": f"{bundle} may not be removed."})
            return
    stream.send_plist({"PercentComplete": 50, "Status": "RemovingApplication"})
    with phone.installing, phone.lock:
        if phone.apps.pop(bundle, None) is not None:
            shutil.rmtree(_container(phone, bundle), ignore_errors=True)
    stream.send_plist({"PercentComplete": 90, "Status": "GeneratingApplicationMap"})
    if app is not None:
        phone.post("com.apple.mobile.application_uninstalled")
    stream.send_plist({"Status": "Complete"})
