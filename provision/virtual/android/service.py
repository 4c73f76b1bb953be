"""``service list|check|call`` (§4.2): transactions by number, answers as parcels."""

from __future__ import annotations

from provision.virtual.android import parcel, telephony
from provision.virtual.android.clock import set_time_zone
from provision.virtual.android.cmd import services
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

NO_SUCH = 10
SET_TIME_ZONE = 3
NOT_A_DATA_MESSAGE = 'Result: Parcel(Error: 0xffffffffffffffb6 "Not a data message")\n'


def service(process: Process) -> int:
    """``service list``, ``service check NAME``, ``service call NAME CODE [i32 N | i64 N | s16 TEXT | null]…``"""
    known = services(process.phone)
    match process.argv[1:]:
        case ["list"]:
            process.say(f"Found {len(known)} services:\n")
            process.say("".join(f"{number}\t{name}: []\n" for number, name in enumerate(known)))
        case ["check", name, *_]:
            process.say(f"Service {name}: {'found' if name in known else 'not found'}\n")
        case ["call", name, code, *words] if code.isdecimal():
            if name not in known:
                process.complain(f"service: Service {name} does not exist\n")
                return NO_SUCH
            return _call(process, name, int(code), words)
        case _:
            process.complain("Usage: service [-h|-?]\n       service list\n       service check SERVICE\n")
            return NO_SUCH
    return 0


def _call(process: Process, name: str, code: int, words: list[str]) -> int:
    arguments = _arguments(words)
    if isinstance(arguments, str):
        process.complain(f"{arguments}\n")
        return NO_SUCH
    if name == "iphonesubinfo":
        process.say(telephony.subinfo(process.phone, code, arguments))
    elif name == "alarm" and code == SET_TIME_ZONE:
        zone = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        process.say(parcel.dump(_set_time_zone(process.phone, zone)))
    else:
        process.say(NOT_A_DATA_MESSAGE)
    return 0


def _arguments(words: list[str]) -> list[int | str] | str:
    """The arguments of a call, or what is wrong with them."""
    found: list[int | str] = []
    left = list(words)
    while left:
        kind = left.pop(0)
        if kind == "null":
            continue
        if kind not in {"i32", "i64", "s16"}:
            return f"service: unknown option {kind}"
        if not left:
            return f"service: no {'string' if kind == 's16' else 'integer'} supplied for '{kind}'"
        word = left.pop(0)
        found.append(word if kind == "s16" else int(word) if word.lstrip("-").isdecimal() else 0)
    return found


def _set_time_zone(phone: Phone, zone: str) -> bytes:
    if not set_time_zone(phone, zone):
        text = "Neither user 2000 nor current process has android.permission.SET_TIME_ZONE."
        return parcel.exception(telephony.SECURITY, f"setTimeZone: {text}")
    return parcel.integer(0)
