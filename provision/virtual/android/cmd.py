"""``cmd`` (§2.0): the services of this phone, and which of them take commands."""

from __future__ import annotations

from provision.virtual.android import am, clock, dpm, locksettings, netpolicy, people, pm, settings, telephony, wifi
from provision.virtual.android.envelope import Args, Service, behind_cmd
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

NO_SERVICE = 20

SERVICES: dict[str, tuple[int, Service | None]] = {
    "account": (1, None),
    "activity": (1, am.service),
    "alarm": (1, clock.alarm),
    "appops": (1, people.appops),
    "battery": (1, None),
    "device_policy": (1, dpm.service),
    "diskstats": (1, None),
    "iphonesubinfo": (1, None),
    "isub": (22, None),
    "locale": (33, people.locale),
    "lock_settings": (1, locksettings.service),
    "netpolicy": (1, netpolicy.service),
    "package": (1, pm.service),
    "persistent_data_block": (21, None),
    "phone": (1, telephony.service),
    "power": (1, None),
    "role": (29, people.role),
    "settings": (1, settings.service),
    "telephony.registry": (1, None),
    "testharness": (29, people.testharness),
    "time_detector": (31, clock.time_detector),
    "time_zone_detector": (31, clock.time_zone_detector),
    "trust": (21, None),
    "uimode": (1, people.uimode),
    "user": (1, None),
    "wifi": (1, wifi.service),
    "window": (1, None),
}
"""Service to the API that has it first and the program behind ``cmd``, None where it takes no commands."""

COMMANDS_SINCE = {
    "alarm": 28,
    "device_policy": 31,
    "lock_settings": 26,
    "phone": 28,
    "settings": 26,
    "uimode": 28,
    "wifi": 28,
}
"""Services that were there before they took commands."""
TELEPHONY = {"iphonesubinfo", "isub", "phone", "telephony.registry"}


def services(phone: Phone) -> list[str]:
    """The names of the services that run on this phone."""
    names = [name for name, (since, _) in SERVICES.items() if since <= phone.api]
    absent = set() if phone.tree["phone_slots"] else TELEPHONY
    absent |= set() if "ro.frp.pst" in phone.properties else {"persistent_data_block"}
    return [name for name in names if name not in absent]


def cmd(process: Process) -> int:
    """``cmd [-l | SERVICE ARGS…]``"""
    words = process.argv[1:]
    if words == ["-l"]:
        process.say("Currently running services:\n" + "".join(f"  {name}\n" for name in services(process.phone)))
        return 0
    if not words:
        process.complain("cmd: No service specified; use -l to list all services\n")
        return NO_SERVICE
    name, *rest = words
    if name not in services(process.phone):
        process.complain(f"cmd: Can't find service: {name}\n")
        return NO_SERVICE
    program = SERVICES[name][1]
    if program is None or COMMANDS_SINCE.get(name, 24) > process.phone.api:
        process.complain("No shell command implementation.\n")
        return 0
    return behind_cmd(process, rest[0] if rest else "", lambda: program(process, Args(rest)))
