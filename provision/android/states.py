"""What the adb server says of a device, and what that means for a technician (facts §5.5, §7.1).

Pure functions of text: the lines of ``host:devices-l``, the states in them, and the reasons behind a ``FAIL``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from provision.errors import DeviceError, NoAnswer, NotReady, Refused, Unplugged

_LINE = re.compile(
    r"(?P<address>\(no serial number\)|\S+)\s+(?P<state>\S.*?)(?P<fields>(?:\s+[a-z_]+:[^\s\]]*)*)\s*",
)

_LONGEST = 2000
"""Characters of a line: what a device says of itself is in it, and the pattern goes back over it."""

_REPLUG = "Unplug the cable and plug it in again."
_ALLOW = (
    "Unlock its screen and tap Allow when it asks about USB debugging; if it does not ask, unplug the cable and "
    "plug it in again."
)
_REBOOT = "Choose 'Reboot system now' on its screen, or hold the power button until it starts again."

_STATES = {
    "unauthorized": ("does not trust this computer yet.", _ALLOW),
    "authorizing": ("is being asked whether it trusts this computer.", _ALLOW),
    "offline": ("is attached but does not answer.", f"{_REPLUG} If it stays so, turn USB debugging off and on again."),
    "recovery": ("is in recovery.", _REBOOT),
    "rescue": ("is in rescue mode.", _REBOOT),
    "sideload": ("waits for a system update (sideload).", _REBOOT),
    "bootloader": ("is in its bootloader.", "Choose 'Start' on its screen, or hold the power button until it starts."),
    "host": ("is another computer, not a phone.", "Unplug it."),
    "connecting": ("is still connecting.", f"Wait a few seconds. If it stays so: {_REPLUG.lower()}"),
    "detached": ("is used by another program.", "Stop the other program that uses this phone, then plug it in again."),
}

_UDEV = (
    "Allow it: 'sudo apt install android-sdk-platform-tools-common', add the user to the group plugdev, log in "
    "again, then unplug the phone and plug it in again."
)

# Substrings of the adb server's reasons, lower case, the first that fits; the states stand for themselves.
_STATE_REASONS = (
    ("unauthorized", "unauthorized"),
    ("still authorizing", "authorizing"),
    ("still connecting", "connecting"),
    ("device offline", "offline"),
    ("insufficient permissions", "no permissions"),
    ("no permissions", "no permissions"),
)
_GONE = ("not found", "no device with transport id", "no such device", "no devices", "closed", "device went away")


@dataclass(frozen=True)
class Listed:
    """One line of ``host:devices-l``. ``transport_id`` tells devices with one serial apart; 0 where not given.

    ``usb`` is bus and port path ("1-2.3"), "" for a device that is not on USB.
    """

    address: str
    state: str
    transport_id: int
    usb: str = ""
    product: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """How a person tells it from its neighbours."""
        where = f" (USB {self.usb})" if self.usb else ""
        return f"{self.address}{where}"


def plain(text: str) -> str:
    """``text`` on one line, without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def parse_listing(text: str) -> tuple[Listed, ...]:
    """The devices of a ``host:devices-l`` or ``host:track-devices-l`` answer, in its order, whatever their state."""
    lines = (plain(line)[:_LONGEST] for line in text.split("\n"))
    return tuple(_parse_line(line) for line in lines if line)


def _parse_line(line: str) -> Listed:
    match = _LINE.fullmatch(line)
    if not match:
        return Listed(line, "unknown", 0)
    fields = dict(word.split(":", 1) for word in match["fields"].split())
    number = fields.get("transport_id", "")
    return Listed(
        address=match["address"],
        state=match["state"],
        transport_id=int(number) if number.isascii() and number.isdigit() else 0,
        usb=fields.get("usb", ""),
        product=fields.get("product", ""),
        model=fields.get("model", ""),
    )


def explain_state(listed: Listed) -> NotReady:
    """Why a device in this state cannot be used, in one sentence, and what to do about it."""
    if listed.state.startswith("no permissions"):
        return NotReady(f"This user may not open the USB device {listed.name}.", _UDEV)
    known = _STATES.get(listed.state)
    if known is None:
        return NotReady(f"{listed.name} is in a state that is not known here: {listed.state}.", _REPLUG)
    return NotReady(f"{listed.name} {known[0]}", known[1])


def explain_fail(reason: str, listed: Listed, *, of_service: bool = False) -> DeviceError:
    """The error behind a ``FAIL`` of the adb server about ``listed``, or of a service on the device itself."""
    said = "" if of_service else reason.lower()
    for part, state in _STATE_REASONS:
        if part in said:
            return explain_state(Listed(listed.address, state, listed.transport_id, listed.usb))
    if any(part in said for part in _GONE):
        return Unplugged(f"{listed.name} is not attached any more.", "Plug it in and run again.")
    if "more than one device" in said:
        return NotReady(f"Several devices call themselves {listed.address}.", "Unplug all but one of them.")
    if "timeout" in said:
        return NoAnswer(f"{listed.name} did not answer the adb server in time.", _REPLUG)
    return Refused(f"{listed.name} refused: {plain(reason)}.", _REPLUG, evidence=reason)
