"""The bench: which devices hang on it, which of them a command means, and a thread for each.

Every device is identified before anything else is asked of it: the address says where it is, the serial who it is.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from profiles.errors import SchoolbagError
from provision.android.adb import default_serial
from provision.device import READY, Device, Door, Place
from provision.doors import NotWanted, Silent
from provision.errors import DeviceError, NoServer, NotReady
from provision.text import local_time
from provision.usb.tree import Listed

T = TypeVar("T")
R = TypeVar("R")

_TRUST = 5.0
"""Seconds that a person is waited for at a time: so long may it take until a Ctrl-C is heard."""

LET_IN_SECONDS = 60.0
"""So long may it take until somebody has tapped Trust on a device, or unlocked it, where a command waits for that."""

_PAUSE = 1.0
"""Seconds between two questions to a device that says at once that it is not ready."""

_DOORS = {"android": "adb", "ios": "usbmuxd"}


@dataclass(frozen=True)
class Attached:
    """A device on the bench. Without ``device`` it cannot be worked on, and ``problem`` says why.

    ``door`` is where it can be asked again, when a person has done something about the problem.
    """

    place: Place
    device: Device | None = None
    problem: DeviceError | None = None
    door: Door | None = None

    @property
    def address(self) -> str:
        return self.place.address

    @property
    def port(self) -> str:
        return self.place.port

    @property
    def state(self) -> str:
        return self.place.state

    @property
    def waits(self) -> bool:
        """Whether it is one tap of a person away from being ready."""
        return self.state == READY and isinstance(self.problem, NotReady) and self.door is not None

    def fields(self) -> dict[str, object]:
        """As JSON lines write it (docs/json.md, ``device``)."""
        who = self.device.identity if self.device else None
        return {
            "address": self.address,
            "port": self.port,
            "state": self.state,
            "serial": self.serial,
            "platform": self.place.platform,
            "maker": who.maker if who else "",
            "model": who.model if who else "",
            "version": who.version if who else "",
            "problem": self.problem.what if self.problem else "",
            "next_action": self.problem.next_action if self.problem else "",
        }

    def listed(self) -> Listed:
        """As the map of USB places it."""
        who = self.device.identity if self.device else None
        problem = (self.problem.what, self.problem.next_action) if self.problem else ("", "")
        name = f"{who.maker} {who.model}" if who else ""
        door = _DOORS[self.place.platform]
        return Listed(self.address, self.port, self.state, self.serial, name, *problem, door=door)

    @property
    def where(self) -> str:
        """Address and port, for people."""
        return f"{self.address} ({self.port})" if self.port else self.address

    @property
    def serial(self) -> str:
        return self.device.identity.serial if self.device else ""

    def answers_to(self, name: str) -> bool:
        return name in {self.address, self.serial, f"usb:{self.port}"} - {"", "usb:"}


class SelectionError(SchoolbagError):
    """The command does not say which devices it means, or names one that is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Found:
    """What hangs on the bench. ``silent``: the ways in that should answer and do not."""

    attached: tuple[Attached, ...]
    silent: tuple[Silent, ...] = ()


def attach_all(doors: Sequence[Door]) -> Found:
    """Every device that a door lists, identified side by side; clashes and unusable states are said in place.

    Nobody is asked to let this computer in. Raises NoServer when a door that should answer does not and the others list
    nothing.
    """
    listed, silent = _listed(doors)
    return Found(_without_clashes(side_by_side(lambda one: attach(*one), listed)), silent)


def _listed(doors: Sequence[Door]) -> tuple[tuple[tuple[Door, Place], ...], tuple[Silent, ...]]:
    listed: list[tuple[Door, Place]] = []
    silent: list[Silent] = []
    for door in doors:
        try:
            door.ensure()
            listed += [(door, place) for place in door.places()]
        except NoServer as error:
            silent.append(Silent(door.platform, error))
    wanted = tuple(one for one in silent if not isinstance(one.error, NotWanted))
    if wanted and not listed:
        raise wanted[0].error
    return tuple(listed), wanted


def attach(door: Door, place: Place, trust: float | None = None) -> Attached:
    """One listed device, identified; ``problem`` says why it cannot be worked on. Whether it is alone is not known.

    ``trust``: seconds to wait for a person who lets this computer in.
    """
    attached = Attached(place, door=door)
    try:
        return _with_serial(replace(attached, device=door.attach(place, trust=trust)))
    except DeviceError as problem:
        return replace(attached, problem=problem)


def let_in(
    place: Attached, over: threading.Event, tell: Callable[[Attached], None], seconds: float = math.inf
) -> Attached:
    """Ask a device that waits for a person again, until it is ready, cannot be made so, or ``over`` is set.

    ``tell`` hears what it waits for, whenever that is something else; after ``seconds`` the last answer stands.
    """
    said = ""
    until = time.monotonic() + seconds
    while place.waits and place.door and not over.is_set() and (left := until - time.monotonic()) > 0:
        if str(place.problem) != said:
            said = str(place.problem)
            tell(place)
        place = attach(place.door, place.place, trust=min(_TRUST, left))
        if place.waits:
            over.wait(min(_PAUSE, left))
    return place


class Company:
    """The devices that one command works with, some of which say who they are only when they let this computer in.

    ``over`` is set at Ctrl-C. ``tell`` hears what a device waits for.
    """

    def __init__(self, places: Iterable[Attached], tell: Callable[[Attached], None]) -> None:
        self.over = threading.Event()
        self._tell = tell
        self._here = {place.serial: place for place in places if place.device}
        self._clashes: dict[str, NotReady] = {}
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End what is under way on any of them."""
        self.over.set()
        for place in tuple(self._here.values()):
            if place.device:
                place.device.stop()

    def let_in(self, place: Attached) -> Attached:
        """Wait for a person who lets this computer in; where nobody does, the problem stays.

        A device of a serial that is here already is a clash: the other is stopped, and this one has the problem.
        """
        if not place.waits:
            return place
        place = let_in(place, self.over, self._tell, LET_IN_SECONDS)
        if place.device is None:
            return place
        with self._lock:
            double = self._here.setdefault(place.serial, place)
            if double is not place:
                self._clashes[place.serial] = clash(place.serial, [double.where, place.where])
                if double.device:
                    double.device.stop()
                return replace(place, device=None, problem=self._clashes[place.serial])
        if self.over.is_set():
            place.device.stop()
        return place

    def clash_of(self, place: Attached) -> NotReady | None:
        """Whether a device was found to have a double meanwhile, and which."""
        with self._lock:
            return self._clashes.get(place.serial)


def _without_clashes(devices: Iterable[Attached]) -> tuple[Attached, ...]:
    """Two addresses with one serial are a clash: neither may be written to, and both are named."""
    places = tuple(devices)
    by_serial: dict[str, list[str]] = defaultdict(list)
    for place in places:
        if place.device:
            by_serial[place.serial].append(place.where)
    return tuple(
        replace(place, device=None, problem=clash(place.serial, same), door=None)
        if len(same := by_serial.get(place.serial, [])) > 1
        else place
        for place in places
    )


def _with_serial(place: Attached) -> Attached:
    if place.device and not place.serial:
        return replace(
            place,
            device=None,
            door=None,
            problem=NotReady(
                f"The device at {place.address} does not say its serial number.",
                "It cannot be kept account of; put it aside.",
            ),
        )
    return place


def clash(serial: str, places: Sequence[str]) -> NotReady:
    """What is told of every device of one serial, where there are several."""
    return NotReady(
        f"{len(places)} devices say they are {serial}: {', '.join(places)}.",
        "Nothing more is written to any of them. Unplug all but one.",
    )


def select(
    attached: Sequence[Attached],
    names: Sequence[str],
    everything: bool,
    serial_of: Callable[[str], str | None],
    last_seen: Callable[[str], str | None] = lambda _: None,
) -> tuple[Attached, ...]:
    """The devices that a command means: by serial, tag or address, all, that of ``ANDROID_SERIAL``, or the only one.

    ``serial_of`` gives the serial behind a tag, ``last_seen`` when (UTC) a known device was last on a bench. Raises
    SelectionError (exit 2), and nothing has been done.
    """
    if everything and names:
        raise SelectionError(
            f"Devices are named, and --all is given too: {', '.join(names)}.", "Give one or the other."
        )
    if everything:
        if not attached:
            raise SelectionError("No device is attached.", _PLUG_IN)
        return tuple(attached)
    if not everything and not names and (usual := default_serial()):
        names = (usual,)
    if names:
        found = (_named(attached, name, serial_of, last_seen) for name in names)
        return tuple({place.address: place for place in found}.values())
    if len(attached) == 1:
        return tuple(attached)
    if not attached:
        raise SelectionError("No device is attached.", _PLUG_IN)
    listed = ", ".join(place.serial or place.address for place in attached)
    raise SelectionError(
        f"{len(attached)} devices are attached and none was named.", f"Name one or more of {listed}, or pass --all."
    )


_PLUG_IN = (
    "Plug one in. On an Android device switch on USB debugging and accept this computer, on an iPhone or iPad tap "
    "Trust; fleet devices shows what is seen."
)


def _named(
    attached: Sequence[Attached],
    name: str,
    serial_of: Callable[[str], str | None],
    last_seen: Callable[[str], str | None],
) -> Attached:
    meant = name if any(place.answers_to(name) for place in attached) else serial_of(name) or name
    found = [place for place in attached if place.answers_to(meant)]
    if not found:
        before = f"; it was last seen on {local_time(at)}" if (at := last_seen(name)) else ""
        raise SelectionError(f"No attached device is {name}{before}.", "fleet devices shows what is seen.")
    return found[0]


def side_by_side(
    work: Callable[[T], R], items: Sequence[T], interrupt: Callable[[], bool] = lambda: False
) -> tuple[R, ...]:
    """``work`` on every item at once, one thread each; results in the order of the items.

    ``interrupt`` is called at Ctrl-C and has to make ``work`` end soon. When it returns True the results are wanted all
    the same, else KeyboardInterrupt goes on.
    """
    if not items:
        return ()
    with ThreadPoolExecutor(max_workers=len(items), thread_name_prefix="device") as pool:
        with _no_interrupt():
            futures = [pool.submit(work, item) for item in items]
        try:
            return tuple(future.result() for future in futures)
        except KeyboardInterrupt:
            if not interrupt():
                raise
            return tuple(future.result() for future in futures)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C waits: a thread that is only half known to its pool could not be waited for."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
