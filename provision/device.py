"""The faces that every platform shows: a device to the four verbs, and the door by which devices come in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from provision.model import Action, Identity
from provision.setting import Answer, Reader, Setting


class Device(Protocol):
    """An attached device, identified. ``address`` is where it is now, ``port`` the socket it hangs on ("" unknown),
    ``number`` that of its place (:class:`Place`). ``away``: it was sent away by our own doing, an erasing, and comes
    back with another number.

    ``ask`` and ``perform`` raise :class:`provision.errors.DeviceError`; nothing else touches the device.
    """

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def away(self) -> bool: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def readers(self) -> Mapping[str, Reader[Any]]: ...
    @property
    def settings(self) -> Mapping[str, Setting[Any]]: ...

    def ask(self, questions: Mapping[str, Any], /) -> Mapping[str, Answer]:
        """The answers to all questions, in one round trip. A question without an answer is a DeviceError."""
        ...

    def perform(self, action: Action, progress: Callable[[int], None], /) -> None:
        """Do it, calling ``progress`` with the bytes sent since the last call."""
        ...

    def stop(self) -> None:
        """End whatever is under way, from any thread; it and all that follows raises Stopped."""
        ...


READY = "device"
"""The state of a listed device that can be asked who it is; adb's word for it."""


@dataclass(frozen=True)
class Place:
    """A device as its door lists it. ``port`` is the socket it hangs on ("" unknown), ``number`` changes whenever it is
    plugged in anew, ``name`` is what the door knows of it, for people."""

    platform: str
    address: str
    port: str
    state: str
    number: int = 0
    name: str = ""

    @property
    def key(self) -> Hashable:
        """While this stays the same, so does what is plugged in there."""
        return self.platform, self.address, self.number, self.state


class Door(Protocol):
    """One of the bench's ways in: the adb server, or usbmuxd. Thread-safe."""

    @property
    def platform(self) -> str: ...

    def ensure(self) -> None:
        """See that it is there, starting it where that is possible. Raises NoServer."""
        ...

    def places(self) -> tuple[Place, ...]:
        """All that is listed now. Raises NoServer."""
        ...

    def track(self) -> AbstractContextManager[Iterator[tuple[Place, ...]]]:
        """All that is listed now, and again after every change, until the server goes (NoServer) or it is closed."""
        ...

    def attach(self, place: Place, *, trust: float | None = None) -> Device:
        """Identify what is at ``place``. Raises DeviceError where it cannot be asked.

        ``trust``: seconds to wait for a person who lets this computer in; ``None`` does not ask to be let in.
        """
        ...
