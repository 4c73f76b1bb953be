"""Phones whose agent is at work: one bench for a module, a phone of its own for each test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.benches import Bench, VirtualDevice
from tests.virtual import mdm

if TYPE_CHECKING:
    from tests.virtual.conftest import Adb

NUMBER = "sb-7f3a 9c/é"
PACKAGE = "com.hmdm.launcher"
SCREEN = f"{PACKAGE}/.ui.MainActivity"
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
FAST: dict[str, Any] = {"agent": {"speed": 300}}
ADMIN = f"{PACKAGE}/{PACKAGE}.AdminReceiver"
_STATE, _LOCATION = "android.permission.READ_PHONE_STATE", "android.permission.ACCESS_FINE_LOCATION"
WITH_AGENT: dict[str, Any] = FAST | {
    "packages": {
        PACKAGE: {
            "system": False,
            "path": "/data/app/agent/base.apk",
            "receivers": {f"{PACKAGE}.AdminReceiver": "android.permission.BIND_DEVICE_ADMIN"},
            "permissions": [_STATE, _LOCATION],
        }
    }
}
OWNED = WITH_AGENT | {"owner": {"component": ADMIN}}

State = dict[str, Any]


def enrol(adb: Adb, port: int, **told: str) -> None:
    """As the bench does once the agent is there: start it once, bring its enrolment, start it again."""
    adb.ok("reverse", "tcp:8080", f"tcp:{port}")
    adb.ok("shell", f"am start -n {SCREEN}; am force-stop {PACKAGE}")
    given = {"DEVICE_ID": NUMBER, "BASE_URL": "http://localhost:8080", **told}
    text = json.dumps({f"com.hmdm.{key}": value for key, value in given.items()})
    adb.ok("shell", f"cat > {FOLDER}/init.json; am start -n {SCREEN}", stdin=text.encode())


def until(bench: Bench, device: VirtualDevice, holds: Callable[[State], object]) -> State:
    """The phone's state as soon as that holds of it."""
    end = time.monotonic() + mdm.PATIENCE
    while not holds(state := bench.state(device.serial)):
        assert time.monotonic() < end, state["agent"]
        time.sleep(0.05)
    return state


@dataclass(frozen=True)
class Phone:
    """A phone of the bench."""

    bench: Bench
    device: VirtualDevice
    adb: Adb

    def enrol(self, port: int, **told: str) -> None:
        """See :func:`enrol`."""
        enrol(self.adb, port, **told)

    def events(self) -> list[dict[str, Any]]:
        """What the bench told of it so far."""
        return [event for event in self.bench.events if event.get("serial") == self.device.serial]

    def state(self) -> State:
        return self.bench.state(self.device.serial)

    def until(self, holds: Callable[[State], object]) -> State:
        return until(self.bench, self.device, holds)

    def order(self, **order: Any) -> dict[str, Any]:
        answer = self.bench.send({"serial": self.device.serial, **order})
        assert answer["event"] == "done", answer
        return answer

    def refused(self, **order: Any) -> str:
        answer = self.bench.send({"serial": self.device.serial, **order})
        assert answer["event"] == "refused", answer
        return str(answer["why"])

    def update(self) -> State:
        """Its state after one more update, and the report that may follow it."""
        before = self.state()["agent"]
        self.order(do="agent", now="update")
        done, reports = len(before["updates"]) + 1, before["reports"] + 1

        def ended(state: State) -> bool:
            agent = state["agent"]
            return len(agent["updates"]) == done and (agent["updates"][-1] != "complete" or agent["reports"] >= reports)

        return self.until(ended)


class Enrolled(Protocol):
    """A phone of its own with the agent, enrolled at that server and updated unless ``start`` is False."""

    def __call__(
        self, server: mdm.Mdm | None = None, *, owner: bool = True, start: bool = True, **told: str
    ) -> Phone: ...
