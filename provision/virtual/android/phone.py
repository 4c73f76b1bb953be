"""One virtual phone: everything that it remembers. The programs beside this file ask it and change it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from provision.virtual.android import permissions, presets
from provision.virtual.android.files import Files
from provision.virtual.android.packages import Packages
from provision.virtual.android.presets import Tree
from provision.virtual.android.process import Program
from provision.virtual.android.restrictions import Restrictions
from provision.virtual.android.sessions import Sessions


@dataclass
class Faults:
    """What the bench makes go wrong. ``install_refused`` is the text between the brackets of ``Failure [...]``;
    ``slow_install`` is in seconds per MB; ``storage_full`` makes every install run out of room."""

    install_refused: str | None = None
    slow_install: float = 0.0
    storage_full: bool = False


@dataclass
class User:
    id: int
    name: str
    running: bool = True


@dataclass
class Owner:
    """A device or profile owner, or an active admin. ``component`` is ``package/class`` in full."""

    component: str
    name: str = ""
    user: int = 0
    test_only: bool = False

    @property
    def package(self) -> str:
        return self.component.partition("/")[0]

    @property
    def short(self) -> str:
        """``package/.Class`` when the class lies in the package."""
        package, _, name = self.component.partition("/")
        return f"{package}/{name.removeprefix(package) if name.startswith(package + '.') else name}"


@dataclass
class Lock:
    """The screen lock. ``kind`` is none, pin, password or pattern; ``value`` is what unlocks it."""

    kind: str = "none"
    value: str | None = None
    disabled: bool = False
    tries: int = 0


@dataclass
class Wifi:
    enabled: bool = True
    networks: list[Tree] = field(default_factory=list)
    connected: int | None = None
    next_id: int = 0


@dataclass
class NetPolicy:
    restrict_background: bool = False
    allowed: set[int] = field(default_factory=set)
    denied: set[int] = field(default_factory=set)


class Phone:
    """A phone of a preset, with ``overrides`` merged over it (same keys as presets.yaml). Raises KeyError for no such.

    ``on_reboot`` is called with the mode ("", recovery, bootloader, shutdown) when the phone is told to restart,
    ``on_adb_off`` when USB debugging is switched off, ``on_wipe`` when the owner erases it; ``on_start`` with each
    activity (``package/class``) that is started, and whether it is made anew; ``on_stop`` and ``on_replaced`` with a
    package whose processes are killed, for good or to begin anew.
    """

    def __init__(self, preset: str, overrides: Mapping[str, Any], files: Files) -> None:
        tree = presets.resolve(preset, overrides)
        self.preset = preset
        self.overrides = overrides
        self.tree = tree
        self.files = files
        self.api: int = tree["api"]
        self.vendor: str = tree["vendor"]
        self.serial = presets.serial(tree)
        self.features = presets.features(self.api)
        self.properties = presets.properties(tree)
        self.switches: dict[str, bool] = dict(tree["switches"])
        self.faults = Faults()
        self.lock = threading.RLock()
        self.installing = threading.Lock()  # [inferred] one package at a time is verified, compiled and put in place
        self.sleep: Callable[[float], object] = time.sleep
        self.on_reboot: Callable[[str], object] = lambda _mode: None
        self.on_adb_off: Callable[[], object] = lambda: None
        self.on_wipe: Callable[[], object] = lambda: None
        self.on_start: Callable[[str, bool], object] = lambda _activity, _anew: None
        self.on_stop: Callable[[str], object] = lambda _package: None
        self.on_replaced: Callable[[str], object] = lambda _package: None
        self.screen_off = False
        self._of_people(tree)
        self._of_network(tree)
        self.settings = {
            name: presets.present(tree["settings"].get(name, {})) for name in ("global", "secure", "system")
        }
        # Made when the data is first used, so that a phone that was erased once more has another.
        self.android_id = f"{int(presets.made_up(18, self.serial, 'android_id', tree['erased'])):016x}"
        self.battery: Tree = dict(tree["battery"])
        if tree["frp_held"]:  # held at reset protection (§5.3)
            self.settings["secure" if self.api <= 33 else "global"]["secure_frp_mode"] = "1"
        self.time_shift = 0.0
        self.roles: dict[str, list[str]] = {}
        self.locales: dict[str, str] = {}
        self.night = "no"
        self.packages = Packages(tree, files, [user.id for user in self.users])
        self.sessions = Sessions(files)
        if tree["data_partition"].get("full"):
            self.files.charge(max(0, self.files.free - (24 << 20)))
        self._provide(tree)

    def _of_people(self, tree: Tree) -> None:
        self.users = [User(**user) for user in tree["users"]]
        self.next_user = max((user.id for user in self.users), default=0) + 10
        self.accounts: list[Tree] = [dict(account) for account in tree["accounts"]]
        self.owner = Owner(**tree["owner"]) if tree["owner"] else None
        self.profile_owners = [Owner(**owner) for owner in tree["profile_owners"]]
        self.admins: list[Owner] = [self.owner] if self.owner else []
        self.restrictions = Restrictions(self.api, tree["user_restrictions"], tree["policy_restrictions"])
        self.credential = Lock(**tree["lock"])

    def _of_network(self, tree: Tree) -> None:
        self.imei = presets.imeis(tree)
        self.sims = presets.sims(tree)
        self.mobile_data = tree["settings"]["global"].get("mobile_data") == "1"
        networks = [{"id": number} | dict(network) for number, network in enumerate(tree["wifi"]["networks"])]
        self.wifi = Wifi(bool(tree["wifi"]["enabled"]), networks, next_id=len(networks))
        policy = tree["netpolicy"]
        self.netpolicy = NetPolicy(policy["restrict_background"], set(policy["allowed"]), set(policy["denied"]))
        self.apns: list[Tree] = [{"_id": number + 1} | dict(apn) for number, apn in enumerate(tree["apns"])]
        self.preferred_apn: dict[int, int] = {}

    def _provide(self, tree: Tree) -> None:
        """Files that other programs read: the battery nodes, where this phone shows them (§5.1)."""
        if not tree["battery"]["sysfs"]:
            return
        rows = {
            "charge_full": "full",
            "charge_full_design": "full_design",
            "cycle_count": "cycles",
            "capacity": "level",
        }
        for node, key in rows.items():
            self.files.provide(f"/sys/class/power_supply/battery/{node}", f"{self.battery[key]}\n".encode())

    @property
    def programs(self) -> dict[str, Program]:
        """Name of a command that this Android has, to the program that plays it."""
        from provision.virtual.android.programs import programs  # the programs know the phone, so it cannot know them

        return programs(self.api)

    def holds(self, permission: str) -> bool:
        """Whether shell holds ``android.permission.<permission>`` now (§1)."""
        return permissions.shell_holds(permission, self.api, self.switches)

    @property
    def user_restrictions(self) -> frozenset[str]:
        """The user restrictions that are in force."""
        return self.restrictions.effective

    def user(self, number: int) -> User | None:
        return next((user for user in self.users if user.id == number), None)

    def now(self) -> datetime:
        """The phone's clock, UTC."""
        return datetime.fromtimestamp(time.time() + self.time_shift, UTC)

    def sim(self, slot: int | None = None, sub_id: int | None = None) -> Tree | None:
        """The SIM in a slot or with a subscription id; without either the first one that is there."""
        for row in self.sims:
            wanted = (
                row["slot"] == slot if slot is not None else row["sub_id"] == sub_id if sub_id is not None else True
            )
            if wanted and row["state"] != "ABSENT":
                return row
        return None

    def state(self) -> Tree:
        """Everything that a test may want to know, as JSON-able values."""
        with self.lock:
            return {
                "preset": self.preset,
                "serial": self.serial,
                "api": self.api,
                "properties": dict(self.properties),
                "settings": {name: dict(values) for name, values in self.settings.items()},
                "packages": {package.name: package.to_dict() for package in self.packages.all()},
                "installs": dict(self.packages.installs),
                "sessions": self.sessions.to_list(),
                "users": [vars(user).copy() for user in self.users],
                "accounts": [dict(account) for account in self.accounts],
                "owner": vars(self.owner).copy() if self.owner else None,
                "admins": [admin.component for admin in self.admins],
                "user_restrictions": sorted(self.user_restrictions),
                "policy_restrictions": sorted(self.restrictions.policy),
                "lock": vars(self.credential).copy(),
                "screen_off": self.screen_off,
                "netpolicy": {
                    "restrict_background": self.netpolicy.restrict_background,
                    "allowed": sorted(self.netpolicy.allowed),
                    "denied": sorted(self.netpolicy.denied),
                },
                "wifi": {
                    "enabled": self.wifi.enabled,
                    "connected": self.wifi.connected,
                    "networks": [dict(network) for network in self.wifi.networks],
                },
                "sims": [dict(sim) for sim in self.sims],
                "imei": list(self.imei),
                "apns": [dict(apn) for apn in self.apns],
                "preferred_apn": {str(sub): apn for sub, apn in self.preferred_apn.items()},
                "mobile_data": self.mobile_data,
                "battery": dict(self.battery),
                "roles": {role: list(holders) for role, holders in self.roles.items()},
                "switches": dict(self.switches),
                "time_zone": self.properties.get("persist.sys.timezone", ""),
            }
