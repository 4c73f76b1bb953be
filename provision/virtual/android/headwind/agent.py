"""The agent on a phone: when its process lives, when it asks, reports and listens (§3.5)."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from provision.virtual.android.headwind.bringing import grant_itself
from provision.virtual.android.headwind.http import (
    LONG_POLL_TIMEOUT,
    NO_ANSWER,
    Client,
    Reply,
    poll_paths,
    project_path,
)
from provision.virtual.android.headwind.info import device_info
from provision.virtual.android.headwind.memory import HOME, PACKAGE, Build, Memory, build_of
from provision.virtual.android.headwind.updating import Gone, Screen, Updating
from provision.virtual.android.internet import Internet
from provision.virtual.android.packages import SYSTEM
from provision.virtual.android.paths import SHARED
from provision.virtual.android.phone import Phone
from provision.virtual.android.policy import owns

_EVERY = 15 * 60.0
_AFTER_POLL = 5.0
_AFTER_FAILED_POLL = 60.0
_LOG_LINES = 50


class Agent:
    """What there is of the agent on this phone, whether its process lives or not."""

    def __init__(self, phone: Phone, internet: Internet) -> None:
        self._phone = phone
        self._internet = internet
        self._lock = threading.RLock()
        self._uid = 0
        self._process: AgentProcess | None = None
        self.memory = Memory()
        self.screen = Screen()
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.updates: list[str] = []
        self.reports = 0

    def start(self, *, anew: bool = False) -> None:
        """``MainActivity`` is started, in a new process where none lives; else it is only brought to the front, or made
        ``anew``."""
        with self._lock:
            package = self._phone.packages.installed(PACKAGE, 0)
            if package is None:
                return
            if self._process is not None and self._process.lives:
                if anew:
                    self._create(self._process)
                return
            if package.uid != self._uid:  # it was taken away and came again: what it knew went with it
                self._uid, self.memory = package.uid, Memory()
            self._phone.files.mkdir(HOME, parents=True, uid=SYSTEM)
            self._process = AgentProcess(self, self._phone, self._internet, build_of(package, self._phone.files))
            self._process.start()
            self._create(self._process)

    def _create(self, process: AgentProcess) -> None:
        """What ``onCreate`` does: the enrolment counts while it has no number."""
        if not self.memory.number:
            self.memory.read_enrolment(self._phone.files)
        if self.memory.number:
            process.kick("update")

    def stop(self) -> None:
        """Its process is killed."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def kick(self, job: str) -> None:
        """``update`` or ``report`` now. ValueError when its process does not live."""
        with self._lock:
            if self._process is None or not self._process.lives:
                raise ValueError("the agent does not run")
            self._process.kick(job)

    def copy_of(self, other: Agent) -> None:
        """All that the agent of another phone knows comes here, as by an app that moves apps with their data."""
        with self._lock:
            package = self._phone.packages.installed(PACKAGE, 0)
            if package is None:
                raise ValueError("the agent is not installed here")
            self._uid, self.memory = package.uid, deepcopy(other.memory)

    def note(self, line: str) -> None:
        self.log.append(line)

    def state(self) -> dict[str, Any]:
        """For :meth:`Device.state`."""
        memory = self.memory
        process = self._process
        return {
            "running": process is not None and process.lives,
            "number": memory.number,
            "server": memory.base,
            "secondary": memory.secondary,
            "project": memory.project,
            "config": deepcopy(memory.config),
            "files": deepcopy(memory.files),
            "screen": vars(self.screen).copy(),
            "updates": list(self.updates),
            "reports": self.reports,
            "log": list(self.log),
        }


class AgentProcess:
    """One life of its process. ``kick`` may come from any thread."""

    def __init__(self, agent: Agent, phone: Phone, internet: Internet, build: Build) -> None:
        self._agent = agent
        self._phone = phone
        self._build = build
        self._speed = float(phone.tree["agent"]["speed"])
        self._client = Client(internet, build.secret, phone.properties["ro.product.cpu.abi"])
        self._changed = threading.Condition()
        self._jobs: deque[str] = deque()
        self._ended = threading.Event()
        self._polling = False

    @property
    def lives(self) -> bool:
        return not self._ended.is_set()

    def start(self) -> None:
        self._thread(self._run, "agent")

    def _thread(self, target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, name=f"{name} {self._phone.serial}", daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        self._client.end()
        with self._changed:
            self._changed.notify_all()

    def kick(self, job: str) -> None:
        with self._changed:
            if job not in self._jobs:
                self._jobs.append(job)
            self._changed.notify_all()

    # The main loop --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(Gone):
            due = time.monotonic() + _EVERY / self._speed
            while self.lives:
                job = self._next(due)
                if job == "update":
                    self._update()
                elif job == "report":
                    self._report()
                elif time.monotonic() >= due:
                    due = time.monotonic() + _EVERY / self._speed
                    self._periodic()
        self.end()

    def _next(self, due: float) -> str:
        """The next thing to do; "" when it is time for what is done every quarter of an hour, or at the end."""
        with self._changed:
            while not self._jobs and self.lives and (left := due - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._jobs.popleft() if self._jobs and self.lives else ""

    def _wait(self, seconds: float) -> None:
        if self._ended.wait(seconds / self._speed):
            raise Gone

    def _update(self) -> None:
        agent = self._agent
        work = Updating(
            phone=self._phone,
            memory=agent.memory,
            client=self._client,
            build=self._build,
            screen=agent.screen,
            wait=self._wait,
            note=agent.note,
            poll=self._poll,
        )
        ended = "gone"
        try:
            ended = work.run()
        finally:
            agent.updates.append(ended)
        if ended == "complete" or "went on" in ended:
            self._report()

    def _periodic(self) -> None:
        if self._agent.memory.config is None:
            return
        self._report()
        path, signed = poll_paths(self._agent.memory, long=False)
        reply = self._client.exchange(self._agent.memory, "GET", path, signed=signed)
        if reply is not None:
            self._listen_to(reply)

    def _report(self) -> None:
        if self._agent.memory.config is None:
            return
        body = device_info(self._phone, self._agent.memory)
        reply = self._client.exchange(self._agent.memory, "POST", "/rest/public/sync/info", body=body)
        if reply is not None and reply.well:
            self._agent.reports += 1
        elif self.lives:
            self._agent.note(f"Failed to send device info: {reply.status if reply else 'no connection'}")

    # Messages -------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Begins to wait for messages, where the configuration says so and it does not wait yet.

        It goes on waiting at the server that it had then, until its process ends: it makes its connection once.
        """
        config = self._agent.memory.config or {}
        if config.get("pushOptions") == "polling" and not self._polling:
            self._polling = True
            memory = self._agent.memory
            self._bases = (memory.base, memory.secondary)
            self._thread(self._poll_on, "messages of agent")

    def _poll_on(self) -> None:
        with contextlib.suppress(Gone):
            while self.lives:
                reply = self._long_poll()
                if reply is None or 400 <= reply.status < 500:
                    self._wait(_AFTER_FAILED_POLL)
                else:
                    self._listen_to(reply)
                    self._wait(_AFTER_POLL)

    def _long_poll(self) -> Reply | None:
        path, signed = poll_paths(self._agent.memory, long=True)
        path = project_path(self._agent.memory) + path
        for base in self._bases:
            with contextlib.suppress(*NO_ANSWER):
                return self._client.ask("GET", base, path, signed=signed, timeout=LONG_POLL_TIMEOUT)
        return None

    def _listen_to(self, reply: Reply) -> None:
        """One message of a kind; of several of one kind in an answer the last counts."""
        try:
            tree = reply.tree() if reply.well else {}
            rows = (tree.get("data") if tree.get("status") == "OK" else None) or []
            messages = {row["messageType"]: _payload(row.get("payload")) for row in rows}
        except (ValueError, TypeError, KeyError) as error:
            self._agent.note(f"Failed to read push notifications: {error}")
            return
        for kind, payload in messages.items():
            self._agent.note(f"Got Push Message, type {kind}")
            self._obey(kind, payload)

    def _obey(self, kind: str, payload: dict[str, Any]) -> None:
        phone = self._phone
        if kind == "configUpdated":
            self.kick("update")
        elif kind == "intent" and payload.get("action"):
            self._agent.screen.page = str(payload.get("data") or payload["action"])
        elif kind == "reboot" and owns(phone, PACKAGE):
            phone.on_reboot("")
        elif kind == "deleteFile" and payload.get("path"):
            with contextlib.suppress(OSError):
                phone.files.unlink(f"{SHARED}/{payload['path']}")
        elif kind == "grantPermissions":
            grant_itself(phone)


def _payload(given: Any) -> dict[str, Any]:
    """Text with an object in it; the agent reads no other. ValueError, as its parser throws, for an object itself."""
    if given is None:
        return {}
    if not isinstance(given, str | int | float | bool):
        raise ValueError("payload is no text")  # noqa: TRY004  (the server is wrong, not the program)
    with contextlib.suppress(ValueError):
        found = json.loads(str(given))
        if isinstance(found, dict):
            return found
    return {}
