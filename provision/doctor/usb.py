"""May phones be opened, do those that are listed answer, and which limits of USB are near?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provision.bench import Attached
from provision.device import Door
from provision.doctor.check import Check, Mark
from provision.doctor.host import Host
from provision.doors import NotWanted
from provision.usb import limits, sysfs
from provision.usb.limits import Level
from provision.usb.tree import Listed, UsbMap, build

_PACKAGE = "sudo apt install android-sdk-platform-tools-common"
_RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
_GROUP = "plugdev"
_AGAIN = "then unplug the phone and plug it in again"
_MARKS = {Level.NOTE: Mark.GOOD, Level.WARN: Mark.WARN, Level.BAD: Mark.BAD}


def usb_map(host: Host, devices: Sequence[Listed]) -> UsbMap:
    return build(sysfs.read(host.root / "sys"), devices)


def rights(name: str, host: Host, usb: UsbMap) -> Iterator[Check]:
    """Udev rules, the group, and the device file of every phone that adb opens; usbmuxd has rights of its own."""
    if not (host.root / "dev/bus/usb").is_dir():
        what = "This computer shows no USB ports (a container, a virtual machine, or not Linux)."
        yield Check(name, Mark.WARN, what, "Run fleet on the computer that the phones hang on.")
        return
    on_bus = [phone for phone in usb.phones if phone.number and phone.door == "adb"]
    closed = [
        phone
        for phone in on_bus
        if not host.may_open(host.root / f"dev/bus/usb/{phone.bus:03}/{phone.number:03}")
        or (phone.listed is not None and phone.listed.state.startswith("no permissions"))
    ]
    mend = _missing(host)
    if closed:
        ports = ", ".join(phone.port for phone in closed)
        yield Check(
            name,
            Mark.BAD,
            f"This user may not open the phones at {ports}.",
            mend or f"Run 'sudo udevadm control --reload', {_AGAIN}.",
        )
    elif on_bus or not mend:
        what = f"All {len(on_bus)} phones on the bus may be opened." if on_bus else "Phones may be opened."
        yield Check(name, Mark.GOOD, what)
    else:
        yield Check(name, Mark.WARN, "No phone is attached; one may well not be opened.", mend)


def _missing(host: Host) -> str:
    """How to get the right to open phones, "" when nothing is missing."""
    if host.is_root:
        return ""
    steps = []
    if not any(path for folder in _RULES for path in (host.root / folder).glob("*android*.rules")):
        steps.append(f"run '{_PACKAGE}'")
    if _GROUP not in host.groups:
        steps.append(f"run 'sudo usermod -aG {_GROUP} {host.user}' and log in again")
    text = "; ".join([*steps, _AGAIN])
    return f"{text[0].upper()}{text[1:]}." if steps else ""


def phones(name: str, attached: Sequence[Attached]) -> Iterator[Check]:
    """What is listed and cannot be worked on, and why."""
    for place in attached:
        if place.problem:
            yield Check(name, Mark.WARN, place.problem.what, place.problem.next_action)
    ready = sum(place.device is not None for place in attached)
    yield Check(name, Mark.GOOD, f"{ready} of {len(attached)} listed devices answer." if attached else "None attached.")


def bus(name: str, usb: UsbMap) -> Iterator[Check]:
    """Limits that are near, and phones on the bus that adb does not list. Problems of listed ones are told above."""
    told = {node.listed.problem for node in usb.phones if node.listed}
    found = [finding for finding in limits.findings(usb) if finding.what not in told]
    for finding in found:
        yield Check(name, _MARKS[finding.level], f"{finding.where}: {finding.what}", finding.next_action)
    if all(_MARKS[finding.level] is Mark.GOOD for finding in found):
        yield Check(name, Mark.GOOD, "No limit of this computer's USB is near.")


def kernel_log(name: str, host: Host) -> Iterator[Check]:
    """What the kernel wrote of USB since the computer started: a warning at most, as it may be mended by now."""
    said = host.run(["dmesg"])
    if said is None:
        yield Check(name, Mark.GOOD, "This user may not read the kernel's log; 'sudo dmesg' shows what it says of USB.")
        return
    found = limits.explain_log(said.splitlines())
    for finding in found:
        what = f"{finding.where}: {finding.what} (said since the computer started)"
        yield Check(name, Mark.WARN, what, finding.next_action)
    if not found:
        yield Check(name, Mark.GOOD, "The kernel's log complains of nothing on USB.")


def usbmuxd(name: str, door: Door) -> Iterator[Check]:
    """The helper that iPhones and iPads need. NoServer where one of them is plugged in and it does not answer."""
    try:
        door.ensure()
    except NotWanted:
        what = "usbmuxd does not run; only iPhones and iPads need it."
        yield Check(name, Mark.WARN, what, "For those: 'sudo apt install usbmuxd', then plug one in.")
    else:
        yield Check(name, Mark.GOOD, "usbmuxd answers, for iPhones and iPads.")
