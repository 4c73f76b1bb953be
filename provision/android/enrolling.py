"""Enrolling the agent over USB, with no internet: a file in its own folder, and the bench's server through ``reverse``.

The folder is made by the system when the agent is started for the first time, with rights for the agent and the shell
[I]. Some phones refuse a file that is sent there; then it is sent elsewhere and copied; some let the shell in there by
no way (facts, Android §3.5). The agent reads the file when its screen is made anew and while it has no number. With
the file goes the unit's number, so it is taken away again, whatever came of it, and so is the way through USB.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from profiles.errors import SchoolbagError
from provision.agents import headwind
from provision.android.actions import CLEAR, ELSEWHERE, Enrol
from provision.android.adb import Link
from provision.android.command import script
from provision.errors import DeviceError, Refused
from provision.owned import BenchServer, Heard

_SLICE = 5.0
_SLICES = 24
"""Two minutes without a step ahead: the agent starts, asks, asks once more after 15 s, sets its rules, and tells how it
is. While it fetches files, they do not count."""

_SLICES_KNOWN = 8

_SECONDS = 60.0

# Only a process that is new asks at once, and only a screen that is new reads the file: hence the force-stop, and the
# flags NEW_TASK and CLEAR_TASK where that is refused. The screen is lit, since many phones make none behind a dark one.
_START = """
am force-stop "$2" >/dev/null 2>&1
input keyevent KEYCODE_WAKEUP >/dev/null 2>&1
am start -f 0x10008000 -n "$1" 2>&1
"""
# What it would else ask for on its screen, and tell as missing for ever; a phone that refuses it loses nothing (§2.1).
_FIRST_START = f"""
for op in SYSTEM_ALERT_WINDOW GET_USAGE_STATS; do cmd appops set "$2" $op allow >/dev/null 2>&1; done
{_START}
n=0
while [ ! -d "$3" ] && [ $n -lt 10 ]; do sleep 0.5; n=$((n + 1)); done
am force-stop "$2" >/dev/null 2>&1
[ -d "$3" ] || mkdir -p "$3"
"""
_COPY = 'cp "$1" "$2"; rm -f "$1"'
_SIZE = 'wc -c < "$1"'

_NO_WAY_IN = (
    "Look on its screen for a question and answer it, then run again; if it stays so, this phone lets no computer into "
    "apps' folders: leave the owner out of its profile, or take testdpc."
)
_ERASE = "erase it by the keys of its recovery menu and run again."
_LOOK = "Look on the phone: answer what the agent asks on its screen, unlock it, and run again; if it stays so, "
_WHY = {
    Heard.NOTHING: ("The agent did not come to ask what the phone should be.", f"{_LOOK}{_ERASE}"),
    Heard.MISSIGNED: (
        "The agent was built with another secret than this profile names.",
        f"Put the secret of its build into the profile and run again, or take another APK, and {_ERASE}",
    ),
    Heard.ANSWERED: (
        "The agent was answered what the phone should be, but has not told that it finished.",
        f"{_LOOK}see whether there is room on it for all files and apps, or {_ERASE}",
    ),
}


def enrol(link: Link, action: Enrol) -> None:
    """See :class:`provision.android.actions.Enrol`. Returns when the server has answered it and heard how it is."""
    try:
        with _reached(link, action.server):
            _enrol(link, action)
    except DeviceError:
        raise
    except SchoolbagError as error:  # it is the registry that cannot; the other items of the device go on
        raise Refused(error.what, error.next_action) from error


def _enrol(link: Link, action: Enrol) -> None:
    try:
        heard = _known(link, action) if action.known else Heard.NOTHING
        if heard is Heard.NOTHING and not action.kept:
            heard = _anew(link, action)
        if heard is not Heard.TOLD:
            raise Refused(*_WHY[heard])
    finally:
        with contextlib.suppress(SchoolbagError):
            _fresh(link).shell(CLEAR.command.raw, _SECONDS)


def _known(link: Link, action: Enrol) -> Heard:
    """By the number that it may have; the server has to know first what to answer it with."""
    action.server.renew()
    return _asked(link, action, _SLICES if action.kept else _SLICES_KNOWN)


def _anew(link: Link, action: Enrol) -> Heard:
    """By a number that is made for it."""
    number = action.server.number()
    _shell(link, _FIRST_START, headwind.SCREEN, headwind.PACKAGE, headwind.FOLDER)
    _place(link, headwind.enrolment(number, headwind.BENCH).encode())
    return _asked(link, action, _SLICES)


@contextlib.contextmanager
def _reached(link: Link, server: BenchServer) -> Iterator[None]:
    """Have the server reached from the phone. The way is taken away at the end, even if we are told to stop."""
    remote = f"tcp:{headwind.BENCH_PORT}"
    link.reverse(remote, f"tcp:{server.port}")
    try:
        yield
    finally:
        with contextlib.suppress(SchoolbagError):
            _fresh(link).reverse_remove(remote)


def _fresh(link: Link) -> Link:
    """One that was not told to stop."""
    return link.server.link(link.listed)


def _asked(link: Link, action: Enrol, slices: int) -> Heard:
    """Start the agent, and wait until it has asked and told: here, or at home already, where it moves if it can reach
    that. It is given up when it comes no further for so many slices; who was answered has as many as a new one.

    Between two looks the phone is asked whether it is still there.
    """
    since = time.monotonic()
    said = _shell(link, _START, headwind.SCREEN, headwind.PACKAGE)
    if "Error" in said or "Exception" in said:
        raise Refused("The agent does not start.", "Check that the profile has the right APK of it.", evidence=said)
    idle = 0
    while True:
        heard = action.server.wait(since, _SLICE)
        if heard is Heard.TOLD or action.agent.now().home:
            return Heard.TOLD
        if heard is Heard.FETCHING:
            idle = 0
        elif heard is Heard.MISSIGNED or (idle := idle + 1) >= (_SLICES if heard is Heard.ANSWERED else slices):
            return heard
        _shell(link, ":")


def _place(link: Link, text: bytes) -> None:
    """By the first way that the phone lets us take; that it is there is read back."""
    with contextlib.suppress(Refused):
        link.push(text, headwind.ENROLMENT)
    if _is_there(link, len(text)):
        return
    with contextlib.suppress(Refused):
        link.push(text, ELSEWHERE, mode=0o600)
        _shell(link, _COPY, ELSEWHERE, headwind.ENROLMENT)
    if not _is_there(link, len(text)):
        raise Refused("This phone does not let the computer put a file into the agent's folder.", _NO_WAY_IN)


def _is_there(link: Link, size: int) -> bool:
    return _shell(link, _SIZE, headwind.ENROLMENT).strip() == str(size)


def _shell(link: Link, text: str, *words: str) -> str:
    result = link.shell(script(text, *words).raw, _SECONDS)
    return (result.stdout + result.stderr).decode("utf-8", "replace")
