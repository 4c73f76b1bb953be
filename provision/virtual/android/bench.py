"""The Android devices of a bench, behind an adb server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from provision.virtual.android import faults, life, presets
from provision.virtual.android.device import Device, Emit
from provision.virtual.android.files import Files
from provision.virtual.android.phone import Phone
from provision.virtual.android.server import AdbServer
from provision.virtual.android.spec import DeviceSpec
from provision.virtual.faults import Fault
from provision.virtual.pace import Pace

_AT_ONCE = 8


class Androids:
    """They are kept in the directory ``home``; ``buses`` are those that the specs name."""

    def __init__(
        self, specs: Sequence[DeviceSpec], adb_port: int, home: Path, buses: Mapping[str, Pace], emit: Emit
    ) -> None:
        self._adb_port = adb_port
        server = AdbServer(adb_port)
        self.devices = [_make(spec, server, home / str(spec.common.number), buses, emit) for spec in specs]

    def plug_all(self) -> None:
        """Attach all phones that are not spoken for by a fault. OSError when there is no adb server.

        One after another: the server of adb 29 dies now and then of several connections at once.
        """
        for device in self.devices:
            device.plug()

    def ready(self) -> Mapping[str, Any]:
        """Where they are found."""
        return {"adb_port": self._adb_port}

    def fault(self, tree: Mapping[str, Any]) -> Fault:
        return faults.parse(tree)

    def orders(self, device: Device) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
        """What they can be ordered beside what every virtual device can."""
        return {
            "add_account": lambda order: life.add_account(device, order),
            "agent": lambda order: device.agent.kick(_one_of(order["now"], "update", "report")),
            "clock": lambda order: life.set_clock(device, float(order["seconds"])),
            "clone": lambda order: life.clone(device, self._other(order["to"])),
            "internet": lambda order: life.internet(device, order),
            "reboot": lambda _: device.reboot(),
            "remove_owner": lambda _: life.remove_owner(device),
            "reset": lambda order: life.reset(device, _one_of(order.get("how", "recovery"), "recovery", "settings")),
            "sim": lambda order: life.change_sim(device, order),
            "withdraw": lambda order: life.withdraw(device, str(order["permission"])),
        }

    def _other(self, serial: str) -> Device:
        found = [device for device in self.devices if serial in (device.serial, device.address)]
        if len(found) != 1:
            raise ValueError(f"{len(found)} devices with serial {serial!r}")
        return found[0]

    def common_orders(self) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
        """What happens around them: the adb server is none of ours."""
        return {}

    def close(self) -> None:
        """Take all phones away."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(Device.close, self.devices))


def _one_of(word: str, *words: str) -> str:
    if word not in words:
        raise ValueError(f"{word!r} is not one of {', '.join(words)}")
    return word


def _make(spec: DeviceSpec, server: AdbServer, home: Path, buses: Mapping[str, Pace], emit: Emit) -> Device:
    common = spec.common
    tree = presets.resolve(common.preset, common.overrides)
    by_copy = bool(tree["app_dirs_by_copy"])
    files = Files(home, tree["api"], spec.capacity, deny_app_dirs=spec.deny_app_dirs, app_dirs_by_copy=by_copy)
    phone = Phone(common.preset, common.overrides, files)
    device = Device(phone, server, emit, buses=(buses[common.link],) if common.link else ())
    for fault in spec.faults:
        device.set_fault(fault)
    return device
