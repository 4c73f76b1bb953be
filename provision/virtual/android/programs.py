"""The commands of the phone that its services play: name → program, by Android version."""

from __future__ import annotations

from provision.virtual.android.am import am
from provision.virtual.android.cmd import cmd
from provision.virtual.android.content import content
from provision.virtual.android.dpm import dpm
from provision.virtual.android.dumpsys import dumpsys
from provision.virtual.android.locksettings import locksettings
from provision.virtual.android.people import appops_program
from provision.virtual.android.pm import pm
from provision.virtual.android.power import reboot, svc
from provision.virtual.android.process import Program
from provision.virtual.android.props import getprop, setprop
from provision.virtual.android.screen import input_event, logcat, wm
from provision.virtual.android.service import service
from provision.virtual.android.settings import settings

PROGRAMS: dict[str, tuple[int, Program]] = {
    "am": (1, am),
    "appops": (1, appops_program),
    "cmd": (24, cmd),
    "content": (1, content),
    "dpm": (21, dpm),
    "dumpsys": (1, dumpsys),
    "getprop": (1, getprop),
    "input": (1, input_event),
    "locksettings": (26, locksettings),
    "logcat": (1, logcat),
    "pm": (1, pm),
    "reboot": (1, reboot),
    "service": (1, service),
    "setprop": (1, setprop),
    "settings": (1, settings),
    "svc": (1, svc),
    "wm": (1, wm),
}
"""Name to the API that has it first and its program."""


def programs(api: int) -> dict[str, Program]:
    """The programs of this API level."""
    return {name: program for name, (since, program) in PROGRAMS.items() if since <= api}
