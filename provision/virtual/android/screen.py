"""``wm``, ``input`` and ``logcat``: no more than an answer."""

from __future__ import annotations

from provision.virtual.android.process import Process


def wm(process: Process) -> int:
    """``wm size`` and ``wm density``"""
    tablet = process.phone.tree["form"] == "tablet"
    match process.argv[1:]:
        case ["size"]:
            process.say(f"Physical size: {'1280x800' if tablet else '1080x2400'}\n")
        case ["density"]:
            process.say(f"Physical density: {213 if tablet else 420}\n")
        case ["dismiss-keyguard"]:
            pass
        case _:
            process.complain("Unknown command\n")
            return 255
    return 0


def input_event(process: Process) -> int:
    """``input keyevent|tap|swipe|text …``: taken, and nothing seen of it."""
    if len(process.argv) < 3:
        process.complain("Error: Invalid arguments for command: \nUsage: input [<source>] <command> [<arg>...]\n")
        return 255
    return 0


def logcat(process: Process) -> int:
    """Only the head of the log; it never goes on."""
    if "-c" not in process.argv:
        process.say("--------- beginning of main\n")
    return 0
