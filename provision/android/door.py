"""The door by which Android devices come in: the adb server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from provision.android import device
from provision.android.adb import Listed, Server, explain_state
from provision.android.device import AndroidDevice
from provision.android.server import ensure_server, server_from_environment
from provision.android.settings import READERS, SETTINGS
from provision.device import READY, Place


class AdbDoor:
    """An adb server, by default the one that adb itself would talk to. Satisfies :class:`provision.device.Door`.

    The number of a place is adb's transport id. Nobody is waited for: a device that does not trust this computer asks
    its owner by itself, and is listed anew when it was let in.
    """

    platform = "android"

    def __init__(self, server: Callable[[], Server] = server_from_environment) -> None:
        self._server = server

    def ensure(self) -> None:
        """See :meth:`provision.device.Door.ensure`."""
        ensure_server(self._server())

    def places(self) -> tuple[Place, ...]:
        """See :meth:`provision.device.Door.places`."""
        return tuple(_place(listed) for listed in self._server().devices())

    @contextmanager
    def track(self) -> Iterator[Iterator[tuple[Place, ...]]]:
        """See :meth:`provision.device.Door.track`."""
        with self._server().track() as tracker:
            yield (tuple(_place(listed) for listed in all_listed) for all_listed in tracker)

    def attach(self, place: Place, *, trust: float | None = None) -> AndroidDevice:  # noqa: ARG002
        """See :meth:`provision.device.Door.attach`. A link that is listed but dead is noticed after 10 s of silence."""
        listed = Listed(place.address, place.state, place.number, place.port)
        if place.state != READY:
            raise explain_state(listed)
        return device.attach(self._server(), listed, READERS, SETTINGS)


def _place(listed: Listed) -> Place:
    return Place("android", listed.address, listed.usb, listed.state, listed.transport_id, listed.model)
