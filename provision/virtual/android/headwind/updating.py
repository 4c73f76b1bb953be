"""One update of the agent's configuration, step by step as ``ConfigUpdater`` takes them (§3.5).

It lets go of the restrictions first and puts them back last; whatever ends it in between leaves the phone without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from zoneinfo import available_timezones

from provision.virtual.android.envelope import JavaError
from provision.virtual.android.headwind.bringing import Bringing, Stopped, grant_itself
from provision.virtual.android.headwind.http import NO_ANSWER, Client, Reply, number_in_path, project_path
from provision.virtual.android.headwind.info import device_info, home_app
from provision.virtual.android.headwind.memory import PACKAGE, Build, Config, Memory, readable, server_of
from provision.virtual.android.phone import Lock, Phone
from provision.virtual.android.policy import owns, restrict

_RETRY_SECONDS = 15.0
_SETTLE_SECONDS = 1.5
_NOT_FOUND = "error.notfound.device"
_HOME = "android.app.role.HOME"
_SYNC = "/rest/public/sync/configuration/"
_RESET = "/rest/plugins/devicereset/public/"


class Gone(Exception):
    """The process does not live any more: it was killed, or the phone restarts or is being erased."""


class Answer(Enum):
    """How a request for the configuration ended."""

    OK = "ok"
    SERVER_ERROR = "server error"
    NETWORK_ERROR = "network error"


@dataclass
class Screen:
    """What somebody sees of the agent: the message on its lock screen (None: none), the page that it opened."""

    lock: str | None = None
    page: str = ""


@dataclass
class Updating:
    """What an update works on. ``wait`` takes seconds of the phone and raises :class:`Gone`; ``note`` logs a line;
    ``poll`` begins to wait for messages."""

    phone: Phone
    memory: Memory
    client: Client
    build: Build
    screen: Screen
    wait: Callable[[float], None]
    note: Callable[[str], None]
    poll: Callable[[], None]

    def run(self) -> str:
        """How it ended, in a few words: ``complete``, or where it stopped."""
        self._release()
        answer = self._fetch()
        if answer is Answer.NETWORK_ERROR:
            self.wait(_RETRY_SECONDS)
            self._release()
            answer = self._fetch()
        config = self.memory.config
        if answer is Answer.SERVER_ERROR or config is None:
            return answer.value
        if answer is Answer.NETWORK_ERROR and config.get("showWifi"):
            return "network error: it shows its screen for Wi-Fi"
        self._ask(f"/rest/plugins/devicelog/log/rules/{number_in_path(self.memory.number)}")
        grant_itself(self.phone)
        if self._migrate(config):
            return self.run()
        self.poll()
        try:
            self._go_through(config)
        except Stopped as stop:
            return str(stop)
        return "complete" if answer is Answer.OK else "network error: went on with what it had"

    # Asking ---------------------------------------------------------------------------------------------------

    def _fetch(self) -> Answer:
        memory = self.memory
        first = memory.config is None
        reply = self.client.exchange(
            memory,
            "POST" if first else "GET",
            _SYNC + number_in_path(memory.number),
            body=memory.enrol_options() if first else None,
            signed=memory.number,
        )
        self.wait(_SETTLE_SECONDS)
        if reply is None or not reply.well:
            self.note(f"Failed to update config: {reply.status if reply else 'no connection'}")
            return Answer.NETWORK_ERROR
        return self._take(reply)

    def _take(self, reply: Reply) -> Answer:
        try:
            tree = reply.tree()
        except ValueError:
            tree = {}
        if not readable(tree):
            self.note("Failed to parse JSON")
            return Answer.NETWORK_ERROR
        config = tree.get("data")
        if tree.get("status") != "OK" or not isinstance(config, dict):
            self.note(f"Failed to update config: {tree.get('message')}")
            if tree.get("message") == _NOT_FOUND:
                self.memory.config = None  # it enrols again
            return Answer.SERVER_ERROR
        if self.build.checks and reply.signature.upper() != self.client.expected(reply.body):
            self.note("Server signature doesn't match calculated signature, dropping response")
            return Answer.NETWORK_ERROR
        self.memory.keep(config)
        self._early(config)
        return Answer.OK

    def _ask(self, path: str, *, method: str = "GET", body: Any = None) -> bool:
        """Whether the server answered well."""
        reply = self.client.exchange(self.memory, method, path, body=body)
        return reply is not None and reply.well

    # Moving ---------------------------------------------------------------------------------------------------

    def _migrate(self, config: Config) -> bool:
        """To another server, once that gives a full answer. Whether it moved."""
        url = str(config.get("newServerUrl") or "").strip()
        if not url:
            return False
        memory = self.memory
        try:
            base, project = server_of(url)
        except ValueError as error:
            self.note(f"Failed to migrate to {url}: {error}")
            return False
        if (base.lower(), project.lower()) == (memory.base.lower(), memory.project.lower()):
            return False
        if problem := self._problem_of(base):
            self.note(f"Failed to migrate to {url}: {problem}")
            return False
        self.note(f"Migrated to {url}")
        memory.base = memory.secondary = base
        memory.project = project
        return True

    def _problem_of(self, base: str) -> str:
        """Why a server cannot be moved to; "" for none. It is asked with the project of the present one."""
        path = project_path(self.memory) + _SYNC + number_in_path(self.memory.number)
        try:
            reply = self.client.ask("GET", base, path, signed=self.memory.number)
            if not reply.well:
                return f"Bad server response: {reply.status}"
            tree = reply.tree()
        except NO_ANSWER as error:
            return f"Network error: {error}"
        if tree.get("status") != "OK":
            return f"Bad server status: {tree.get('status')}"
        return "" if tree.get("data") is not None else "Failed to parse server response"

    # Doing ----------------------------------------------------------------------------------------------------

    def _go_through(self, config: Config) -> None:
        self._wipe(config)
        self._reboot(config)
        self._password(config)
        self._home_screen(config)
        waits = config.get("downloadUpdates") == "wifi" and not self.client.internet.costs_nothing
        bringing = Bringing(self.phone, self.memory, self.client, self.note, waits=waits)
        bringing.files(config.get("files") or [])
        if bringing.apps(config.get("applications") or []):
            raise Gone  # its own update kills it
        self._restrict(config, on=True)

    def _early(self, config: Config) -> None:
        """What is put into force as soon as a configuration came."""
        self.screen.lock = str(config.get("lockMessage") or "") if config.get("lock") else None
        zone = config.get("timeZone")
        if not zone or not owns(self.phone, PACKAGE) or self.phone.api < 28:
            return
        with self.phone.lock:
            self.phone.settings["global"]["auto_time_zone"] = str(int(zone == "auto"))
            if zone in available_timezones():
                self.phone.properties["persist.sys.timezone"] = zone

    def _release(self) -> None:
        config = self.memory.config
        if config is not None and config.get("restrictions") is not None:
            self._restrict(config, on=False)
            self._set("no_install_apps", on=False)
            self._set("no_uninstall_apps", on=False)

    def _restrict(self, config: Config, *, on: bool) -> None:
        for key in str(config.get("restrictions") or "").split(","):
            if key.strip():
                self._set(key.strip(), on=on)

    def _set(self, key: str, *, on: bool) -> None:
        try:
            restrict(self.phone, PACKAGE, key, on=on)
        except JavaError as error:
            self.note(f"Failed to {'lock' if on else 'release'} restriction {key}: {error.message}")

    def _wipe(self, config: Config) -> None:
        if not config.get("factoryReset"):
            return
        mine = owns(self.phone, PACKAGE)
        body = device_info(self.phone, self.memory) | {"factoryReset": mine}
        if not self._ask(_RESET + number_in_path(self.memory.number), method="POST", body=body):
            self.note("Failed to confirm device reset on server")
        elif not mine:
            self.note("Device reset failed: no permissions")
        else:
            self.phone.on_wipe()
            raise Gone

    def _reboot(self, config: Config) -> None:
        if not config.get("reboot"):
            return
        path = f"{_RESET}reboot/{number_in_path(self.memory.number)}"
        if not self._ask(path, method="POST", body=device_info(self.phone, self.memory)):
            self.note("Failed to confirm reboot on server")
        elif not owns(self.phone, PACKAGE):
            self.note("Reboot failed: no permissions")
        else:
            self.phone.on_reboot("")
            raise Gone

    def _password(self, config: Config) -> None:
        new = config.get("passwordReset")
        if new is None:
            return
        if owns(self.phone, PACKAGE):
            self.phone.credential = Lock("pin" if str(new).isdecimal() else "password" if new else "none", new or None)
        else:
            self.note("Failed to reset password")
        path = f"{_RESET}password/{number_in_path(self.memory.number)}"
        self._ask(path, method="POST", body=device_info(self.phone, self.memory))

    def _home_screen(self, config: Config) -> None:
        if not owns(self.phone, PACKAGE):
            return
        wanted = not config.get("runDefaultLauncher")
        if wanted:
            self.phone.roles[_HOME] = [PACKAGE]
        elif home_app(self.phone) == PACKAGE:
            self.phone.roles.pop(_HOME, None)
