"""Programs at once, and programs killed: the chain never forks and no event is lost."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from fleet.db import database_of, reading
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.ledger_replay import replay
from fleet.models import metadata, units
from tests.fleet.making import tables

WRITER = """
import sys
from pathlib import Path
from fleet.home import Home
from fleet.units import open_registry
from tests.fleet.making import identity, report
home, name, count = Home(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with open_registry(home, None, name) as registry:
    for number in range(count):
        who = identity(f"{name}{number}")
        tag = registry.unit_for(who, tag_prefix="A").tag
        registry.record(report(who, tag=tag))
        print(number, flush=True)
"""


def start(home: Home, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(home.path), name, str(count)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def go(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


def whole(home: Home) -> int:
    """The number of units, if chain and tables hold."""
    with reading(database_of(None, home)) as conn:
        assert isinstance(verify(conn), Verified)
        engine = create_engine("sqlite://")
        metadata.create_all(engine)
        with engine.connect() as target:
            replay(conn, target)
            assert tables(target) == tables(conn)
        engine.dispose()
        return conn.scalar(select(func.count()).select_from(units)) or 0


def test_programs_that_start_at_once_make_one_bench_and_one_chain(home: Home) -> None:
    """From nothing: home, key, database, tables and chain are made by whoever comes first."""
    writers = [start(home, name, 15) for name in ("S", "T", "U")]
    for writer in writers:
        go(writer)
    for writer in writers:
        said, complaints = writer.communicate(timeout=60)
        assert (writer.returncode, complaints) == (0, ""), complaints
        assert len(said.splitlines()) == 15
    assert whole(home) == 45
    with reading(database_of(None, home)) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert [(end.bench, end.seq) for end in found.ends] == [(home.bench().id, 1 + 3 * 45)]


@pytest.mark.parametrize("moment", [0.0, 0.03, 0.11, 0.23])
def test_killed_in_the_middle(home: Home, moment: float) -> None:
    """What was said to be written is there; what was under way is there whole or not at all; work goes on."""
    writer = start(home, "S", 10_000)
    go(writer)
    with contextlib.suppress(AssertionError):
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moment)
    writer.send_signal(signal.SIGKILL)
    said, _ = writer.communicate(timeout=60)
    written = 1 + len([line for line in said.split("\n")[:-1] if line])
    assert writer.returncode == -signal.SIGKILL
    assert written <= whole(home) <= written + 1
    after = start(home, "T", 1)
    go(after)
    assert after.communicate(timeout=60)[0] == "0\n"
    assert written + 1 <= whole(home) <= written + 2


def test_killed_while_the_registry_is_made(tmp_path: Path) -> None:
    """At any moment of the first start; the next start makes what is missing."""
    for attempt in range(4):
        home = Home(tmp_path / str(attempt))
        writer = start(home, "S", 1)
        go(writer)
        time.sleep(0.09 * attempt)
        writer.kill()
        writer.communicate(timeout=60)
        with reading(database_of(None, home)) as conn:
            assert isinstance(verify(conn), Verified)
        again = start(home, "T", 1)
        go(again)
        assert again.communicate(timeout=60)[0] == "0\n"
        assert whole(home) in (1, 2)
