"""The face that every device shows to the four verbs, whatever its platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from provision.model import Action, Identity
from provision.setting import Answer, Reader, Setting


class Device(Protocol):
    """An attached device, identified. ``address`` is where it is now, ``port`` the socket it hangs on ("" unknown).

    ``ask`` and ``perform`` raise :class:`provision.errors.DeviceError`; nothing else touches the device.
    """

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> str: ...
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
