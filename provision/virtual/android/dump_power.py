"""``dumpsys battery``, ``power`` and ``diskstats`` (§5.1, §5.2)."""

from __future__ import annotations

from provision.virtual.android.phone import Phone


def battery(phone: Phone, args: list[str]) -> str:
    """``dumpsys battery [reset | unplug | set KEY VALUE]``"""
    values = phone.battery
    if args[:1] == ["reset"]:
        values |= phone.tree["battery"] | {"faked": False}
        return ""
    if args[:1] == ["unplug"]:
        values |= {"usb": False, "faked": True}
        return ""
    if args[:1] == ["set"] and len(args) == 3:
        values |= {args[1]: int(args[2]), "faked": True}
        return ""
    return "\n".join(_battery(phone)) + "\n"


def _battery(phone: Phone) -> list[str]:
    values, api = phone.battery, phone.api
    rows: list[tuple[str, object]] = [
        ("AC powered", "false"),
        ("USB powered", str(bool(values["usb"])).lower()),
        ("Wireless powered", "false"),
        *([("Dock powered", "false")] if api >= 34 else []),
        *(
            [
                ("Max charging current", 500000),
                ("Max charging voltage", 5000000),
                ("Charge counter", values["charge_counter"]),
            ]
            if api >= 24
            else []
        ),
        ("status", values["status"]),
        ("health", values["health"]),
        ("present", str(values.get("present", True)).lower()),
        ("level", values["level"]),
        ("scale", 100),
        ("voltage", values["voltage"]),
        ("temperature", values["temperature"]),
        ("technology", values["technology"]),
        *([("Charging state", 1), ("Charging policy", 1)] if api >= 35 else []),
        *([("Capacity level", -1)] if api >= 36 else []),
    ]
    lines = ["Current Battery Service state:"]
    if values["faked"]:
        lines.append("  (UPDATES STOPPED -- use 'reset' to restart)")
    lines += [f"  {key}: {value}" for key, value in rows]
    return lines + [f"  {key}: {value}" for key, value in (values.get("extra") or {}).items()]


def diskstats(phone: Phone, _args: list[str]) -> str:
    """Free and total room, in kilobytes."""
    total, free = phone.files.capacity // 1024, phone.files.free // 1024
    lines = [
        "Latency: 1ms [512B Data Write]",
        "Recent Disk Write Speed (kB/s) = 48520",
        f"Data-Free: {free}K / {total}K total = {free * 100 // max(total, 1)}% free",
        "Cache-Free: 102400K / 102400K total = 100% free",
        "System-Free: 204800K / 2097152K total = 9% free",
        *(["File-based Encryption: true"] if phone.tree["crypto"] == "file" else []),
    ]
    return "\n".join(lines) + "\n"


def power(phone: Phone, _args: list[str]) -> str:
    """Only whether the screen is on and whether it is kept on."""
    stay = phone.settings["global"].get("stay_on_while_plugged_in", "0")
    return (
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n  mWakefulness=Awake\n"
        f"  mIsPowered={str(bool(phone.battery['usb'])).lower()}\n  mStayOnWhilePluggedInSetting={stay}\n"
    )
