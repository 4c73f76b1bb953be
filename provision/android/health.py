"""How worn the phone is: battery, storage, patch level, encryption (facts §5.1, §5.2). Reads only.

``battery_worn`` is the share of its capacity that the battery has lost, in percent. It is taken from Samsung's own
figure, else from ``charge_full`` where this phone lets shell read it, else estimated from the charge counter at 80 %
or more; each only against a design capacity that the phone tells. AOSP has no such line, and ``health: 2`` says
nothing, so most phones stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from profiles.schema import Profile
from provision.android.command import Command, command, script
from provision.android.reading import lines, number, text
from provision.model import Health, Identity
from provision.setting import Answer

_SUPPLY = "/sys/class/power_supply/battery"
_PROBES: Mapping[str, Command] = MappingProxyType(
    {
        "battery": command("dumpsys", "battery"),
        "design": command("cat", f"{_SUPPLY}/charge_full_design"),
        "full": command("cat", f"{_SUPPLY}/charge_full"),
        "cycles": command("cat", f"{_SUPPLY}/cycle_count"),
        "df": command("df", "-k", "/data"),
        "diskstats": script("dumpsys diskstats | grep Data-Free:"),
    }
)
_PAIR = re.compile(r"([A-Za-z][\w ]{0,40}):[ \t]*(\S.{0,200})?")
_DF = re.compile(r"(\d{1,15})[ \t]+(\d{1,15})[ \t]+(\d{1,15})[ \t]+\d{1,3}%")
_DATA_FREE = re.compile(r"Data-Free: *(\d{1,15})K */ *(\d{1,15})K +total")


def probes(_profile: Profile, _identity: Identity, _deep: bool) -> Mapping[str, Command]:
    """Whatever the profile, the same is asked."""
    return _PROBES


def parse(answers: Mapping[str, Answer], _profile: Profile, identity: Identity) -> Health:
    """See :class:`provision.model.Health`. Values that somebody faked are rejected as unknown."""
    faked = "UPDATES STOPPED" in text(answers, "battery")
    pairs = map(_PAIR.fullmatch, lines(answers, "battery"))
    battery = {pair[1].strip(): (pair[2] or "").strip() for pair in pairs if pair} if not faked else {}
    level = _level(battery)
    temperature = number(battery.get("temperature"))
    total, free = _storage(answers)
    properties = identity.properties
    return Health(
        battery_level=level,
        battery_worn=_worn(battery, level, answers),
        battery_cycles=_cycles(battery, answers),
        battery_temperature=temperature / 10 if temperature is not None and -500 < temperature < 1500 else None,
        battery_faked=faked,
        storage_total=total,
        storage_free=free,
        patch=_patch(properties.get("ro.build.version.security_patch", "")),
        encrypted={"encrypted": True, "unencrypted": False}.get(properties.get("ro.crypto.state", "")),
    )


def _level(battery: Mapping[str, str]) -> int | None:
    level, scale = number(battery.get("level")), number(battery.get("scale", "100"))
    if level is None or not scale or scale < 0 or not 0 <= level <= scale:
        return None
    return round(100 * level / scale)


def _worn(battery: Mapping[str, str], level: int | None, answers: Mapping[str, Answer]) -> int | None:
    samsung = number(battery.get("mSavedBatteryAsoc"))
    if samsung is not None and 0 < samsung <= 100:
        return 100 - samsung
    design = number(text(answers, "design"))
    full = number(text(answers, "full"))
    counter = number(battery.get("Charge counter"))
    if not full and counter and level and level >= 80:
        full = 100 * counter // level
    if not design or not full or not 0.1 < full / design < 1.3:
        return None
    return max(0, 100 - round(100 * full / design))


def _cycles(battery: Mapping[str, str], answers: Mapping[str, Answer]) -> int | None:
    samsung = number(battery.get("mSavedBatteryUsage"))
    cycles = samsung // 100 if samsung is not None else number(text(answers, "cycles"))
    return cycles if cycles is not None and 0 < cycles < 100_000 else None


def _storage(answers: Mapping[str, Answer]) -> tuple[int | None, int | None]:
    """Total and free bytes; ``df`` of Android 5 and 6 prints no plain numbers, so diskstats is the second source."""
    if found := _DF.search(text(answers, "df")):
        return int(found[1]) * 1024, int(found[3]) * 1024
    if found := _DATA_FREE.search(text(answers, "diskstats")):
        return int(found[2]) * 1024, int(found[1]) * 1024
    return None, None


def _patch(said: str) -> str | None:
    return said if re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", said) else None
