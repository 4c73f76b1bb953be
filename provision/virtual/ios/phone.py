"""What a virtual iPhone or iPad is and holds, whatever speaks to it. Nothing here knows a socket.

``lock`` guards everything. What the phone has of its own accord comes from the preset; :meth:`Phone.erase` goes back to
it. Behaviours: facts, iOS §1 and §4.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.virtual.ios import presets, stranger
from provision.virtual.ios.presets import Tree


@dataclass(frozen=True)
class App:
    """An installed app. ``kind`` is User or System, ``size`` the bytes that it takes, ``attributes`` what
    installation_proxy lists beside these: the app's Info.plist and what the phone found out about its signature."""

    bundle: str
    name: str
    version: str = "1"
    short_version: str = "1.0"
    shares_files: bool = False
    kind: str = "User"
    size: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """An installed configuration profile; ``content`` is the whole of it, parsed, ``signer`` who signed it (DER)."""

    identifier: str
    uuid: str
    name: str
    content: Mapping[str, Any]
    silent: bool = False
    signer: bytes | None = None


@dataclass(frozen=True)
class Host:
    """A computer that the phone trusts: its ids and the certificates that it made (PEM)."""

    host_id: str
    system_buid: str
    device_certificate: bytes
    host_certificate: bytes
    root_certificate: bytes
    supervisor: bool = False


class Phone:
    """The phone. ``home`` is a directory of its own: ``media/`` is what AFC shows, ``apps/<bundle>/`` the containers.

    ``detach`` and ``attach`` are given by whoever puts it on a cable.
    """

    def __init__(self, preset: str, overrides: Mapping[str, Any], home: Path) -> None:
        self.lock = threading.RLock()
        self.installing = threading.Lock()
        """One app at a time is checked and put in place."""
        self.preset = preset
        self.home = home
        self.tree: Tree = presets.resolve(preset, overrides)
        self.udid = presets.udid(self.tree)
        self.serial = presets.serial(self.tree)
        self.reboot_seconds = float(self.tree["reboot_seconds"])
        self.capacity = int(self.tree["capacity"])
        self.detach: Callable[[], None] = _on_no_cable
        self.attach: Callable[[], None] = _on_no_cable
        self.on_erase: Callable[[], None] = _on_no_cable
        self.on_waiting: Callable[[], None] = lambda: None
        self.full = False
        """A fault: there is no room for a single byte."""
        self.install_refused = ""
        """A fault: the Error with which installation_proxy refuses every app."""
        self.clock: Callable[[], float] = time.time
        """What time the phone takes it for, in seconds since 1970."""
        self.erased = 0
        self.esim_kept = True
        self.activation_lock = bool(self.tree["activation_lock"] or self.tree["find_my"])
        """What Apple's server knows: it will not be activated without its owner. Survives an erase."""
        self._observers: dict[int, Callable[[str], None]] = {}
        self._factory()
        self._as_it_came()

    def _factory(self) -> None:
        """As it leaves the factory, or an erase."""
        self.locked = self.has_passcode = self.find_my = self._set_up = False
        self.activation = "Unactivated"
        self.restrictions: dict[str, Any] = {}
        """The keys of ``com.apple.applicationaccess`` in force."""
        self.profiles: dict[str, Profile] = {}
        self.activation_session = b""
        """The random word of the last handshake with the activation server."""
        self.cloud: dict[str, Any] | None = None
        self.supervisors: list[bytes] = []
        """Certificates (DER) of those who supervise it, by whom it may be paired and configured without asking."""
        self.hosts: dict[str, Host] = {}
        self.tap_install: Callable[[], None] = nothing_waits
        """The person opens Settings and installs the profile that waits there."""
        self.filled = 0
        self.values: dict[str, dict[str, Any]] = self._factory_values()
        self.apps: dict[str, App] = {
            bundle: App(
                bundle, about["name"], about.get("version", "1"), about.get("short_version", "1.0"), kind="System"
            )
            for bundle, about in self.tree["apps"].items()
            if about is not None
        }
        shutil.rmtree(self.home, ignore_errors=True)
        for name in ("media/DCIM", "media/Downloads", "media/PublicStaging", "media/iTunes_Control/iTunes", "apps"):
            (self.home / name).mkdir(parents=True)

    def _as_it_came(self) -> None:
        """As its last owner gave it away."""
        tree = self.tree
        self.locked, self.has_passcode = bool(tree["locked"]), bool(tree["has_passcode"] or tree["locked"])
        self.find_my, self._set_up = bool(tree["find_my"]), bool(tree["set_up"])
        self.activation = "Activated" if tree["activated"] else "Unactivated"
        self.cloud = dict(tree["cloud"]) if tree["cloud"] else None
        if self.cloud and tree["supervised_by"]:
            self.supervisors = [stranger.certificate(tree["supervised_by"])]
            self.cloud["SupervisorHostCertificates"] = list(self.supervisors)
        self.filled = int(tree["filled"])
        for domain, values in tree["owned"].items():
            self.values.setdefault(domain, {}).update(values)

    def _factory_values(self) -> dict[str, dict[str, Any]]:
        tree = self.tree
        made: Tree = {
            "UniqueDeviceID": self.udid,
            "SerialNumber": self.serial,
            "UniqueChipID": presets.ecid(tree),
            "WiFiAddress": presets.address(tree, 0),
            "BluetoothAddress": presets.address(tree, 1),
            "EthernetAddress": presets.address(tree, 2),
        }
        names = ("InternationalMobileEquipmentIdentity", "InternationalMobileEquipmentIdentity2")
        imeis = presets.imeis(tree)
        made |= dict(zip(names, imeis, strict=False))
        if imeis:
            made["MobileEquipmentIdentifier"] = imeis[0][:14]
        if self.esim_kept or not (tree["sim"] or {}).get("esim"):
            made |= presets.sim_values(tree)
        else:
            made |= presets.sim_values(tree | {"sim": None})
        found = {domain: dict(values) for domain, values in tree["values"].items() if values is not None}
        found[""] = {key: value for key, value in (made | found[""]).items() if value is not None}
        return found

    # What it says of itself -----------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The version of iOS, such as 17.7.2."""
        return str(self.values[""]["ProductVersion"])

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def supervised(self) -> bool:
        return bool(self.cloud and self.cloud.get("IsSupervised"))

    @property
    def set_up(self) -> bool:
        """Whether the Setup Assistant was gone through. It ends by itself some seconds after it was told from outside
        to be skipped: by a cloud configuration and the mark that computers leave for it (facts, iOS §1; inferred)."""
        if not self._set_up and self.cloud and self.activation == "Activated" and self.tree["setup_ends"] is not None:
            with contextlib.suppress(OSError):
                marked = (self.home / "media/iTunes_Control/iTunes/SkipSetup").stat().st_ctime
                self._set_up = time.time() >= marked + float(self.tree["setup_ends"])
        return self._set_up

    def read(self, domain: str) -> dict[str, Any] | None:
        """The values of a domain as they are now, the changing ones too; ``None``: no such domain."""
        with self.lock:
            if domain not in self.values:
                return None
            return self.values[domain] | self._live(domain)

    def _live(self, domain: str) -> dict[str, Any]:
        if domain == "":
            return {
                "ActivationState": self.activation,
                "PasswordProtected": self.locked,
                "TimeIntervalSince1970": self.clock(),
                "BrickState": self.activation == "Unactivated",
            }
        if domain == "com.apple.disk_usage":
            free, data = self.free(), self.capacity - int(self.tree["system"])
            return {
                "TotalDiskCapacity": self.capacity,
                "TotalSystemCapacity": int(self.tree["system"]),
                "TotalSystemAvailable": 0,
                "TotalDataCapacity": data,
                "TotalDataAvailable": free,
                "AmountDataAvailable": free,
                "AmountDataReserved": 0,
            }
        if domain == "com.apple.mobile.battery":
            battery = self.tree["battery"]
            return {
                "BatteryCurrentCapacity": battery["level"],
                "BatteryIsCharging": battery["charging"] and battery["level"] < 100,
                "FullyCharged": battery["level"] >= 100,
                "ExternalConnected": True,
                "ExternalChargeCapable": True,
                "HasBattery": True,
            }
        lone = {
            "com.apple.fmip": {"IsAssociated": self.find_my},
            "com.apple.mobile.chaperone": {"DeviceIsChaperoned": self.supervised},
            "com.apple.PurpleBuddy": {"SetupDone": self.set_up},
        }
        return lone.get(domain, {})

    # Room -----------------------------------------------------------------------------------------------------

    def free(self) -> int:
        """Bytes that are left on its data partition."""
        with self.lock:
            if self.full:
                return 0
            apps = sum(app.size for app in self.apps.values())
            used = int(self.tree["system"]) + self.filled + apps + sum(size for _, size in self.files())
            return max(0, self.capacity - used)

    def need(self, size: int) -> None:
        """OSError (ENOSPC) unless there is room for so many bytes more."""
        if size > self.free():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def files(self) -> Iterator[tuple[Path, int]]:
        """Every file below ``home`` and its size in bytes."""
        for folder, _, names in os.walk(self.home):
            for name in names:
                path = Path(folder, name)
                try:
                    yield path, path.lstat().st_size
                except OSError:
                    continue  # it was removed meanwhile

    # What happens to it ---------------------------------------------------------------------------------------

    def post(self, name: str) -> None:
        """Tell all who listen to the phone's notifications."""
        with self.lock:
            listening = list(self._observers.values())
        for tell in listening:
            tell(name)

    def observe(self, tell: Callable[[str], None]) -> Callable[[], None]:
        """Call ``tell`` with every notification from now on, from any thread; the result ends it."""
        with self.lock:
            number = max(self._observers, default=0) + 1
            self._observers[number] = tell

        def end() -> None:
            with self.lock:
                self._observers.pop(number, None)

        return end

    def erase(self, preserve_data_plan: bool) -> None:
        """Forget everything, go away, and come back in the Setup Assistant, not activated. Connections are cut."""
        with self.lock:
            self.esim_kept = self.esim_kept and preserve_data_plan
            self.erased += 1
            self._factory()
            self.on_erase()
        self.restart()

    def restart(self) -> None:
        """Leave the cable and come back after ``reboot_seconds``."""
        self.detach()
        timer = threading.Timer(self.reboot_seconds, self.attach)
        timer.daemon = True
        timer.start()

    def set_locked(self, locked: bool) -> None:
        """It locks itself, or a person enters the passcode."""
        with self.lock:
            self.locked = locked
            self.has_passcode = self.has_passcode or locked

    def finish_setup(self) -> None:
        """A person goes through the rest of the Setup Assistant."""
        with self.lock:
            self._set_up = True

    def forward(self, seconds: float) -> None:
        """Time passes for the phone."""
        with self.lock:
            before = self.clock
            self.clock = lambda: before() + seconds

    def sign_in(self) -> None:
        """Its user turns Find My on."""
        with self.lock:
            self.find_my = self.activation_lock = True

    def sign_out(self) -> None:
        """Its owner turns Find My off, and Apple's server lets go of it."""
        with self.lock:
            self.find_my = self.activation_lock = False


def _on_no_cable() -> None:
    raise RuntimeError("the phone is on no cable")


def nothing_waits() -> None:
    raise ValueError("no profile waits in Settings")
