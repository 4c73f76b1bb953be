"""The packages on the phone: what is installed, for whom and in which state (§2.1, §5.5)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import Any

from provision.virtual.android.files import Files
from provision.virtual.android.manifest import Apk
from provision.virtual.android.permissions import Kind, kind
from provision.virtual.android.presets import Tree
from provision.virtual.android.signer import java_hash

SYSTEM = 1000
FIRST_APP_UID = 10100
DEFAULT, ENABLED, DISABLED, DISABLED_USER = 0, 1, 2, 3
ENABLED_NAMES = {DEFAULT: "default", ENABLED: "enabled", DISABLED: "disabled", DISABLED_USER: "disabled-user"}


@dataclass
class UserState:
    """What one user has of a package."""

    installed: bool = True
    enabled: int = DEFAULT
    suspended: bool = False
    hidden: bool = False
    stopped: bool = True
    data: bool = True
    granted: set[str] = field(default_factory=set)


@dataclass
class Part:
    """One APK of a package: the base under "base" or a split, with its path and size in bytes."""

    path: str
    size: int


@dataclass
class Package:
    """One package. ``certificate`` is DER for what was installed; for system packages any bytes that differ."""

    name: str
    version_code: int
    version_name: str
    min_sdk: int
    target_sdk: int
    certificate: bytes
    scheme: int
    uid: int
    system: bool
    parts: dict[str, Part]
    users: dict[int, UserState]
    permissions: tuple[str, ...] = ()
    receivers: dict[str, str] = field(default_factory=dict)
    activities: frozenset[str] | None = None
    """None where nobody has described them: then any is there."""
    test_only: bool = False
    debuggable: bool = False
    abi: str | None = None
    installer: str | None = None
    flags: frozenset[str] = frozenset()
    first_install: str = "2009-01-01 08:00:00"
    last_update: str = "2009-01-01 08:00:00"
    appops: dict[str, str] = field(default_factory=dict)
    uninstall_blocked: bool = False

    @property
    def code_path(self) -> str:
        return self.parts["base"].path.rpartition("/")[0]

    @property
    def signer_hash(self) -> str:
        return java_hash(self.certificate)

    def state(self, user: int) -> UserState:
        """The user's state; a user who never had the package has it as not installed."""
        return self.users.setdefault(user, UserState(installed=False, data=False))

    def to_dict(self) -> Tree:
        """For :meth:`Phone.state`."""
        return {
            "version_code": self.version_code,
            "version_name": self.version_name,
            "system": self.system,
            "uid": self.uid,
            "splits": {name: {"path": part.path, "size": part.size} for name, part in self.parts.items()},
            "signer": self.signer_hash,
            "signer_sha256": hashlib.sha256(self.certificate).hexdigest(),
            "installer": self.installer,
            "appops": dict(self.appops),
            "users": {
                str(user): {
                    "installed": state.installed,
                    "enabled": ENABLED_NAMES[state.enabled],
                    "suspended": state.suspended,
                    "hidden": state.hidden,
                    "data": state.data,
                    "granted": sorted(state.granted),
                }
                for user, state in self.users.items()
            },
        }


class Packages:
    """Every package of the phone. ``installs`` counts, per package, how often it was ever installed or updated."""

    def __init__(self, tree: Tree, files: Files, users: list[int]) -> None:
        self.api: int = tree["api"]
        self.installs: dict[str, int] = {}
        self._files = files
        self._next_uid = FIRST_APP_UID
        self._vendor: str = tree["vendor"]
        self._all: dict[str, Package] = {}
        for number, (name, given) in enumerate((tree["preinstalled"] | tree["packages"]).items()):
            if given is not None:
                self._preinstall(name, given, 10000 + number, users)

    def _preinstall(self, name: str, given: dict[str, Any], uid: int, users: list[int]) -> None:
        system = bool(given.get("system", True))
        kept = dict(given.get("state", {}))
        granted = kept.pop("granted", ())
        states = {user: UserState(stopped=False, granted=set(granted), **kept) for user in users}
        author = "google" if "google" in name or name == "com.android.vending" else self._vendor
        certificate = f"{author} {'platform' if system else name}".encode()
        path = given.get("path", f"/system/app/{name}/{name}.apk")
        size = int(given.get("size", 4096))
        self._all[name] = Package(
            name=name,
            version_code=int(given.get("code", self.api)) or self.api,
            version_name=str(given.get("version", "")) or str(self.api),
            min_sdk=min(self.api, int(given.get("min_sdk", 21))),
            target_sdk=int(given.get("target_sdk", self.api)),
            certificate=bytes.fromhex(given["certificate"]) if "certificate" in given else certificate,
            scheme=3 if self.api >= 28 else 1,
            uid=int(given.get("uid", uid)) if system else self._take_uid(),
            system=system,
            parts={"base": Part(path, size)},
            users=states,
            permissions=tuple(given.get("permissions", ())),
            receivers=dict(given.get("receivers", {})),
            installer=given.get("installer"),
            flags=frozenset(flag for flag in ("home", "protected", "unsuspendable") if given.get(flag)),
        )
        if not system:
            self._files.provide(path, certificate.ljust(size, b"\0"))

    def _take_uid(self) -> int:
        self._next_uid += 1
        return self._next_uid - 1

    # Asking ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Package | None:
        return self._all.get(name)

    def all(self) -> list[Package]:
        return list(self._all.values())

    def installed(self, name: str, user: int) -> Package | None:
        """The package, if this user has it."""
        package = self._all.get(name)
        return package if package and package.state(user).installed else None

    def by_uid(self, uid: int) -> list[Package]:
        return [package for package in self._all.values() if package.uid == uid % 100000]

    # Changing -------------------------------------------------------------------------------------------------

    def put(self, apks: dict[str, tuple[Apk, str]], users: list[int], *, grant: bool, options: Tree) -> Package:
        """Makes ``{part name: (APK, where its bytes are staged)}`` the package, new or in place of the one there.

        ``options`` may hold ``installer``, ``abi`` and ``now`` (local time as dumpsys shows it).
        """
        base = apks["base"][0]
        old = self._all.get(base.package)
        assert base.signer is not None
        folder = self._folder(base.package, old)
        parts = self._move(apks, folder)
        package = Package(
            name=base.package,
            version_code=base.version_code,
            version_name=base.version_name,
            min_sdk=base.min_sdk,
            target_sdk=base.target_sdk,
            certificate=base.signer.certificate,
            scheme=base.signer.scheme,
            uid=old.uid if old else self._take_uid(),
            system=old.system if old else False,
            parts=parts,
            users=old.users if old else {},
            permissions=base.permissions,
            receivers=base.receivers,
            activities=base.activities,
            test_only=base.test_only,
            debuggable=base.debuggable,
            abi=options.get("abi"),
            installer=options.get("installer"),
            flags=old.flags if old else frozenset(),
            first_install=old.first_install if old else options["now"],
            last_update=options["now"],
            appops=old.appops if old else {},
            uninstall_blocked=old is not None and old.uninstall_blocked,
        )
        for user in users:
            self._give(package, user, grant=grant)
        self._all[package.name] = package
        if old:
            self._remove_files(old, keep={part.path for part in parts.values()})
        self.installs[package.name] = self.installs.get(package.name, 0) + 1
        return package

    def add_splits(self, package: Package, apks: dict[str, tuple[Apk, str]]) -> None:
        """Puts more splits beside the parts that are there."""
        package.parts |= self._move(apks, package.code_path)
        self.installs[package.name] = self.installs.get(package.name, 0) + 1

    def remove_splits(self, package: Package, splits: list[str]) -> None:
        """Takes these splits away."""
        gone = [package.parts.pop(split) for split in splits]
        for part in gone:
            self._files.unlink(part.path, uid=SYSTEM)

    def _give(self, package: Package, user: int, *, grant: bool) -> None:
        state = package.state(user)
        state.installed = state.data = True
        runtime = {name for name in package.permissions if kind(name, self.api) is Kind.DANGEROUS}
        if grant or package.target_sdk < 23:
            state.granted |= runtime
        state.granted &= set(package.permissions)

    def _folder(self, name: str, old: Package | None) -> str:
        """The new code path (§5.5). From 8 on the suffix is random [inferred], from 11 on the folder above it too."""
        if self.api < 26:
            return f"/data/app/{name}-{2 if old and old.code_path.endswith('-1') else 1}"
        count = self.installs.get(name, 0)
        inner = f"{name}-{_random(self._vendor, name, count)}"
        return f"/data/app/{inner}" if self.api < 30 else f"/data/app/~~{_random(name, count)}/{inner}"

    def _move(self, apks: dict[str, tuple[Apk, str]], folder: str) -> dict[str, Part]:
        parts = {}
        self._files.mkdir(folder, parents=True, uid=SYSTEM)
        for name, (apk, staged) in sorted(apks.items(), key=lambda item: (item[0] != "base", item[0])):
            path = f"{folder}/{'base' if name == 'base' else 'split_' + name}.apk"
            self._files.rename(staged, path, uid=SYSTEM)
            parts[name] = Part(path, apk.size)
        return parts

    def _remove_files(self, package: Package, keep: set[str]) -> None:
        """Takes the APKs from /data; those of the system image cannot be taken away."""
        for part in package.parts.values():
            if part.path.startswith("/data/") and part.path not in keep:
                with contextlib.suppress(OSError):
                    self._files.unlink(part.path, uid=SYSTEM)
                    self._files.rmdir(part.path.rpartition("/")[0], uid=SYSTEM)

    def remove(self, package: Package, users: list[int], *, keep_data: bool) -> None:
        """Takes the package from these users. It is gone when nobody has it; a system package stays on the phone."""
        for user in users:
            package.users[user] = UserState(installed=False, data=keep_data)
        if not package.system and not any(state.installed or state.data for state in package.users.values()):
            self._remove_files(package, keep=set())
            del self._all[package.name]


def _random(*of: object) -> str:
    """22 characters and two equals signs, as Android makes of 16 random bytes; here the same for the same phone."""
    return base64.urlsafe_b64encode(hashlib.sha256("/".join(map(str, of)).encode()).digest()[:16]).decode()
