"""How worn the device is: battery and storage (facts, iOS §1). Reads only.

``battery_worn`` is an estimate, and has to be called so wherever it is shown: the capacity that the battery's own
counter gives, against its design capacity. No key equals the "Maximum Capacity" of Settings, and ``MaxCapacity`` reads
100 on every device, so it is never taken. Which entry of the IORegistry holds the figures differs by generation
(AppleSmartBattery from iPhone 8 on, AppleARMPMUCharger before). iOS has no date of a security patch, and its storage
is always encrypted without a key that says so: both stay unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from profiles.schema import Profile
from provision.ios.questions import Question, Registry, Value
from provision.ios.reading import mapping
from provision.model import Health, Identity
from provision.setting import Answer

_ENTRIES: Mapping[str, Question] = MappingProxyType(
    {
        "smart": Registry(name="AppleSmartBattery"),
        "charger": Registry(name="AppleARMPMUCharger"),
        "source": Registry(entry_class="IOPMPowerSource"),
    }
)
_PROBES: Mapping[str, Question] = MappingProxyType(
    {"battery": Value("com.apple.mobile.battery"), "disk": Value("com.apple.disk_usage"), **_ENTRIES}
)
_CAPACITIES = ("NominalChargeCapacity", "AppleRawMaxCapacity")
_FREE = ("AmountDataAvailable", "TotalDataAvailable")


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Question]:
    """Whatever the profile, the same is asked."""
    return _PROBES


def parse(answers: Mapping[str, Answer], _profile: Profile, _identity: Identity) -> Health:
    """See :class:`provision.model.Health`. What is out of all reason is unknown."""
    battery, disk = mapping(answers.get("battery")), mapping(answers.get("disk"))
    entries = [mapping(answers.get(name)) for name in _ENTRIES]
    total = _within(disk.get("TotalDiskCapacity"), 1, 1 << 50)
    free = next((room for key in _FREE if (room := _within(disk.get(key), 0, total or 1 << 50)) is not None), None)
    return Health(
        battery_level=_within(battery.get("BatteryCurrentCapacity"), 0, 100) if _has_one(battery) else None,
        battery_worn=next((worn for entry in entries if (worn := _worn(entry)) is not None), None),
        battery_cycles=next((n for entry in entries if (n := _within(entry.get("CycleCount"), 1, 99_999))), None),
        storage_total=total,
        storage_free=free,
    )


def _has_one(battery: Mapping[str, Any]) -> bool:
    return battery.get("HasBattery", True) is not False


def _worn(entry: Mapping[str, Any]) -> int | None:
    """Percent lost, by the first capacity (mAh) that this entry tells beside its design capacity."""
    design = _within(entry.get("DesignCapacity"), 100, 100_000)
    if design is None:
        return None
    for key in _CAPACITIES:
        now = _within(entry.get(key), design // 10, design * 13 // 10)
        if now is not None:
            return max(0, 100 - round(100 * now / design))
    return None


def _within(said: Any, least: int, most: int) -> int | None:
    if not isinstance(said, int) or isinstance(said, bool) or not least <= said <= most:
        return None
    return said
