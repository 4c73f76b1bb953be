"""The program itself: what it says when something goes wrong, on a real terminal and with its output cut off."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import FLEET, ROOT, SAMPLE, Fleet

VirtualBench = Callable[[Mapping[str, Any]], Bench]
ONE = {"devices": [{"preset": "pixel-13"}]}


@pytest.fixture
def home(tmp_path: Path) -> Fleet:
    """The program with a home of its own, and no adb server."""
    return Fleet(tmp_path / "home", 1)


def on_terminal(fleet: Fleet, *words: str | Path) -> bytes:
    """All that the command writes to a terminal."""
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [FLEET, *map(str, words)], env=fleet.environment(), stdin=terminal, stdout=terminal, stderr=terminal, cwd=ROOT
    ) as process:
        os.close(terminal)
        said = b""
        try:
            while piece := os.read(screen, 65536):
                said += piece
        except OSError:
            pass  # linux says so when the last writer has gone
        process.wait(60)
    os.close(screen)
    return said


def test_what_files_say_cannot_act_on_the_terminal(home: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text('profile: a\n"red\u200e\u202e\ue000": 1\nother: 2\n')
    for words in (("profile", "check", file), ("profile", "show", file, "--device-os", "13")):
        said = on_terminal(home, *words)
        assert b"red" in said
        assert not re.search(rb"\x1b|\x07|\xe2\x80|\xee\x80", said), said
        assert said.count(b"a.yaml:") == 2
        assert b"\\n" not in said


def test_what_devices_say_in_the_log_cannot_act_on_the_terminal(
    fleet: Fleet, virtual_bench: VirtualBench, tmp_path: Path
) -> None:
    noise = {"kind": "noise", "at": "pm uninstall", "with": "escapes", "times": 0}
    bench = virtual_bench({"devices": [{"preset": "pixel-13", "faults": [noise]}]})
    package = next(name for name in bench.state(bench.devices[0].serial)["packages"] if "youtube" in name)
    file = tmp_path / "a.yaml"
    file.write_text(f"profile: a\nrestrictions: {{remove: [{{android: {package}}}]}}\n")
    done = fleet("-vv", "provision", "--all", "--profile", file)
    assert "\\x1b" in done.err
    assert "\x1b" not in done.err


def test_a_full_output_is_told_in_one_line(home: Fleet) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [FLEET, "status"], env=home.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "Error: The output could not be written: No space left on device.\n")


def test_work_goes_on_with_a_full_output(fleet: Fleet, virtual_bench: VirtualBench) -> None:
    virtual_bench(ONE)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [FLEET, "provision", "--all", "--json", "--profile", SAMPLE],
            env=fleet.environment(), stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "The output ended early: No space left on device. The work went on." in done.stderr
    assert "bug" not in done.stderr
    assert fleet("status", "--json").lines[0]["by_verdict"] == {"partial": 1}


def test_work_goes_on_when_the_reader_goes_away(fleet: Fleet, virtual_bench: VirtualBench) -> None:
    virtual_bench(ONE)
    with fleet.start("provision", "--all", "--json", "--profile", SAMPLE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while '"step"' not in process.stdout.readline():
            pass
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1
    assert fleet("status", "--json").lines[0]["by_verdict"] == {"partial": 1}


@pytest.mark.parametrize(
    "thread", ["", "threading.Thread(target=lambda: (time.sleep(0.3), os.write(1, b'thread '))).start()"]
)
def test_what_is_begun_is_ended(thread: str) -> None:
    """The process ends without taking itself apart, but neither what was printed nor what was to be done is lost."""
    code = (
        "import atexit, os, sys, threading, time, click, cli\n"
        "atexit.register(lambda: os.write(1, b' cleared '))\n"
        f"def command(): sys.stdout.write('printed '); {thread or 'pass'}\n"
        "cli.root = click.Command('fleet', callback=command)\n"
        "cli.main()"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == sorted(["printed", "cleared", *(["thread"] if thread else [])])


def test_home_goes_for_the_cache_too(home: Fleet, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert home("--home", elsewhere, "profile", "check", SAMPLE).code == 0
    assert list((elsewhere / "cache").iterdir())
    assert not home.home.exists()


def test_an_interrupt_ends_with_130(fleet: Fleet, virtual_bench: VirtualBench) -> None:
    bench = virtual_bench(ONE)
    bench.send({"do": "fault", "serial": bench.devices[0].serial, "fault": {"kind": "latency", "seconds": 0.3}})
    with fleet.start("provision", "--all", "--json", "--profile", SAMPLE) as process:
        assert process.stdout is not None
        while '"step"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert '"summary"' in out
    assert "bug" not in err


def test_a_bug_names_its_log(home: Fleet, tmp_path: Path) -> None:
    code = "import sys, cli, fleet.account.status.counts as c; c.status = None; sys.argv[1:] = ['status']; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**home.environment(), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "This is a bug in fleet (TypeError), not your mistake." in done.stderr
    (log,) = tmp_path.glob("fleet-bug-*.log")
    assert str(log) in done.stderr
    assert "Traceback" in log.read_text()
