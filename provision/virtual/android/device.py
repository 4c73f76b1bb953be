"""One virtual phone on its cable: the port it answers on, the faults that strike it, what has passed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from provision.virtual.android import faults as fault_kinds
from provision.virtual.android import presets, services
from provision.virtual.android.files import Files
from provision.virtual.android.headwind.agent import Agent
from provision.virtual.android.headwind.memory import PACKAGE
from provision.virtual.android.internet import Internet
from provision.virtual.android.paths import SCRATCH, SHARED, join
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Disconnected, Process, Program
from provision.virtual.android.server import AdbServer
from provision.virtual.android.shell.main import sh
from provision.virtual.android.toybox import applets
from provision.virtual.android.wire import Connection, Stream
from provision.virtual.faults import Fault, Faults
from provision.virtual.pace import Pace

_NEW_TEXT_API = 30
_BOOT_SECONDS = 2.0
_ADB_OFF_SECONDS = 0.3
"""From the setting to the end of adbd [inferred]."""
_ONLINE_SECONDS = 20.0
SCREEN = f"{PACKAGE}/{PACKAGE}.ui.MainActivity"
"""The activity of the agent that reads its enrolment."""

Emit = Callable[[dict[str, Any]], None]


class Device:
    """A phone with its adb daemon. ``plug`` attaches it to the adb server, ``unplug`` takes it away.

    ``buses`` are the paces of the link and the USB bus that it shares. Unplugging keeps the phone as it is.
    """

    def __init__(self, phone: Phone, server: AdbServer, emit: Emit, *, buses: tuple[Pace, ...] = ()) -> None:
        self.phone = phone
        self.api = phone.api
        self.features = phone.features
        self.reversed: dict[str, str] = {}
        self.faults = Faults()
        self.traced = False
        self.programs: dict[str, Program] = {
            **applets(phone.api),
            **phone.programs,
            "sh": sh,
            "nc": partial(services.nc, self),
        }
        self._server = server
        self._emit = emit
        self._buses = buses
        self._slow: tuple[Fault, Pace] | None = None
        self._count = threading.Lock()
        self._opened: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._plugging = threading.RLock()
        self._plugged = False
        self._answers = False
        self._connection: Connection | None = None
        self._struck: Fault | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._move_in(phone)
        threading.Thread(target=self._accept, name=f"accept {phone.serial}", daemon=True).start()

    def _move_in(self, phone: Phone) -> None:
        """From now on this is the phone: what it holds, and the agent that may come to run on it."""
        self.phone = phone
        self.files: Files = phone.files
        self.internet = Internet(phone, self.connect)
        self.agent = Agent(phone, self.internet)
        phone.on_reboot = self.reboot
        phone.on_adb_off = lambda: self.later(_ADB_OFF_SECONDS, self.unplug)
        phone.on_wipe = self.erase
        phone.on_start = self._start_agent
        phone.on_stop = lambda package: self.agent.stop() if package == PACKAGE else None
        phone.on_replaced = self._restart

    @property
    def serial(self) -> str:
        return self.phone.serial

    @property
    def preset(self) -> str:
        return self.phone.preset

    # The cable ------------------------------------------------------------------------------------------------

    def plug(self) -> None:
        """Attach to the adb server and wait until it lists the phone.

        Where it waited to be set up, or had no USB debugging, somebody sees to that first, unless a restriction bars
        it: then the cable only charges it.
        """
        if "no_debugging_features" in self.phone.user_restrictions:
            self.tell("plugged", adb=False)
            return
        self._set_up()
        with self._plugging:
            self._plugged = self._answers = True
            self._server.connect(self.address)
            wanted = "unauthorized" if self.faults.held("unauthorized") else "device"
            end = time.monotonic() + _ONLINE_SECONDS
            while self._plugged and self._server.state(self.address) != wanted and time.monotonic() < end:
                time.sleep(0.01)
        self.tell("plugged")
        if self.faults.held("offline"):
            self._hang_up()

    def _set_up(self) -> None:
        wanted = {"adb_enabled": "1", "development_settings_enabled": "1", "device_provisioned": "1"}
        with self.phone.lock:
            if self.phone.settings["global"].get("adb_enabled") == "0":
                self.phone.settings["global"] |= wanted
                self.phone.settings["secure"]["user_setup_complete"] = "1"

    def unplug(self, replug_after: float | None = None) -> None:
        """Pull the cable: the phone leaves the adb server's list. It comes back by itself after so many seconds."""
        with self._plugging:
            if not self._plugged:
                return
            self._plugged = self._answers = False
            connection, self._connection = self._connection, None
            if connection:
                connection.freeze()
            with contextlib.suppress(OSError):
                self._server.disconnect(self.address)
            if connection:
                connection.cut()
            self.reversed.clear()
        self.tell("unplugged")
        if replug_after is not None:
            self.later(replug_after, self.plug)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()

    def reboot(self, mode: str = "") -> None:
        """Restart the phone: it leaves and comes back. In another ``mode`` than "" it stays away."""
        self.tell("reboot", mode=mode)
        self.agent.stop()
        self.unplug(_BOOT_SECONDS if mode == "" else None)
        if mode == "":
            self.later(_BOOT_SECONDS, self._boot)

    def _boot(self) -> None:
        """The agent is told of the start, unless somebody force-stopped it."""
        package = self.phone.packages.installed(PACKAGE, 0)
        if package is not None and not package.state(0).stopped:
            self.agent.start()

    def _start_agent(self, activity: str, anew: bool) -> None:
        if activity == SCREEN:
            self.agent.start(anew=anew)

    def _restart(self, package: str) -> None:
        """An app was replaced: its process is killed, and begins anew where it lived."""
        if package == PACKAGE and self.agent.state()["running"]:
            self.agent.stop()
            self.agent.start()

    def erase(self) -> None:
        """All of its data goes, and it waits to be set up: no agent, no USB debugging. Who plugs it in sets it up."""
        self.agent.stop()
        old = self.phone
        times = int(old.tree["erased"]) + 1
        root = old.files.root.with_name(f"{old.files.root.name.partition('~')[0]}~{times}")
        phone = Phone(old.preset, presets.erased(old.preset, old.overrides, times), old.files.empty(root))
        phone.sims, phone.imei, phone.battery, phone.time_shift = old.sims, old.imei, old.battery, old.time_shift
        self.unplug()
        self._move_in(phone)
        self.tell("erased")

    def close(self) -> None:
        """Take the phone away for good."""
        self.agent.stop()
        self.unplug()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            if not self._answers:
                link.close()
                continue
            if self._connection:
                self._connection.cut()
            self._connection = connection = Connection(self, link)
            threading.Thread(target=self._run, args=(connection,), name=f"adb {self.address}", daemon=True).start()

    def _run(self, connection: Connection) -> None:
        connection.run()
        if self._connection is connection:
            self._connection = None

    # What the wire asks ---------------------------------------------------------------------------------------

    def banner(self) -> str:
        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        known = "".join(f"{name}={self.phone.properties.get(name, '')};" for name in names)
        return f"device::{known}features={','.join(self.features)}"

    def accepts_key(self) -> bool:
        return self.faults.held("unauthorized") is None

    def pace(self, size: int) -> None:
        for pace in self._buses:
            pace.pay(size)
        slow = self.faults.held("slow_link")
        if slow is not None:
            if self._slow is None or self._slow[0] is not slow:
                self._slow = (slow, Pace(slow.rate))
            self._slow[1].pay(size)

    def arriving(self, stream: Stream, size: int) -> int | None:
        struck = self.faults.on_bytes(stream.kind, size)
        arrived = size if struck is None else struck[1]
        with self._count:
            self._received[stream.kind] += arrived
        if struck is None:
            return None
        self._struck = struck[0]
        return arrived

    def torn(self, stream: Stream) -> None:
        if self._struck is not None:
            with contextlib.suppress(Disconnected):
                self.strike(self._struck, f"{stream.kind} bytes")

    def opened(self, stream: Stream) -> Callable[[Stream], None] | None:
        with self._count:
            self._opened[stream.kind] += 1
        if self.traced:
            self.tell("service", name=stream.name[:400])
        fault = self.faults.on_service(stream.kind)
        if fault is not None:
            with contextlib.suppress(Disconnected):
                self.strike(fault, stream.name[:80])
            return None
        silent = self.faults.held("silent")
        if silent is not None:
            return _never
        latency = self.faults.held("latency")
        if latency is not None:
            time.sleep(latency.seconds)
        return services.find(self, stream.name)

    def connect(self, local: str) -> Stream | None:
        """Something on the phone connects to what ``adb reverse`` brought to ``local`` (``tcp:8080``)."""
        there = self.reversed.get(local)
        return self.dial(there) if there else None

    def dial(self, remote: str) -> Stream | None:
        """A stream to ``tcp:PORT`` on the computer, or None when it is refused."""
        connection = self._connection
        return connection.open(remote) if connection else None

    # Programs -------------------------------------------------------------------------------------------------

    def start(self, process: Process) -> int:
        """Run a process that adbd starts, a shell as a rule: no command of a script, so no fault strikes it."""
        return sh(process)

    def launch(self, process: Process, program: Program | None = None) -> int:
        """Run one command. Faults with ``at`` strike before or after it."""
        text = " ".join(process.argv)
        if self.traced:
            self.tell("program", text=text[:400])
        fault = self.faults.on_command(text, "before")
        if fault is not None and self.strike(fault, text):
            process.out.write(fault_kinds.NOISE[fault.with_])
            return 0
        try:
            status = program(process) if program else self._program(process)
        except OSError as error:
            # A full phone or a file that went away: programs that do not expect it say so and fail.
            process.complain(f"{process.argv[0]}: {error.strerror}\n")
            status = 1
        fault = self.faults.on_command(text, "after")
        if fault is not None:
            self.strike(fault, text)
        return status

    def _program(self, process: Process) -> int:
        name = process.argv[0]
        if "/" not in name:
            found = self.programs.get(name)
            return found(process) if found else self._missing(process)
        try:
            real = self.files.resolve(join(process.cwd, name), uid=process.uid)
            directory, _, base = real.rpartition("/")
            if directory == "/system/bin" and base in self.programs:
                return self.programs[base](process)
            status = self.files.stat(real, uid=process.uid)
        except OSError:
            return self._missing(process)
        if not status.is_regular or not status.mode & 0o111 or real.startswith(SHARED):
            reason = "Is a directory" if status.is_directory else "Permission denied"
            process.complain(f"/system/bin/sh: {name}: can't execute: {reason}\n")
            return 126
        return sh(process.but(argv=["sh", *process.argv]))

    def _missing(self, process: Process) -> int:
        text = "inaccessible or not found" if self.api >= _NEW_TEXT_API else "not found"
        process.complain(f"/system/bin/sh: {process.argv[0]}: {text}\n")
        return 127

    # Faults ---------------------------------------------------------------------------------------------------

    def set_fault(self, fault: Fault) -> None:
        """From now on this fault lies in wait, or holds at once."""
        self.faults.add(fault)
        self._tell_phone()
        if fault.at_once and fault.kind == "offline":
            self._hang_up()

    def clear_faults(self) -> None:
        self.faults.clear()
        self._tell_phone()

    def _tell_phone(self) -> None:
        """What the phone's own services have to know."""
        slow, refused = self.faults.held("slow_install"), self.faults.held("install_refused")
        self.phone.faults.slow_install = slow.seconds_per_mb if slow else 0.0
        self.phone.faults.install_refused = refused.text if refused else None
        self.phone.faults.storage_full = self.files.full = self.faults.held("storage_full") is not None

    def strike(self, fault: Fault, what: str) -> bool:
        """Let it happen. True: the command at hand is to answer noise; else the link is no more."""
        self.tell("fault", fault=fault.to_dict(), what=what)
        if fault.kind == "noise":
            return True
        if fault.kind == "unplug":
            self.unplug(fault.replug_after)
        elif fault.kind == "offline":
            self._hang_up()
        elif self._connection:
            self._connection.ended.wait()
        raise Disconnected

    def _hang_up(self) -> None:
        """Close the line without a word: the adb server keeps us on its list as ``offline``."""
        self._answers = False
        connection, self._connection = self._connection, None
        if connection:
            connection.cut()

    # Telling --------------------------------------------------------------------------------------------------

    def tell(self, event: str, **more: Any) -> None:
        self._emit({"event": event, "serial": self.phone.serial, "address": self.address} | more)

    def state(self) -> dict[str, Any]:
        """All of the phone, its files under shared storage and ``/data/local/tmp``, and what has passed."""
        with self._count:
            opened, received = dict(self._opened), dict(self._received)
        return {
            **self.phone.state(),
            "address": self.address,
            "agent": self.agent.state(),
            "internet": {
                "online": self.internet.online,
                "network": self.internet.network,
                "hosts": dict(self.internet.hosts),
            },
            "plugged": self._plugged,
            "files": self.files.inventory(SHARED, SCRATCH),
            "free": self.files.free,
            "opened": opened,
            "round_trips": sum(opened.values()),
            "received": received,
            "reverse": dict(self.reversed),
            "faults": [fault.to_dict() for fault in self.faults.all],
        }


def _never(stream: Stream) -> None:
    """Take all that comes and say nothing."""
    while stream.take(1 << 20):
        pass
