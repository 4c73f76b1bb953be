"""The ways into the bench of this home: its pair records and its keybag are what iPhones and iPads know it by."""

from __future__ import annotations

from pathlib import Path

from fleet.home import Home
from fleet.supervision import keybag
from provision import doors
from provision.device import Door
from provision.usb.sysfs import SYSFS


def doors_of(home: Home, sysfs: Path | None = None) -> tuple[Door, ...]:
    """``sysfs``: another one than this computer's. Raises KeybagError when there is a keybag that cannot be used."""
    return doors.open_doors(home.path / "pairings", keybag(home), sysfs or SYSFS)
