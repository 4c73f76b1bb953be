"""Sites that are not what they should be: one plain line is said of each, nothing believed, and the others go on."""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from fleet.bulk import batches
from fleet.db import transaction
from fleet.home import Home
from fleet.remote.errors import RemoteError
from fleet.remote.sites import records
from fleet.remote.wire.address import parse, parse_key
from fleet.remote.wire.session import Session
from fleet.remote.wire.ssh import connected
from fleet.units import open_registry
from tests.fleets import FLEET, Fleet
from tests.remote.conftest import SiteMaker
from tests.remote.making import built, profile
from tests.remote.test_pushes import current, status
from tests.sshd import Sshd

STRANGE = "answers what no fleet says"
REFUSED = "cannot be taken over"
SAID = {
    **dict.fromkeys(("endless-noise", "a-huge-frame", "deep-json", "not-json", "many-digits"), STRANGE),
    **dict.fromkeys(("no-bench", "every-bench", "a-path-for-a-bench", "a-huge-number"), STRANGE),
    **dict.fromkeys(("a-float-for-a-number", "true-for-a-number", "a-list-for-a-text", "a-far-zone"), STRANGE),
    **dict.fromkeys(("a-bad-digest", "asks-for-a-path", "asks-for-a-link", "has-more-than-all"), STRANGE),
    **dict.fromkeys(("has-less-than-nothing", "asks-for-nothing-known", "asks-in-depth", "endless-messages"), STRANGE),
    **dict.fromkeys(("endless-lines", "a-format-for-an-exit", "a-huge-exit", "no-error"), STRANGE),
    **dict.fromkeys(("a-huge-ledger", "a-ledger-in-empty-pieces"), STRANGE),
    **dict.fromkeys(("of-the-hub", "of-another", "what-is-the-hubs", "a-release", "begins-late", "ahead"), REFUSED),
    "a-wipe": REFUSED,
    **dict.fromkeys(("huge-number", "a-float", "not-a-number", "deep", "changed", "cut-off", "no-ledger"), REFUSED),
    **dict.fromkeys(("unknown-kind", "a-list-for-a-body"), REFUSED),
    "another-greeting": "has a newer fleet, which this hub does not understand. Update fleet here.",
    "newer-protocol": "has a newer fleet, which this hub does not understand. Update fleet here.",
    "older-protocol": "has an older fleet, which this hub does not understand. Update fleet at the site.",
    "is-the-hub": "says that it is this hub",
    "says-another-release": "says that release 99 is in force there",
    "refuses-in-colours": r"\x1b[2J\x1b[31mno\r\nxxxx",
}
"""What is said of each."""

HARMLESS = ("well", "control-characters", "odd-lines")
"""Odd, but no reason to refuse them: nothing of it is believed, or shown as it came."""


class Hostiles:
    """An sshd with a port for each of them; it takes no more than sixteen."""

    def __init__(self, hub: Fleet, folder: Path, names: list[str]) -> None:
        with ExitStack() as held:
            servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
            self.ports = {name: int(one.getsockname()[1]) for name, one in zip(names, servers, strict=True)}
        program = ["/usr/bin/env", "python3", str(Path(__file__).with_name("hostile.py")), Home(hub.home).bench().id]
        words = [f"{port}={name}" for name, port in self.ports.items()]
        public = (hub.home / "ssh" / "id_ed25519.pub").read_text().strip()
        self.server = Sshd(folder, public, command=shlex.join([*program, *words]))
        config = folder / "sshd_config"
        more = "".join(f"ListenAddress 127.0.0.1:{port}\n" for port in self.ports.values())
        config.write_text(more + config.read_text())
        self.server.start()
        with open_registry(Home(hub.home), None, "test") as registry, transaction(registry.engine) as conn:
            for name, port in self.ports.items():
                where = parse(self.server.address(port))
                records.put(conn, registry.ledger, name, where, parse_key(self.server.host_key))


@pytest.fixture
def hostiles(hub: Fleet, tmp_path: Path) -> Iterator[Callable[[Sequence[str]], Hostiles]]:
    """``hostiles(["well"])`` starts them, and the hub knows them as sites; the last of their servers."""
    started: list[Hostiles] = []

    def start(names: Sequence[str]) -> Hostiles:
        for some in batches(names, 15):
            started.append(Hostiles(hub, tmp_path / f"hostile-{len(started)}", some))
        return started[-1]

    yield start
    for one in started:
        one.server.stop()


def push(hub: Fleet, release: int) -> tuple[int, str, float]:
    """Exit code, all that it printed, and the most memory that it had, in MB."""
    log = hub.home / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [FLEET, "push", str(release), "--stop-at", "100"], env=hub.environment(), stdout=file, stderr=file
        )
        most = 0
        while process.poll() is None:
            most = max(most, peak(process.pid))
            time.sleep(0.02)
    return process.returncode, log.read_text(), most / 1000


def peak(pid: int) -> int:
    """The most memory that a process has had, in kB. What wait4 tells counts that of whoever began it, too."""
    state = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in state.splitlines() if line.startswith("VmHWM")), 0)


@pytest.mark.slow
def test_each_is_told_in_one_line_and_the_others_go_on(
    hub: Fleet, site: SiteMaker, hostiles: Callable[[Sequence[str]], Hostiles], tmp_path: Path
) -> None:
    good = site("zz-good")
    hostiles([*SAID, *HARMLESS])
    release = built(hub, profile(tmp_path / "p", extra=""))
    start = time.monotonic()
    code, out, memory = push(hub, release)
    assert time.monotonic() - start < 120
    assert code == 1
    assert memory < 300
    assert current(good) == release
    assert "Traceback" not in out
    assert not [sign for sign in out if sign != "\n" and not sign.isprintable()]
    told = {one["site"]: one for one in status(hub)["sites"]}
    wrong = {
        name: (told[name]["state"], told[name]["error"])
        for name, words in SAID.items()
        if told[name]["state"] != "failed" or words not in f"{told[name]['error']} {told[name]['next_action']}"
    }
    assert wrong == {}
    assert {name: told[name]["state"] for name in (*HARMLESS, "zz-good")} == dict.fromkeys(
        (*HARMLESS, "zz-good"), "done"
    )
    for one in told.values():
        assert len(one["error"]) < 700
        assert (one["error"] + one["next_action"]).isprintable()
    assert hub("ledger", "verify").code == 0
    assert [one["site"] for one in hub("site", "list", "--json").lines[0]["sites"] if one["reported"] == 99] == []
    shown = hub("unit", "list")
    assert shown.code == 0
    assert "\x1b" not in shown.out


@pytest.mark.slow
def test_a_huge_ledger_of_few_lines_takes_no_more_memory(
    hub: Fleet, hostiles: Callable[[Sequence[str]], Hostiles], tmp_path: Path
) -> None:
    hostiles(["huge"])
    _, _, memory = push(hub, built(hub, profile(tmp_path / "p")))
    told = status(hub)["sites"][0]
    assert (told["state"], told["error"]) == ("done", "")
    assert memory < 300


@pytest.mark.slow
@pytest.mark.parametrize("how", ["noise-little-by-little", "endless-complaints"])
def test_nobody_keeps_the_hub_waiting(
    hub: Fleet, hostiles: Callable[[Sequence[str]], Hostiles], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.remote.wire.session._GREETED", 1.0)
    found = hostiles([how])
    where, key = parse(found.server.address(found.ports[how])), parse_key(found.server.host_key)
    start = time.monotonic()
    with (
        pytest.raises(RemoteError, match="broke"),
        connected(where, key, Home(hub.home), patience=3) as channel,
    ):
        Session(channel, "one")
    assert time.monotonic() - start < 30


@pytest.mark.slow
def test_a_chain_that_is_replayed_forked_or_set_back(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    """The second release finds the site's own record another than it was: told, and nothing is taken over."""
    one = site("one")
    bench = Fleet(one.home, adb_port=1)
    assert bench("place", "add", "HN-1", "--kind", "school", "--name", "Truong 1").code == 0
    copy = (one.home / "registry.db").read_bytes()
    assert bench("place", "add", "HN-2", "--kind", "school", "--name", "Truong 2").code == 0
    first = built(hub, profile(tmp_path / "p"))
    assert hub("push", first, "--no-bring").code == 0
    places = hub("place", "list").out
    assert "HN-2" in places
    for path in one.home.glob("registry.db*"):
        path.unlink()
    (one.home / "registry.db").write_bytes(copy)
    second = built(hub, profile(tmp_path / "p"), note="two")
    assert hub("push", second, "--no-bring").code == 1
    assert "ends before event 3, which it sent us once" in status(hub)["sites"][0]["error"]
    assert current(one) == second
    assert bench("place", "add", "HN-3", "--kind", "school", "--name", "Truong 3").code == 0
    assert hub("push", second, "--no-bring").code == 1
    assert "cannot be taken over" in status(hub)["sites"][0]["error"]
    assert hub("place", "list").out == places
    assert hub("ledger", "verify").code == 0


def user() -> str:
    return getpass.getuser()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("shell", ["touch", "{broken}"]),
        ("local forwarding", ["-N", "-L", "{way}:127.0.0.1:{target}", "-o", "ExitOnForwardFailure=yes"]),
        ("remote forwarding", ["-N", "-R", "{way}:127.0.0.1:{target}", "-o", "ExitOnForwardFailure=yes"]),
        ("a terminal", ["-tt", "sh"]),
    ],
)
def test_the_key_of_the_hub_opens_nothing_else(
    hub: Fleet, site: SiteMaker, tmp_path: Path, what: str, words: list[str]
) -> None:
    one = site("one", add=False)
    way = tmp_path / "way"
    told = {"broken": tmp_path / "broken", "way": way, "target": one.port}
    asked = [word.format(**told) for word in words]
    options = [word for word in asked if word.startswith("-")]
    run = subprocess.Popen(
        [
            "ssh",
            *common(hub, tmp_path),
            "-p",
            str(one.port),
            *asked[: len(asked) if options else 0],
            f"{user()}@127.0.0.1",
        ]
        + ([] if options else asked),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        time.sleep(1.5)
        with pytest.raises(OSError):
            reached(way)
    finally:
        run.terminate()
        out, _ = run.communicate(timeout=30)
    assert not (tmp_path / "broken").exists()
    assert not out or out.startswith(b"schoolbag site"), what


def common(hub: Fleet, folder: Path) -> list[str]:
    known = f"UserKnownHostsFile={folder}/known"
    return [
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        known,
        "-o",
        "BatchMode=yes",
        "-i",
        str(hub.home / "ssh" / "id_ed25519"),
    ]


def reached(path: Path) -> None:
    """Something came through a forwarded socket."""
    with socket.socket(socket.AF_UNIX) as way:
        way.settimeout(3)
        way.connect(str(path))
        if not way.recv(10):
            raise OSError("closed")


def test_sftp_is_refused(hub: Fleet, site: SiteMaker, tmp_path: Path) -> None:
    one = site("one", add=False)
    where = ["-P", str(one.port), f"{user()}@127.0.0.1"]
    batch = f"put {sys.executable} {tmp_path}/stolen\nget /etc/hostname {tmp_path}/stolen\n"
    run = subprocess.run(
        ["sftp", "-b", "-", *common(hub, tmp_path), *where],
        input=batch.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert not (tmp_path / "stolen").exists()
