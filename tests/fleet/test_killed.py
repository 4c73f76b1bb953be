"""The power is cut in the middle of imports and runs, again and again: the ledger stays whole, and so do the tables."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

from sqlalchemy import func, select

from fleet.db import database_of, reading
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.models import events, students, units
from tests.fleet.making import tables
from tests.fleet.test_merge import replayed

_AT_ONCE, _KILLS = 1500, 12

WORKER = """
import itertools, os, sys
from pathlib import Path
from fleet.db import transaction
from fleet.home import Home
from fleet.units import open_registry
from tests.fleet.making import identity, report
from tests.fleet.test_ledger_many import student
home, count = Home(Path(sys.argv[1])), int(sys.argv[2])
with open_registry(home, None, "lan") as registry:
    print("open", flush=True)
    for turn in itertools.count():
        who = identity(f"{os.getpid()}")
        registry.unit_for(who, tag_prefix="A")
        registry.record(report(who))
        with transaction(registry.engine) as conn:
            registry.ledger.append_many(conn, (student(f"{os.getpid()}-{turn}-{n}", grade="1") for n in range(count)))
        print("written", flush=True)
"""


def test_killed_again_and_again(home: Home, database_url: str) -> None:
    moments, written = random.Random(7), 0
    for _ in range(_KILLS):
        command = [sys.executable, "-c", WORKER, str(home.path), str(_AT_ONCE)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "open\n"
            time.sleep(moments.uniform(0, 0.6))
            worker.send_signal(signal.SIGKILL)
            written += worker.communicate(timeout=60)[0].count("written\n")
        assert worker.returncode == -signal.SIGKILL
    with reading(database_of(None, home)) as conn:
        assert isinstance(verify(conn), Verified)
        imported = conn.scalar(select(func.count()).where(events.c.kind == "student.set")) or 0
        assert imported % _AT_ONCE == 0
        assert written <= imported // _AT_ONCE <= written + _KILLS
        assert conn.scalar(select(func.count()).select_from(students)) == imported
        tagged = conn.scalars(select(units.c.tag).where(units.c.tag.is_not(None))).all()
        assert len(tagged) == len(set(tagged)) > 0
        assert tables(conn) == replayed(conn)
