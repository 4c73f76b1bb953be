"""The clock and the time zone: ``cmd alarm``, ``time_zone_detector`` and ``time_detector``. [inferred] from AOSP."""

from __future__ import annotations

from zoneinfo import available_timezones

from provision.virtual.android.envelope import Args, java_int, lacks
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process


def set_time_zone(phone: Phone, zone: str) -> bool:
    """AlarmManager.setTimeZone: unknown zones are passed over. False when shell may not (§1: from 10 on it may)."""
    if not phone.holds("SET_TIME_ZONE"):
        return False
    if zone in available_timezones():
        phone.properties["persist.sys.timezone"] = zone
    return True


def alarm(process: Process, args: Args) -> int:
    """``cmd alarm set-timezone ZONE`` and ``set-time MILLISECONDS``"""
    command = args.next()
    if command == "set-timezone":
        if not set_time_zone(process.phone, args.need()):
            raise lacks("SET_TIME_ZONE", "setTimeZone")
        return 0
    if command == "set-time":
        if not process.phone.holds("SET_TIME"):
            raise lacks("SET_TIME", "setTime")
        process.phone.time_shift += java_int(args.next()) / 1000 - process.phone.now().timestamp()
        return 0
    process.say(f"Unknown command: {command}\n")
    return 255


def time_zone_detector(process: Process, args: Args) -> int:
    """Automatic on or off, and a zone suggested by hand, which counts only while it is off."""
    phone = process.phone
    command = args.next()
    if command == "suggest_manual_time_zone":
        words = args.rest()
        zone = words[words.index("--zone_id") + 1] if "--zone_id" in words[:-1] else ""
        if phone.settings["global"].get("auto_time_zone") != "1" and zone in available_timezones():
            phone.properties["persist.sys.timezone"] = zone
        process.say(f"Suggestion ManualTimeZoneSuggestion{{mZoneId={zone}, mDebugInfo=null}} injected.\n")
        return 0
    return _automatic(process, args, command, "auto_time_zone")


def time_detector(process: Process, args: Args) -> int:
    """Whether the network sets the clock."""
    return _automatic(process, args, args.next(), "auto_time")


def _automatic(process: Process, args: Args, command: str | None, key: str) -> int:
    settings = process.phone.settings["global"]
    if command == "is_auto_detection_enabled":
        process.say(f"{str(settings.get(key) == '1').lower()}\n")
        return 0
    if command == "set_auto_detection_enabled":
        settings[key] = str(int(args.need() == "true"))
        return 0
    process.say(f"Unknown command: {command}\n")
    return 255
