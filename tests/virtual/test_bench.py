"""The bench as a process: its first line, its end, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision.virtual import spec
from provision.virtual.android import presets
from tests.benches import ROOT, Bench


def _start(port: int, *words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "provision.virtual.bench", "--adb-port", str(port), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )


def _addresses(adb_binary: str, port: int) -> list[str]:
    out = subprocess.run([adb_binary, "-P", str(port), "devices"], capture_output=True, text=True, check=True).stdout
    return [row.split("\t")[0] for row in out.splitlines()[1:] if row]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_line_and_clean_end(adb_server: int, adb_binary: str, number: int) -> None:
    bench = _start(adb_server, "--phones", "3")
    assert bench.stdout is not None
    ready = json.loads(bench.stdout.readline())
    assert list(ready) == ["event", "adb_port", "devices"]
    assert ready["adb_port"] == adb_server
    assert all(list(row) == ["address", "serial", "preset"] for row in ready["devices"])
    addresses = [row["address"] for row in ready["devices"]]
    assert len({row["serial"] for row in ready["devices"]}) == 3
    assert set(addresses) <= set(_addresses(adb_binary, adb_server))
    bench.send_signal(number)
    _, complaint = bench.communicate(timeout=60)
    assert (bench.returncode, complaint) == (0, "")
    assert not set(addresses) & set(_addresses(adb_binary, adb_server))


def test_end_of_orders_ends_it_only_when_asked(adb_server: int) -> None:
    bench = _start(adb_server, "--phones", "1", "--until-eof")
    _, complaint = bench.communicate(timeout=60)
    assert (bench.returncode, complaint) == (0, "")


def test_no_adb_server() -> None:
    done = _start(1, "--phones", "1")
    _, complaint = done.communicate(timeout=60)
    assert done.returncode == 1
    assert "no adb server on port 1" in complaint
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("devices: []", "give a list of at least one"),
        ("[1]", "write keys and values"),
        ("devices: [{preset: nokia-3310}]", "'nokia-3310' is not one of"),
        ("devices: [{preset: pixel-13, link: usb9}]", "link 'usb9' is not one of the buses"),
        ("devices: [{preset: pixel-13, colour: red}]", "'colour' is not one of"),
        ("devices: [{preset: pixel-13, capacity: big}]", "capacity must be a number"),
        ("devices: [{preset: pixel-13, faults: [{kind: unplug}]}]", r"devices\[0\]: fault unplug: give one of"),
        ("bus: {a: {rate: 0}}\ndevices: [{preset: pixel-13}]", "bus a: rate must be"),
        ("buses: {}\ndevices: [{preset: pixel-13}]", "'buses' is not one of"),
    ],
)
def test_spec_that_cannot_be(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=why):
        spec.parse(spec.read(path))


def test_spec_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("a: [", "utf-8")
    with pytest.raises(ValueError, match=r"spec\.yaml"):
        spec.read(path)


def test_default_bench_is_mixed() -> None:
    parsed = spec.parse(spec.spec_for(8))
    kinds = [device.common.preset for device in parsed.androids]
    assert len(kinds) == 8
    assert len(set(kinds)) >= 4
    assert yaml.safe_load(yaml.safe_dump(dict(spec.spec_for(2))))


def test_sixty_phones_idle(virtual_bench: Callable[[Any], Bench]) -> None:
    names = presets.names()
    bench = virtual_bench({"devices": [{"preset": names[n % len(names)]} for n in range(60)]})
    pid = bench._process.pid

    def busy() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    spent = []
    for _ in range(10):  # so long, at most, until it has started
        before = busy()
        time.sleep(2)
        spent.append(busy() - before)
        if spent[-1] <= 0.1:
            return
    raise AssertionError(spent)
