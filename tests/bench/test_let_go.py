"""Let go in the middle, by a pulled cable or by Ctrl-C: it ends soon, and says no more than its own words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_watch import Watching
from tests.benches import Bench
from tests.fleets import Fleet
from tests.ipas import make_ipa

Row = dict[str, Any]
_APPS = 8_000_000
_SLOW = {"kind": "slow_link", "rate": 1_000_000}


@pytest.fixture
def iphones(virtual_iphones: Callable[[Any], Bench], fleet: Fleet) -> Callable[..., Bench]:
    """``iphones(2, faults=[…])``: so many of them, whose users trust at once."""

    def start(count: int, **more: Any) -> Bench:
        device = {"preset": "iphone-17", "state": {"trust": 0, "installs": 0}, **more}
        bench = virtual_iphones({"devices": [device] * count})
        fleet.env["FLEET_ACTIVATION_SERVER"] = bench.activation_server
        return bench

    return start


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    make_ipa(tmp_path / "app.ipa", "org.example.reader", size=_APPS)
    path = tmp_path / "big.yaml"
    path.write_text("profile: big\napps: [{id: reader, ios: {bundle: org.example.reader, file: app.ipa}}]\n", "utf-8")
    return path


def running(fleet: Fleet, *words: str | Path) -> Watching:
    return Watching(fleet.start("provision", "--all", "--json", *words), fleet.home)


def sending(row: Row) -> bool:
    return row["event"] == "bytes" and 1_000_000 < int(row["sent"]) < _APPS / 2


@pytest.mark.parametrize("let_go", ["unplug", "usbmuxd", "ctrl-c"])
def test_in_the_middle_of_uploads(iphones: Callable[..., Bench], fleet: Fleet, profile: Path, let_go: str) -> None:
    bench = iphones(2, faults=[_SLOW])
    run = running(fleet, "--profile", profile)
    try:
        run.wait_for(sending)
        if let_go == "ctrl-c":
            begun = time.monotonic()
            code, err = run.end()
            assert time.monotonic() - begun < 10
        else:
            if let_go == "usbmuxd":
                bench.send({"do": "usbmuxd", "on": False})
            else:
                for device in bench.devices:
                    bench.send({"do": "unplug", "serial": device.serial})
            run.wait_for(lambda row: row["event"] == "summary")
            code, err = run.end(0)
            assert [row["lost"] for row in run.lines if row["event"] == "report"] == [True, True]
    finally:
        run.close()
    assert (code, [line for line in err.splitlines() if not _ours(line)]) == (130 if let_go == "ctrl-c" else 1, [])
    assert all("org.example.reader" not in bench.state(device.serial)["apps"] for device in bench.devices)


def _ours(line: str) -> bool:
    """What ``fleet`` itself says at an end: nothing, or that it was stopped."""
    return not line.strip() or "Stopped" in line or "interrupted" in line.lower()


@pytest.fixture
def trickles() -> Iterator[tuple[str, threading.Event]]:
    """The address of an activation server that begins to answer at once and never ends, and whether it was asked."""
    over, asked = threading.Event(), threading.Event()

    class Trickle(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-apple-plist")
            self.end_headers()
            asked.set()
            try:
                while not over.wait(0.2):
                    self.wfile.write(b" ")
            except OSError:
                return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    over.set()
    server.shutdown()
    server.server_close()


def test_while_the_activation_server_is_waited_for(
    iphones: Callable[..., Bench], fleet: Fleet, profile: Path, trickles: tuple[str, threading.Event]
) -> None:
    bench = iphones(1)
    assert fleet("supervision", "init", "--organisation", "Schoolbag tests").code == 0
    fleet.env["FLEET_ACTIVATION_SERVER"], asked = trickles
    run = running(fleet, "--erase", "--profile", profile)
    try:
        run.wait_for(lambda row: row["event"] == "step" and row["item"] == "supervision.erased")
        assert asked.wait(30), "it was never asked"
        begun = time.monotonic()
        code, err = run.end()
        assert time.monotonic() - begun < 10
    finally:
        run.close()
    assert (code, [line for line in err.splitlines() if not _ours(line)]) == (130, [])
    assert bench.state(bench.devices[0].serial)["erased"] == 0
