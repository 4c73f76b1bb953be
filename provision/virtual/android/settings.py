"""``settings`` (§2.3): three tables of text, guarded by permissions and silently by user restrictions."""

from __future__ import annotations

from dataclasses import dataclass

from provision.virtual.android.envelope import Args, JavaError, app_process, behind_cmd, denied, java_int
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

TABLES = ("system", "secure", "global")
VERBS = ("get", "put", "delete", "list", "reset")

GUARDED = {
    "adb_enabled": "no_debugging_features",
    "development_settings_enabled": "no_debugging_features",
    "airplane_mode_on": "no_airplane_mode",
    "auto_time": "no_config_date_time",
    "auto_time_zone": "no_config_date_time",
    "data_roaming": "no_data_roaming",
    "install_non_market_apps": "no_install_unknown_sources",
    "location_mode": "no_share_location",
    "package_verifier_enable": "ensure_verify_apps",
    "private_dns_mode": "disallow_config_private_dns",
    "private_dns_specifier": "disallow_config_private_dns",
    "screen_brightness": "no_config_brightness",
    "screen_off_timeout": "no_config_screen_timeout",
    "verifier_verify_adb_installs": "ensure_verify_apps",
}
"""Key to the user restriction under which a ``put`` does nothing and says nothing."""
HARMLESS = {
    "adb_enabled": "0",
    "airplane_mode_on": "0",
    "data_roaming": "0",
    "install_non_market_apps": "0",
    "location_mode": "0",
    "package_verifier_enable": "1",
    "verifier_verify_adb_installs": "1",
}
"""The value that may be put all the same, as it is the one that the restriction wants [inferred]."""


@dataclass
class Asked:
    """A command line of ``settings``, taken apart."""

    verb: str
    table: str
    key: str = ""
    value: str = ""


def settings(process: Process) -> int:
    """A Java program of its own up to 7.1, a shell command of its service after (§2.0)."""
    words = process.argv[1:]
    if process.phone.api <= 25:
        # [inferred] bad usage is told and the status stays 0.
        return app_process(process, "usage:  settings ...\n", lambda: min(service(process, Args(words)), 0))
    return behind_cmd(process, words[0] if words else "", lambda: service(process, Args(words)))


def service(process: Process, args: Args) -> int:
    """``cmd settings …``"""
    asked = _parse(process.phone, args.rest())
    if isinstance(asked, str):
        process.complain(f"{asked}\n")
        return 255
    return _run(process, asked)


def _parse(phone: Phone, words: list[str]) -> Asked | str:
    """The command, or what is wrong with it."""
    plain: list[str] = []
    while words:
        word = words.pop(0)
        if word != "--user":
            plain.append(word)
        elif not words:
            return "Bad arguments"
        elif problem := _user(phone, words.pop(0)):
            return problem
    return _take_apart(plain)


def _user(phone: Phone, word: str) -> str | None:
    if word in {"current", "cur"}:
        return None
    if word == "all":
        return "Invalid user: all"
    try:
        return None if phone.user(java_int(word)) else f"Invalid user: {word}"
    except JavaError:
        raise JavaError("java.lang.IllegalArgumentException", f"Bad user number: {word}") from None


def _take_apart(words: list[str]) -> Asked | str:
    if not words or len(words) == 1:
        return f"Invalid command: {words[0]}" if words and words[0].lower() not in VERBS else "Bad arguments"
    verb, table, rest = words[0].lower(), words[1].lower(), words[2:]
    if verb not in VERBS:
        return f"Invalid command: {words[0]}"
    if table not in TABLES:
        return f"Invalid namespace '{words[1]}'"
    if verb == "list":
        return Asked(verb, table)
    if verb == "put":
        return Asked(verb, table, rest[0], rest[1]) if 2 <= len(rest) <= 4 else "Bad arguments"
    if len(rest) > 1:
        return "Too many arguments"
    return Asked(verb, table, rest[0]) if rest else "Bad arguments"


def _run(process: Process, asked: Asked) -> int:
    phone = process.phone
    table = phone.settings[asked.table]
    if asked.verb == "get" and (asked.table, asked.key) == ("secure", "android_id"):
        process.say(f"{table.get(asked.key, phone.android_id)}\n")  # one per caller, kept beside the table (8+)
    elif asked.verb == "get":
        process.say(f"{table.get(asked.key, 'null')}\n")
    elif asked.verb == "list":
        process.say("".join(f"{key}={value}\n" for key, value in sorted(table.items())))
    else:
        _may_write(phone, asked.table)
        _change(process, asked, table)
    return 0


def _change(process: Process, asked: Asked, table: dict[str, str]) -> None:
    phone = process.phone
    guarded = _guarded(phone, asked)
    with phone.lock:
        if asked.verb == "put" and not guarded:
            table[asked.key] = asked.value
            follow(phone, asked.key, asked.value)
        elif asked.verb == "delete":
            gone = 0 if guarded else int(table.pop(asked.key, None) is not None)
            process.say(f"Deleted {gone} rows\n")


def _guarded(phone: Phone, asked: Asked) -> bool:
    # Phones for two SIMs have a data_roaming of each.
    key = "data_roaming" if asked.key.startswith("data_roaming") else asked.key
    harmless = asked.verb == "put" and asked.value == HARMLESS.get(key)
    return not harmless and GUARDED.get(key) in phone.user_restrictions


def _may_write(phone: Phone, table: str) -> None:
    needed = "WRITE_SETTINGS" if table == "system" else "WRITE_SECURE_SETTINGS"
    if not phone.holds(needed):
        raise denied(f"Permission denial: writing to settings requires:android.permission.{needed}")


def follow(phone: Phone, key: str, value: str) -> None:
    """What else changes with a setting: other parts of the phone watch a few of them."""
    if key == "mobile_data":
        phone.mobile_data = value == "1"
    elif key == "wifi_on":
        phone.wifi.enabled = value != "0"
    elif key == "adb_enabled" and value == "0":
        phone.on_adb_off()
