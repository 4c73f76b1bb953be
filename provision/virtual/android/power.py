"""``svc`` and ``reboot`` (§2.3)."""

from __future__ import annotations

from provision.virtual.android.envelope import JavaError, behind_cmd
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process
from provision.virtual.android.telephony import set_data
from provision.virtual.android.wifi import set_enabled

STAY_ON = {"true": "7", "false": "0", "ac": "1", "usb": "2", "wireless": "4"}
USAGE = """Available commands:
    help     Show information about the subcommands
    power    Control the power manager
    data     Control mobile data connectivity
    wifi     Control the Wi-Fi manager
    usb      Control Usb state
    nfc      Control NFC functions
    bluetooth Control Bluetooth service
"""


def svc(process: Process) -> int:
    """``svc data|wifi|bluetooth enable|disable``, ``svc power stayon|reboot|shutdown``; a script from 11 on."""
    phone = process.phone
    match process.argv[1:]:
        case ["data", ("enable" | "disable") as word] if phone.tree["phone_slots"]:
            return _data(process, on=word == "enable")
        case ["data", "enable" | "disable"]:
            if phone.api >= 30:
                process.complain("cmd: Can't find service: phone\n")
                return 20
        case ["wifi", ("enable" | "disable") as word]:
            set_enabled(phone, on=word == "enable")
        case ["bluetooth", ("enable" | "disable") as word]:
            phone.settings["global"]["bluetooth_on"] = str(int(word == "enable"))
        case ["power", *rest]:
            return _power(process, rest)
        case ["usb", *_] | ["nfc", *_]:
            return 0
        case _:
            process.complain(USAGE)
    return 0


def _data(process: Process, *, on: bool) -> int:
    if process.phone.api >= 30:
        return behind_cmd(process, "data", lambda: set_data(process, on=on))
    try:
        return set_data(process, on=on)
    except JavaError as error:
        process.complain(f"Exception: {error.message}\n")
        return 0


def _power(process: Process, words: list[str]) -> int:
    phone = process.phone
    match words:
        case ["stayon", word] if word in STAY_ON:
            phone.settings["global"]["stay_on_while_plugged_in"] = STAY_ON[word]
        case ["reboot", *mode]:
            _reboot(phone, mode[0] if mode else "")
        case ["shutdown"]:
            _reboot(phone, "shutdown")
        case _:
            process.complain("usage: svc power stayon [true|false|usb|ac|wireless]\n")
    return 0


def _reboot(phone: Phone, mode: str) -> None:
    """What a restart forgets, then the bench takes the phone away and back."""
    phone.credential.tries = 0
    phone.on_reboot(mode)


def reboot(process: Process) -> int:
    """``reboot [-p] [recovery|bootloader]``"""
    words = process.argv[1:]
    _reboot(process.phone, "shutdown" if words[:1] == ["-p"] else words[0] if words else "")
    return 0
