"""The standing bench: devices come and go, cables are pulled, servers and fleet itself are killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_provision import end_state
from tests.benches import Bench
from tests.fleets import SAMPLE, Fleet

StartBench = Callable[[dict[str, Any]], Bench]


class Watching:
    """A running ``fleet watch --json``, and what it has said."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process = process
        self.home = home
        self.lines: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # it was killed in the middle of it
            with self._changed:
                self.lines.append(json.loads(line))
                self._changed.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], count: int = 1, seconds: float = 120) -> None:
        with self._changed:
            good = self._changed.wait_for(lambda: sum(map(wanted, self.lines)) >= count, seconds)
        assert good, self.lines[-5:]

    def wait_for_start(self) -> None:
        """Until it has made its files: the registry and the log of this run."""
        home = Path(self.home)
        end = time.monotonic() + 60
        while not (list(home.glob("runs/*.jsonl")) and (home / "registry.db").exists()):
            assert time.monotonic() < end
            time.sleep(0.05)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(60)
        assert self.process.stderr is not None
        err = self.process.stderr.read()
        self.close()
        return code, err

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@contextmanager
def watching(fleet: Fleet, *words: str) -> Iterator[Watching]:
    watch = Watching(fleet.start("watch", "--json", "--profile", SAMPLE, *words), fleet.home)
    try:
        yield watch
    finally:
        watch.close()


def reported(serial: str, *verdicts: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["event"] == "report" and row["serial"] == serial and row["verdict"] in verdicts


def test_devices_are_served_as_they_come(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench(
        {"devices": [{"preset": "pixel-13"}, {"preset": "phone-with-account"}, {"preset": "samsung-9"}]}
    )
    pixel, account, samsung = (phone.serial for phone in bench.devices)
    bench.send({"do": "unplug", "serial": samsung})
    with watching(fleet, "--tags", "W") as watch:
        watch.wait_for(reported(pixel, "partial"))
        watch.wait_for(lambda row: row["event"] == "waiting" and row["serial"] == account)
        waiting = next(row for row in watch.lines if row["event"] == "waiting")
        assert waiting["what"]
        assert waiting["next_action"]
        bench.send({"do": "plug", "serial": samsung})
        watch.wait_for(reported(samsung, "partial"))
        bench.send({"do": "unplug", "serial": pixel})
        watch.wait_for(lambda row: row["event"] == "gone" and row["serial"] == pixel)
        code, err = watch.end()
    assert (code, "Traceback" in err) == (130, False)
    assert bench.state(account)["installs"] == {}
    assert fleet("status", "--json").lines[0]["units"] == 3
    assert fleet("ledger", "verify").code == 0


def test_two_phones_with_one_serial_are_both_left_alone(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13", "serial": "CLONE1"}] * 2})
    with watching(fleet) as watch:
        watch.wait_for(lambda row: row["event"] == "waiting" and "2 devices say they are CLONE1" in row["what"], 2)
        watch.end()
    assert len(bench.devices) == 2


def test_a_bad_profile_is_told_before_anything_starts(fleet: Fleet) -> None:
    done = fleet("watch", "--profile", "nosuch")
    assert (done.code, "no profile" in done.err) == (2, True)


def test_the_adb_server_is_killed_and_started_again(tmp_path: Path, adb_binary: str) -> None:
    """Watch starts the server that it finds missing, as adb itself would; phones that come back are served."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    environment = {**os.environ, "HOME": str(tmp_path), "ADB_MDNS": "0", "ADB_USB": "0", "ADB": str(adb_binary)}
    run = partial(subprocess.run, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
    run([adb_binary, "-P", str(port), "start-server"], check=True)
    home = tmp_path / "bench"
    home.mkdir()
    fleet = Fleet(tmp_path / "home", port, {key: environment[key] for key in ("HOME", "ADB_MDNS", "ADB_USB", "ADB")})
    bench = Bench(port, {"devices": [{"preset": "pixel-13"}]}, home)
    serial = bench.devices[0].serial
    try:
        with watching(fleet) as watch:
            watch.wait_for(reported(serial, "partial"))
            run([adb_binary, "-P", str(port), "kill-server"], check=True)
            watch.wait_for(lambda row: row["event"] == "gone")
            bench.send({"do": "unplug", "serial": serial})
            _until(lambda: bench.send({"do": "plug", "serial": serial})["event"] == "done")
            watch.wait_for(reported(serial, "partial"), 2)
            watch.end()
        assert fleet("ledger", "verify").code == 0
    finally:
        bench.close()
        run([adb_binary, "-P", str(port), "kill-server"], check=False)


def _until(good: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_phone_that_restarts_by_itself_is_served_again(fleet: Fleet, virtual_bench: StartBench) -> None:
    bench = virtual_bench({"devices": [{"preset": "pixel-13", "faults": [{"kind": "slow_link", "rate": 20000}]}]})
    serial = bench.devices[0].serial
    with watching(fleet) as watch:
        watch.wait_for(lambda row: row["event"] == "bytes")
        bench.send({"do": "unplug", "serial": serial, "replug_after": 1})
        watch.wait_for(reported(serial, "failed"))
        watch.wait_for(reported(serial, "partial"))
        watch.end()
    assert not bench.state(serial)["sessions"]


def test_a_full_disk_holds_the_row_until_there_is_room(
    adb_server: int, virtual_bench: StartBench, small_disk: Path
) -> None:
    fleet = Fleet(small_disk / "home", adb_server)
    fleet("status")
    bench = virtual_bench({"devices": [{"preset": "pixel-13"}]})
    serial = bench.devices[0].serial
    bench.send({"do": "unplug", "serial": serial})
    with watching(fleet) as watch:
        watch.wait_for_start()
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        bench.send({"do": "plug", "serial": serial})
        watch.wait_for(lambda row: row["event"] in ("waiting", "report") and "disk" in json.dumps(row).lower())
        filler.unlink()
        bench.send({"do": "unplug", "serial": serial})
        bench.send({"do": "plug", "serial": serial})
        watch.wait_for(reported(serial, "partial"))
        watch.end()
    assert fleet("ledger", "verify").code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB. Making one takes root, as CI has it."""
    if os.geteuid():
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _stir(fleet: Fleet, bench: Bench, watch: Watching, dice: random.Random, events: int) -> Watching:
    """Pull and plug cables, and kill and restart fleet itself, at moments that the dice choose."""
    for _ in range(events):
        time.sleep(dice.random() * 0.25)
        phone = dice.choice(bench.devices)
        match dice.randrange(12):
            case 0:
                watch.end(signal.SIGKILL)
                watch = Watching(fleet.start("watch", "--json", "--profile", SAMPLE), fleet.home)
            case 1 | 2:
                after = dice.randrange(1, 60_000)
                fault = {"kind": "unplug", "after_bytes": after, "replug_after": dice.random()}
                bench.send({"do": "fault", "serial": phone.serial, "fault": fault})
            case 3 | 4 | 5 | 6:
                bench.send({"do": "unplug", "serial": phone.serial})
            case _:
                bench.send({"do": "plug", "serial": phone.serial})
    return watch


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_bench_survives_a_hundred_and_fifty_mishaps(fleet: Fleet, virtual_bench: StartBench, seed: int) -> None:
    dice = random.Random(seed)
    alone = virtual_bench({"devices": [{"preset": "pixel-15"}]})
    assert fleet.provision().code == 0
    wanted = end_state(alone.state(alone.devices[0].serial))
    alone.send({"do": "unplug", "serial": alone.devices[0].serial})
    bench = virtual_bench({"devices": [{"preset": "pixel-15"}] * 5})
    watch = Watching(fleet.start("watch", "--json", "--profile", SAMPLE), fleet.home)
    try:
        watch = _stir(fleet, bench, watch, dice, 150)
        for phone in bench.devices:
            bench.send({"do": "clear_faults", "serial": phone.serial})
            bench.send({"do": "unplug", "serial": phone.serial})
        begun = len(watch.lines)
        for phone in bench.devices:
            bench.send({"do": "plug", "serial": phone.serial})
        for phone in bench.devices:
            serial = phone.serial
            watch.wait_for(
                lambda row, s=serial: reported(s, "partial")(row) and row in watch.lines[begun:],  # type: ignore[misc]
                seconds=120,
            )
        _, err = watch.end()
    finally:
        watch.close()
    assert "Traceback" not in err
    for phone in bench.devices:
        state = bench.state(phone.serial)
        assert end_state(state) == wanted
        assert not [path for path in state["files"] if path.endswith(".schoolbag-part")]
        assert max(state["installs"].values()) <= 2, "an app is sent again only when the pull hid that it had arrived"
    done = fleet.provision()
    assert (done.code, done.summary["steps"]) == (0, 0)
    assert fleet("ledger", "verify").code == 0
