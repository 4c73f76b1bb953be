"""What can go wrong with a device.

DeviceError               the device did not do it
 ├─ Unplugged             the link ended; what was under way has an unknown outcome
 ├─ Stopped               we ended the link ourselves (Ctrl-C)
 ├─ NotReady              attached, but not usable as it is (unauthorized, offline, recovery, …)
 ├─ NoAnswer              nothing came back in time
 └─ Refused               the device said no
     └─ NeedsOwner        somebody's account holds it
NoServer                  the bench's own helper (adb server) is not there
"""

from __future__ import annotations

from profiles.errors import SchoolbagError


class DeviceError(SchoolbagError):
    """The device did not do what it was asked."""


class Unplugged(DeviceError):
    """The link to the device ended before it answered: the outcome is unknown until it is read again."""


class Stopped(DeviceError):
    """The technician ended the run; what was under way has an unknown outcome."""


class NotReady(DeviceError):
    """The device is listed but cannot be used in the state it is in."""


class NoAnswer(DeviceError):
    """The device did not answer in time."""


class Refused(DeviceError):
    """The device answered with a refusal. ``evidence`` is its own text, as it came."""

    def __init__(self, what: str, next_action: str = "", *, evidence: str = "") -> None:
        super().__init__(what, next_action)
        self.evidence = evidence


LET_GO = (
    "Have its owner turn Find My off on it (Settings › their name › Find My), or remove it from their account at "
    "iCloud.com/find, which works from anywhere; then run again."
)
"""How the owner of an iPhone or iPad lets go of it; whatever stands in the way of our taking it, the same."""


class NeedsOwner(Refused):
    """Somebody's Apple Account holds the device."""

    def __init__(self, *, evidence: str = "") -> None:
        super().__init__("It needs its owner: it is locked to an Apple Account.", LET_GO, evidence=evidence)


class NoServer(SchoolbagError):
    """The adb server cannot be reached or started."""
