"""A real run on a virtual phone by the real adb, with a real HTTP server in the place of the bench's own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.agents import headwind
from provision.agents.configuration import answer, place
from provision.android.adb import Server
from provision.android.agent_document import document, files
from provision.android.device import AndroidDevice, attach
from provision.android.settings import READERS, SETTINGS
from provision.lanes import Lane
from provision.model import Outcome, Report, Unit
from provision.owned import Agent, BenchServer, Heard, Number
from provision.run import Mode, run
from tests.benches import Bench
from tests.virtual import agents
from tests.virtual.mdm import Asked, Mdm, serving

SECRET = "own-secret-of-ours"
FAST: dict[str, Any] = {"agent": {"speed": 300}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "owner" in item.path.parts and not agents.BUILDABLE:
            item.add_marker(pytest.mark.skip(reason="needs Debian's aapt2 and apksigner"))


@pytest.fixture(scope="session")
def apks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with headwind.apk and testdpc.apk."""
    home = tmp_path_factory.mktemp("agents")
    for agent in ("headwind", "testdpc"):
        built = agents.build(home / agent, agent, secret=SECRET if agent == "headwind" else None)
        shutil.copy(built, home / f"{agent}.apk")
    return home


@dataclass(frozen=True)
class Request:
    """A request that was answered as usual: when, and the digest of the profile that was served then."""

    at: float
    asked: Asked
    digest: str


@dataclass
class Registry:
    """What fleet keeps of one unit, as far as a run asks for it; the numbers that were given, and its contacts."""

    server: Mdm
    heard: list[Request]
    profile: Profile
    numbers: list[str] = field(default_factory=list)
    home: bool = False

    def agent(self) -> Agent:
        owner = self.profile.owner
        assert owner is not None
        asked = self._asked("sync/configuration", 0.0) if self.numbers else []
        return Agent(
            owner.package,
            enrolled=bool(self.numbers),
            number=Number.NONE if not self.numbers else Number.HEARD if asked else Number.GIVEN,
            synced=bool(asked),
            home=self.home,
            fetched=asked[-1].digest if asked else "",
            server=BenchServer(self.server.port, self._number, lambda: None, self._wait),
            look=self.agent,
        )

    def _number(self) -> str:
        self.numbers.append(f"number-{len(self.numbers) + 1}")
        return self.numbers[-1]

    def _asked(self, path: str, since: float) -> list[Request]:
        said = ((one, one.asked.path + json.dumps(one.asked.body)) for one in self.heard if one.at >= since)
        return [one for one, text in said if path in text and self.numbers[-1] in text]

    def _wait(self, since: float, seconds: float) -> Heard:
        end = time.monotonic() + min(seconds, 1.0)
        while time.monotonic() < end:
            if self._asked("sync/configuration", since) and self._asked("sync/info", since):
                return Heard.TOLD
            time.sleep(0.02)
        return Heard.NOTHING


@dataclass
class Phone:
    """One phone on its bench. ``serve`` has the server answer with a profile."""

    bench: Bench
    serial: str
    device: AndroidDevice
    server: Mdm
    heard: list[Request]
    folder: Path
    registry: Registry | None = None
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usual = self.server.answer

    def profile(self, text: str) -> Profile:
        file = self.folder / "case.yaml"
        file.write_text("profile: case\n" + text, encoding="utf-8")
        return load(str(file), Secrets({"FLEET_SECRET_AGENT": SECRET, "FLEET_SECRET_PIN": "2468"}))

    def serve(self, profile: Profile, **changed: Any) -> None:
        told = {"api": self.device.identity.api, "number": "n", "base": headwind.BENCH, "home": False, **changed}
        self.server.config = {**answer(document(profile), **told), "_digest": profile.digest}
        for row in document(profile)["files"]:
            found = files(profile)[row["sha256"]]
            self.server.files[place(row["sha256"], found.name)] = found.read_bytes()

    def run(self, profile: Profile, mode: Mode = Mode.PROVISION, *, allow: str = "", agent: bool = True) -> Report:
        if self.registry is None:
            self.registry = Registry(self.server, self.heard, profile)
        self.registry.profile = profile
        unit = Unit(tag="T-1", seal_key=b"key", agent=self.registry.agent() if agent else None)
        return run(self.device, profile, unit, self.events.append, mode=mode, allow=allow, lane=Lane())

    def state(self) -> dict[str, Any]:
        return self.bench.state(self.serial)

    @property
    def _place(self) -> tuple[str, str]:
        return self.device.address, "device"

    def again(self) -> None:
        """A new link, as after the cable was pulled."""
        end = time.monotonic() + 10
        while not (here := [o for o in self.device.link.server.devices() if (o.address, o.state) == self._place]):
            assert time.monotonic() < end
            time.sleep(0.05)
        (listed,) = here
        self.device = attach(self.device.link.server, listed, READERS, SETTINGS)


def outcome(report: Report, item: str) -> Outcome:
    (found,) = (one for one in report.outcomes if one.item.id == item)
    return found


def results(report: Report) -> dict[str, str]:
    return {one.item.id: str(one.result) for one in report.outcomes}


@pytest.fixture
def phone(virtual_bench: Callable[..., Bench], tmp_path: Path, apks: Path) -> Iterator[Callable[..., Phone]]:
    """A phone of that preset, freshly reset; ``state`` changes what it holds."""
    folder = tmp_path / "profile"
    folder.mkdir()
    for apk in apks.glob("*.apk"):
        shutil.copy(apk, folder)

    def give(preset: str = "pixel-13", spec: Mapping[str, Any] = MappingProxyType({}), **state: Any) -> Phone:
        bench = virtual_bench({"devices": [{"preset": preset, "state": {**FAST, **state}, **spec}]})
        (one,) = bench.devices
        server = Server(port=bench.port)
        (listed,) = (listed for listed in server.devices() if listed.address == one.address)
        heard: list[Request] = []
        mdm = stack.enter_context(serving(secret=SECRET))
        mdm.answer = lambda asked: heard.append(Request(time.monotonic(), asked, mdm.config.get("_digest", "")))
        return Phone(bench, one.serial, attach(server, listed, READERS, SETTINGS), mdm, heard, folder)

    with ExitStack() as stack:
        yield give
