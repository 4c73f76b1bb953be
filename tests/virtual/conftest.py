"""A phone without a cable, for what happens inside it, and one behind the real adb, for the rest."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provision.virtual.android import services
from provision.virtual.android.device import Device
from provision.virtual.android.files import Files
from provision.virtual.android.phone import Phone
from provision.virtual.android.server import AdbServer
from provision.virtual.android.shell.pipe import Bytes, Collector
from tests.benches import Bench, VirtualDevice
from tests.virtual import enrolled as agents_at_work

_CAPACITY = 100_000_000


class Adb:
    """The real adb binary, aimed at one phone."""

    def __init__(self, binary: str, port: int, address: str) -> None:
        self._start = [binary, "-P", str(port), "-s", address]

    def __call__(
        self, *words: str | Path, stdin: bytes = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        argv = [*self._start, *map(str, words)]
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)

    def ok(self, *words: str | Path, stdin: bytes = b"") -> bytes:
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout


OnePhone = Callable[..., tuple[Bench, VirtualDevice, Adb]]


@pytest.fixture
def one_phone(virtual_bench: Callable[..., Bench], adb_binary: str) -> OnePhone:
    def start(preset: str = "pixel-13", **more: object) -> tuple[Bench, VirtualDevice, Adb]:
        bench = virtual_bench({"devices": [{"preset": preset, **more}]})
        return bench, bench.devices[0], Adb(adb_binary, bench.port, bench.devices[0].address)

    return start


_PHONES = 28


@pytest.fixture(scope="module")
def _unused(adb_server: int, adb_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[list[Any]]]:
    """Phones with the agent that no test has had: those that it owns, and those that it does not."""
    states = [agents_at_work.OWNED] * _PHONES + [agents_at_work.WITH_AGENT] * 3
    spec = {"devices": [{"preset": "pixel-13", "state": state} for state in states]}
    bench = Bench(adb_server, spec, tmp_path_factory.mktemp("agents"))
    phones = [agents_at_work.Phone(bench, one, Adb(adb_binary, bench.port, one.address)) for one in bench.devices]
    yield [phones[:_PHONES], phones[_PHONES:]]
    bench.close()


@pytest.fixture
def enrolled(_unused: list[list[Any]]) -> Iterator[Any]:
    """Gives phones whose agent is at work; see :class:`tests.virtual.enrolled.Enrolled`."""
    given: list[agents_at_work.Phone] = []

    def give(server: Any = None, *, owner: bool = True, start: bool = True, **told: str) -> agents_at_work.Phone:
        phone: agents_at_work.Phone = _unused[0 if owner else 1].pop()
        given.append(phone)
        if start:
            phone.enrol(server.port, **told)
            phone.until(lambda state: state["agent"]["reports"])
        return phone

    yield give
    for phone in given:  # its agent would go on asking
        phone.bench.send({"do": "reset", "serial": phone.device.serial})


@dataclass(frozen=True)
class Answer:
    out: bytes
    err: bytes
    code: int


class Inside:
    """A phone whose shell is at hand; ``events`` is what it told the bench."""

    def __init__(self, home: Path, preset: str, capacity: int) -> None:
        api = {"pixel-7": 24}.get(preset, 33)
        self.files = Files(home, api, capacity)
        self.events: list[Mapping[str, Any]] = []
        self.device = Device(Phone(preset, {}, self.files), AdbServer(1), self.events.append)

    def run(self, script: str, stdin: bytes = b"", *argv: str) -> Answer:
        """Run ``sh -c script`` in ``/data/local/tmp``, or ``argv``."""
        out, err = Collector(), Collector()
        words = list(argv) or ["/system/bin/sh", "-c", script]
        process = services.process(self.device, words, Bytes(stdin), out, err).but(cwd="/data/local/tmp")
        code = self.device.start(process)
        return Answer(bytes(out.data), bytes(err.data), code)


@pytest.fixture
def make_phone(tmp_path: Path) -> Iterator[Callable[..., Inside]]:
    made: list[Inside] = []

    def make(preset: str = "pixel-13", capacity: int = _CAPACITY) -> Inside:
        made.append(Inside(tmp_path / f"phone-{len(made)}", preset, capacity))
        return made[-1]

    yield make
    for phone in made:
        phone.device.close()


@pytest.fixture
def phone(make_phone: Callable[..., Inside]) -> Inside:
    return make_phone()
