"""What the agent tells of its phone: ``DeviceInfo`` (§3.5). What it may not read is left out."""

from __future__ import annotations

from typing import Any

from provision.virtual.android.files import Files
from provision.virtual.android.headwind.memory import PACKAGE, Memory
from provision.virtual.android.packages import SYSTEM
from provision.virtual.android.paths import SHARED
from provision.virtual.android.phone import Phone
from provision.virtual.android.policy import owns

_PHONE_STATE = "android.permission.READ_PHONE_STATE"
_LOCATION = "android.permission.ACCESS_FINE_LOCATION"
_IDENTIFIERS_API = 29
"""From here on only an owner reads ICCID, IMSI, IMEI and serial number."""
_CHARGING = (2, 5)


def device_info(phone: Phone, memory: Memory) -> dict[str, Any]:
    """The body of a report."""
    with phone.lock:
        found = _itself(phone, memory) | _numbers(phone)
        config = memory.config or {}
        found["location"] = _location(phone)
        found["permissions"] = _permissions(phone)
        found["applications"] = _applications(phone, config)
        found["files"] = _files(phone.files, memory)
    return {key: value for key, value in found.items() if value is not None}


def _itself(phone: Phone, memory: Memory) -> dict[str, Any]:
    battery, config = phone.battery, memory.config or {}
    charging = "usb" if battery["status"] in _CHARGING and battery["usb"] else ""
    home = home_app(phone)
    return {
        "model": phone.properties["ro.product.model"],
        "deviceId": memory.number,
        "phone": config.get("phone"),
        "mdmMode": owns(phone, PACKAGE),
        "kioskMode": False,  # the open agent has none
        "batteryLevel": battery["level"],
        "batteryCharging": charging,
        "androidVersion": phone.properties["ro.build.version.release"],
        "launcherType": "opensource",
        "launcherPackage": home,
        "defaultLauncher": home == PACKAGE,
        "cpu": phone.properties["ro.product.cpu.abi"],
    }


def home_app(phone: Phone) -> str:
    """The app behind the home button."""
    chosen = phone.roles.get("android.app.role.HOME")
    return chosen[0] if chosen else next((one.name for one in phone.packages.all() if "home" in one.flags), "")


def _numbers(phone: Phone) -> dict[str, Any]:
    """Identifiers of phone and SIMs, where this Android lets the agent read them."""
    package = phone.packages.installed(PACKAGE, 0)
    granted = package is not None and _PHONE_STATE in package.state(0).granted
    may = granted and (phone.api < _IDENTIFIERS_API or owns(phone, PACKAGE))
    found: dict[str, Any] = {"serial": phone.serial if may else "unknown"}
    if not may:
        return found
    sims = [sim for sim in phone.sims if sim["state"] != "ABSENT"]
    for number, ending in ((0, ""), (1, "2")):
        found[f"imei{ending}"] = phone.imei[number] if number < len(phone.imei) else None
        found[f"iccid{ending}"] = sims[number]["iccid"] if number < len(sims) else None
        found[f"imsi{ending}"] = sims[number]["imsi"] if number < len(sims) else None
    return found


def _location(phone: Phone) -> dict[str, Any] | None:
    """The last one that the phone knows: told whatever the configuration says of it, as long as the agent may read it
    and the phone looks for it."""
    package = phone.packages.installed(PACKAGE, 0)
    if package is None or _LOCATION not in package.state(0).granted or not phone.tree["location"]:
        return None
    if phone.settings["secure"].get("location_mode", "0") == "0":
        return None
    return dict(phone.tree["location"]) | {"ts": int(phone.now().timestamp() * 1000)}


def _permissions(phone: Phone) -> list[int]:
    """Admin, drawing over others, usage statistics, accessibility (which the open agent does not use)."""
    package = phone.packages.get(PACKAGE)
    operations = package.appops if package else {}
    admin = any(one.package == PACKAGE for one in phone.admins)
    asked = (operations.get(name) == "allow" for name in ("SYSTEM_ALERT_WINDOW", "GET_USAGE_STATS"))
    return [int(admin), *map(int, asked), 0]


def _applications(phone: Phone, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Of those that the configuration names, and wants, the ones that are there."""
    found: dict[str, dict[str, Any]] = {}
    for wanted in config.get("applications") or []:
        package = phone.packages.installed(str(wanted.get("pkg")), 0)
        if package is None or wanted.get("remove") or package.name in found:
            continue
        unset = {"type": None, "code": None, "url": None, "remove": False, "skipVersion": False}
        found[package.name] = unset | {
            "name": wanted.get("name"),
            "pkg": package.name,
            "version": package.version_name,
        }
    return list(found.values())


def _files(files: Files, memory: Memory) -> list[dict[str, Any]]:
    """Of those that the configuration names the ones that are there: as it was told of them when it brought them."""
    found = []
    for wanted in (memory.config or {}).get("files") or []:
        path = str(wanted.get("path"))
        if files.exists(f"{SHARED}/{path}", uid=SYSTEM):
            kept = memory.files.get(path, wanted)
            keys = ("path", "checksum", "lastUpdate", "description")
            found.append({"remove": False} | {key: kept.get(key) for key in keys})
    return found
