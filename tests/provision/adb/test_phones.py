"""The whole way: our link, a real adb server, virtual phones. With Debian's adb and the one of the adbutils wheel."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from provision.android import server as module
from provision.android.adb import Link, Server, parse_listing
from provision.android.server import start_private
from provision.errors import DeviceError, NoAnswer, NotReady, Refused, Unplugged
from tests.provision.adb.test_server import DEBIAN

ROOT = Path(__file__).parents[3]
APPS = ROOT / "examples" / "apps"
PHONES = ("pixel-13", "pixel-7")


class Bench:
    """Virtual phones in a process of their own."""

    def __init__(self, server: Server, process: subprocess.Popen[str]) -> None:
        self.server = server
        self._process = process
        self._serials = {row["preset"]: row["serial"] for row in self._next("ready")["devices"]}
        self._addresses = {self.server_address(serial): preset for preset, serial in self._serials.items()}

    def server_address(self, serial: str) -> str:
        for listed in self.server.devices():
            if self.server.link(listed).shell("getprop ro.serialno").stdout.decode().strip() == serial:
                return listed.address
        raise LookupError(serial)

    def link(self, preset: str) -> Link:
        (listed,) = (one for one in self.server.devices() if self._addresses[one.address] == preset)
        return self.server.link(listed)

    def order(self, preset: str, do: str, **more: Any) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, "serial": self._serials[preset], "id": 1, **more}) + "\n")
        self._process.stdin.flush()
        while (answer := json.loads(self._line())).get("id") != 1:
            pass
        assert answer["event"] in ("done", "state"), answer
        return dict(answer)

    @contextmanager
    def fault(self, preset: str, **fault: Any) -> Iterator[None]:
        self.order(preset, "fault", fault=fault)
        try:
            yield
        finally:
            self.order(preset, "clear_faults")
            self.order(preset, "plug")
            self.wait_for(preset)

    def wait_for(self, preset: str) -> None:
        """Until it answers again."""
        end = time.monotonic() + 60
        while True:
            try:
                self.link(preset).shell("true")
            except (DeviceError, ValueError):
                assert time.monotonic() < end
                self.order(preset, "plug")
            else:
                return

    def _next(self, event: str) -> dict[str, Any]:
        while (told := json.loads(self._line()))["event"] != event:
            pass
        return dict(told)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@pytest.fixture(scope="module", params=["debian", "wheel"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    adb = DEBIAN if request.param == "debian" else module._carried()
    if adb is None or not adb.exists():
        pytest.skip(f"no adb of {request.param} here")
    spec = tmp_path_factory.mktemp("bench") / "spec.yaml"
    spec.write_text(json.dumps({"devices": [{"preset": preset} for preset in PHONES]}))
    with ExitStack() as stack:
        server = stack.enter_context(start_private(adb))
        command = ["-m", "provision.virtual.bench", "--adb-port", str(server.port), "--spec", str(spec)]
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, *command, "--until-eof"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.terminate)
        yield Bench(server, process)


@pytest.fixture(params=PHONES)
def link(bench: Bench, request: pytest.FixtureRequest) -> Link:
    return bench.link(request.param)


def test_they_are_listed_with_transport_ids(bench: Bench) -> None:
    devices = bench.server.devices()
    assert [one.state for one in devices] == ["device", "device"]
    assert len({one.transport_id for one in devices} - {0}) == 2
    assert {one.model for one in devices} == {"Pixel_6a", "Nexus_5X"}


def test_features_by_android(bench: Bench) -> None:
    assert bench.link("pixel-13").features == {"shell_v2", "cmd", "stat_v2"}
    assert bench.link("pixel-7").features == {"shell_v2", "cmd"}


def test_scripts_short_and_long(link: Link) -> None:
    result = link.shell("echo out; echo err >&2; cat; exit 3")
    assert (result.stdout, result.stderr, result.code) == (b"out\n", b"err\n", 3)
    long = link.shell("x=start\n: " + "y" * 70_000 + '\necho "it\'s $x"')
    assert (long.stdout, long.code) == (b"it's start\n", 0)
    assert link.shell("if").code != 0


def test_files_there_and_back(link: Link, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.write_bytes(os.urandom(5_000_001))
    remote = '/sdcard/Học liệu/it\'s; "here"/大 ( 1 ).bin'
    told = list[int]()
    before = link.round_trips
    link.push_many([(source, remote, 0o644, 1_600_000_000), (b"", "/sdcard/empty", 0o600, 1)], told.append)
    assert link.round_trips == before + 1
    assert sum(told) == 5_000_001
    found, empty = link.stat(remote), link.stat("/sdcard/empty")
    assert found
    assert empty
    assert (found.size, found.mtime, empty.size) == (5_000_001, 1_600_000_000, 0)
    sink = io.BytesIO()
    link.pull(remote, sink)
    assert hashlib.sha256(sink.getvalue()).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert link.stat("/sdcard/nothing") is None
    with pytest.raises(Refused, match="No such file"):
        link.pull("/sdcard/nothing", io.BytesIO())


def test_what_the_phone_does_not_take_is_said_early(link: Link) -> None:
    sent = list[int]()
    with pytest.raises(Refused, match="Read-only file system"):
        link.push(bytes(50_000_000), "/system/x", progress=sent.append)
    assert link.shell("echo still here").stdout == b"still here\n"


def test_a_full_phone(bench: Bench, link: Link) -> None:
    preset = bench._addresses[link.listed.address]
    with bench.fault(preset, kind="storage_full"), pytest.raises(Refused) as caught:
        link.push(bytes(1_000_000), "/sdcard/x")
    assert "No space left" in caught.value.evidence
    assert "Free some space" in caught.value.next_action


def test_one_apk(link: Link) -> None:
    assert link.install([APPS / "schoolbag-reader-1.apk"], ["-r"]) == "Success"
    assert "package:org.schoolbag.sample.reader" in link.shell("pm list packages").stdout.decode()
    with pytest.raises(Refused) as caught:
        link.install([APPS / "schoolbag-reader-truncated.apk"])
    assert caught.value.evidence.startswith("Failure [INSTALL_")


@pytest.fixture
def splits(tmp_path: Path) -> list[Path]:
    with zipfile.ZipFile(APPS / "schoolbag-maths.apkm") as bundle:
        names = ["base.apk", "split_config.vi.apk", "split_config.arm64_v8a.apk"]
        return [Path(bundle.extract(name, tmp_path)) for name in names]


def test_splits_are_one_session(link: Link, splits: list[Path]) -> None:
    before = link.round_trips
    assert link.install(splits, ["-r"]) == "Success"
    assert link.round_trips == before + 1
    assert "package:org.schoolbag.sample.maths" in link.shell("pm list packages").stdout.decode()
    with pytest.raises(Refused, match="INSTALL_"):
        link.install([*splits, APPS / "schoolbag-reader-1.apk"], ["-r"])


CUT: list[tuple[str, Callable[[Link, list[Path]], object], dict[str, Any]]] = [
    ("push", lambda link, _: link.push(bytes(30_000_000), "/sdcard/cut"), {"after_bytes": 3_000_000}),
    ("install", lambda link, splits: link.install(splits[:1], ["-r"]), {"after_bytes": 5_000, "service": "exec"}),
    ("session", lambda link, splits: link.install(splits, ["-r"]), {"after_bytes": 12_000, "service": "exec"}),
    ("script", lambda link, _: link.shell("echo x\nsleep 5"), {"at": "sleep"}),
]


@pytest.mark.parametrize(("what", "work", "when"), CUT, ids=[what for what, _, _ in CUT])
@pytest.mark.parametrize("preset", PHONES)
def test_a_pulled_cable_is_unplugged_and_the_next_install_tidies(
    bench: Bench,
    preset: str,
    what: str,
    work: Callable[[Link, list[Path]], object],
    when: dict[str, Any],
    splits: list[Path],
) -> None:
    link = bench.link(preset)
    with bench.fault(preset, kind="unplug", **when), pytest.raises(Unplugged):
        work(link, splits)
    assert bench.link(preset).install(splits, ["-r"]) == "Success"
    assert bench.order(preset, "state")["state"]["sessions"] == []


def test_a_phone_that_hangs_up_is_listed_offline(bench: Bench) -> None:
    link = bench.link("pixel-13")
    with bench.fault("pixel-13", kind="offline", at="getprop"):
        with pytest.raises(Unplugged):
            link.shell("getprop")
        (listed,) = (one for one in bench.server.devices() if one.address == link.listed.address)
        assert listed.state == "offline"
        with pytest.raises(NotReady, match="does not answer"):
            bench.server.link(listed)
        with pytest.raises(NotReady):
            link.shell("true")


def test_a_phone_that_says_nothing(bench: Bench) -> None:
    link = bench.link("pixel-13")
    with bench.fault("pixel-13", kind="silent", at="getprop"), pytest.raises(NoAnswer):
        link.shell("getprop", timeout=0.5)


@pytest.mark.parametrize("noise", ["escapes", "invalid_utf8", "megabytes", "nothing"])
def test_noise_is_bytes(bench: Bench, noise: str) -> None:
    with bench.fault("pixel-13", kind="noise", at="getprop", **{"with": noise}):
        assert isinstance(bench.link("pixel-13").shell("getprop").stdout, bytes)


def test_reverse_both_ways(link: Link) -> None:
    link.reverse("tcp:18080", "tcp:9090")
    link.reverse("tcp:18081", "tcp:9091")
    assert set(link.reverse_list()) == {("tcp:18080", "tcp:9090"), ("tcp:18081", "tcp:9091")}
    link.reverse_remove("tcp:18080")
    assert link.reverse_list() == (("tcp:18081", "tcp:9091"),)
    link.reverse_remove("tcp:18081")
    with pytest.raises(Refused, match="not found"):
        link.reverse_remove("tcp:18080")


def test_tracking_sees_them_leave_and_come(bench: Bench) -> None:
    with bench.server.track() as tracker:
        assert len(next(tracker)) == 2
        bench.order("pixel-7", "unplug")
        while len(next(tracker)) != 1:
            pass
        bench.order("pixel-7", "plug")
        while [one.state for one in next(tracker)] != ["device", "device"]:
            pass


def test_adb_itself_lists_the_same(bench: Bench) -> None:
    adb = module.find_adb()
    done = subprocess.run(
        [str(adb), "-P", str(bench.server.port), "devices", "-l"],
        capture_output=True,
        check=True,
        timeout=20,
        text=True,
    )
    printed = done.stdout.partition("\n")[2]
    assert parse_listing(printed) == bench.server.devices()
