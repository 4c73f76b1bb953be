"""A virtual iPhone on its cable: its ports, the faults that strike it, what has passed."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from provision.virtual.faults import Fault, Faults
from provision.virtual.ios import lockdownd, plain
from provision.virtual.ios.muxer import Muxer
from provision.virtual.ios.phone import Host, Phone
from provision.virtual.ios.services import SERVICES
from provision.virtual.ios.stream import Closed, Stream
from provision.virtual.ios.trust import Trust
from provision.virtual.pace import Pace

_FIRST_PORT = 49152
_WAITING = 64
"""Services that may be started and not connected to; older ones are forgotten."""
_LOCKDOWN = "lockdownd"

Emit = Callable[[dict[str, Any]], None]


class Device:
    """A phone and its cable. ``plug`` makes usbmuxd list it, ``unplug`` cuts everything that runs over it.

    ``buses`` are the paces of the link and the USB bus that it shares, ``place`` its socket: 1, 2, 3, …
    """

    def __init__(self, phone: Phone, muxer: Muxer, emit: Emit, *, place: int = 1, buses: tuple[Pace, ...] = ()) -> None:
        self.phone = phone
        self.trust = Trust(phone)
        self.faults = Faults()
        self.traced = False
        self._install_pace = phone.tree["install_seconds_per_mb"]
        self.location = 0x14000000 + (place << 20)
        self.product_id = 0x12AB if phone.tree["values"][""]["DeviceClass"] == "iPad" else 0x12A8
        self._muxer = muxer
        self._emit = emit
        self._buses = buses
        self._slow: tuple[Fault, Pace] | None = None
        self._lock = threading.Lock()
        self._plugging = threading.RLock()
        self._number: int | None = None
        self._streams: set[Stream] = set()
        self._ports: OrderedDict[int, tuple[str, Host]] = OrderedDict()
        self._next_port = _FIRST_PORT
        self._silenced = False
        self._received: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()
        phone.detach, phone.attach, phone.on_erase = self._leave, self.plug, self._erased
        phone.on_waiting = self._waiting

    @property
    def udid(self) -> str:
        return self.phone.udid

    @property
    def address(self) -> str:
        return self.phone.udid

    @property
    def serial(self) -> str:
        return self.phone.serial

    @property
    def preset(self) -> str:
        return self.phone.preset

    # The cable ------------------------------------------------------------------------------------------------

    def plug(self) -> None:
        """usbmuxd lists it, under a new DeviceID."""
        with self._plugging:
            if self._number is not None:
                return
            self._silenced = False
            self._number = self._muxer.plug(self)
        self.tell("plugged", number=self._number)

    def _leave(self) -> None:
        """It restarts, or is switched off."""
        self.unplug(lingers=float(self.phone.tree["lingers"]))

    def unplug(self, replug_after: float | None = None, *, lingers: float = 0.0) -> None:
        """Pull the cable: it leaves usbmuxd's list. It comes back by itself after so many seconds."""
        with self._plugging:
            if self._number is None:
                return
            number, self._number = self._number, None
            self._muxer.unplug(number, lingers)
            with self._lock:
                streams = list(self._streams)
                self._ports.clear()
            for stream in streams:
                stream.cut()
            with self.phone.lock:
                self.trust.unplugged()
        self.tell("unplugged", number=number)
        if replug_after is not None:
            timer = threading.Timer(replug_after, self.plug)
            timer.daemon = True
            timer.start()

    def _erased(self) -> None:
        self.trust.forget()
        self.tell("erased")

    def _waiting(self) -> None:
        """A profile waits in Settings; some people see to it by themselves."""
        after = self.phone.tree["installs"]
        if after == "ask":
            return
        timer = threading.Timer(float(after), self._install)
        timer.daemon = True
        timer.start()

    def _install(self) -> None:
        with contextlib.suppress(ValueError):  # another tap was faster, or the phone refuses it
            self.phone.tap_install()

    # Connections ----------------------------------------------------------------------------------------------

    def open_port(self, service: str, host: Host) -> int:
        """A port on which that service waits for one connection of that computer."""
        with self._lock:
            port, self._next_port = self._next_port, self._next_port + 1
            if self._next_port > 0xFFFF:
                self._next_port = _FIRST_PORT
            self._ports[port] = (service, host)
            while len(self._ports) > _WAITING:
                self._ports.popitem(last=False)
            return port

    def connect(self, port: int) -> Callable[[socket.socket], None] | None:
        if port == lockdownd.PORT:
            return lambda sock: self._run(Stream(sock, _LOCKDOWN, self), self._lockdown)
        with self._lock:
            waiting = self._ports.pop(port, None)
        if waiting is None:
            return None
        service, host = waiting
        return lambda sock: self._run(Stream(sock, service, self), lambda stream: self._serve(stream, host))

    def _run(self, stream: Stream, serve: Callable[[Stream], None]) -> None:
        with self._lock:
            self._streams.add(stream)
            self._opened[stream.service] += 1
        try:
            if self._number is None:
                return
            latency = self.faults.held("latency")
            if latency is not None:
                time.sleep(latency.seconds)
            serve(stream)
        except Closed:
            pass
        finally:
            with self._lock:
                self._streams.discard(stream)
            stream.close()

    def _lockdown(self, stream: Stream) -> None:
        lockdownd.Talk(stream, self.phone, self.trust, self).run()

    def _serve(self, stream: Stream, host: Host) -> None:
        if self.traced:
            self.tell("service", name=stream.service)
        struck = self.faults.on_service(stream.service)
        if struck is not None:
            self._strike(struck, stream.service)
        with self.phone.lock:
            context = self._context(host)
        stream.start_tls(context)
        SERVICES[stream.service](stream, self.phone)

    def _context(self, host: Host) -> ssl.SSLContext:
        if host.host_id not in self.phone.hosts:
            raise Closed("it was unpaired meanwhile")
        return self.trust.context(host)

    # What passes the cable ------------------------------------------------------------------------------------

    def arriving(self, service: str, size: int) -> int:
        self.leaving(service, size)
        struck = self.faults.on_bytes(service, size)
        fault, through = struck or (None, size)
        if fault is not None and fault.kind == "locks":
            through = size  # it goes on over the connections that it has
        with self._lock:
            self._received[service] += through
        if fault is not None:
            self._strike(fault, service)
        return through

    def leaving(self, _service: str, size: int) -> None:
        if self._number is None:
            raise Closed("the cable was pulled")
        self._pace(size)
        if self._silenced or self.faults.held("silent") is not None:
            self._wait_for_the_end()

    def _pace(self, size: int) -> None:
        for pace in self._buses:
            pace.pay(size)
        slow = self.faults.held("slow_link")
        if slow is not None:
            if self._slow is None or self._slow[0] is not slow:
                self._slow = (slow, Pace(slow.rate))
            self._slow[1].pay(size)

    def _wait_for_the_end(self) -> None:
        """Say nothing until the cable is pulled, or the fault is cleared, after which all has to start anew."""
        while self._number is not None and (self._silenced or self.faults.held("silent") is not None):
            time.sleep(0.05)
        raise Closed("it said nothing any more")

    # Faults ---------------------------------------------------------------------------------------------------

    def set_fault(self, fault: Fault) -> None:
        """From now on this fault lies in wait, or holds at once."""
        self.faults.add(fault)
        self._tell_phone()
        if fault.kind == "locks" and fault.at_once:
            self._strike(fault, "")

    def clear_faults(self) -> None:
        self.faults.clear()
        self._silenced = False
        self._tell_phone()

    def _tell_phone(self) -> None:
        slow, refused = self.faults.held("slow_install"), self.faults.held("install_refused")
        self.phone.tree["install_seconds_per_mb"] = slow.seconds_per_mb if slow else self._install_pace
        self.phone.install_refused = refused.text if refused else ""
        self.phone.full = self.faults.held("storage_full") is not None

    def _strike(self, fault: Fault, what: str) -> None:
        """Let it happen. Raises Closed where the connection at hand ends by it."""
        self.tell("fault", fault=fault.to_dict(), what=what)
        if fault.kind == "locks":
            with self.phone.lock:
                self.phone.locked = self.phone.has_passcode = True
            return
        if fault.kind == "unplug":
            self.unplug(fault.replug_after)
            raise Closed("the cable was pulled")
        self._silenced = True
        self._wait_for_the_end()

    # Telling --------------------------------------------------------------------------------------------------

    def tell(self, event: str, **more: Any) -> None:
        self._emit({"event": event, "serial": self.phone.serial, "address": self.udid} | more)

    def state(self) -> dict[str, Any]:
        """All of the phone, its files with size and SHA-256, and what has passed."""
        with self._lock:
            opened, received = dict(self._opened), dict(self._received)
        with self.phone.lock:
            held = plain.phone(self.phone)
            dialog = self.trust.dialog
        return {
            **held,
            "address": self.udid,
            "plugged": self._number is not None,
            "number": self._number,
            "dialog": dialog,
            "files": {
                str(path.relative_to(self.phone.home)): {"size": size, "sha256": _digest(path)}
                for path, size in sorted(self.phone.files())
            },
            "opened": opened,
            "received": received,
            "faults": [fault.to_dict() for fault in self.faults.all],
        }


def _digest(path: Any) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
