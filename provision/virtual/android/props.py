"""``getprop`` and ``setprop`` (§4.2, §5.2)."""

from __future__ import annotations

from provision.virtual.android.process import Process

OPEN_TO_SHELL = ("debug.", "log.", "persist.log.tag", "persist.traced.", "ctl.")
"""What shell may set. Everything else, ro.* and persist.sys.* too, is refused by SELinux [inferred]."""
LONGEST = 91


def getprop(process: Process) -> int:
    """``getprop [NAME [DEFAULT]]``: all of them as ``[name]: [value]``; a missing one is an empty line."""
    properties = process.phone.properties
    match process.argv[1:]:
        case []:
            process.say("".join(f"[{name}]: [{value}]\n" for name, value in sorted(properties.items())))
        case [name, *default]:
            process.say(f"{properties.get(name) or (default[0] if default else '')}\n")
    return 0


def setprop(process: Process) -> int:
    """``setprop NAME VALUE``"""
    if len(process.argv) != 3:
        process.complain("usage: setprop NAME VALUE\n\nSets an Android system property.\n")
        return 1
    _, name, value = process.argv
    too_long = len(value) > LONGEST and not name.startswith("ro.")
    if too_long or not name.startswith(OPEN_TO_SHELL):
        if process.phone.api >= 30:
            process.complain(f"Failed to set property '{name}' to '{value}'.\nSee dmesg for error reason.\n")
        else:
            process.complain(f"setprop: failed to set property '{name}' to '{value}'\n")
        return 1
    process.phone.properties[name] = value
    return 0
