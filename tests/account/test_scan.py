"""The prompt that stays open: what a scanner reads, line by line."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select

from fleet import iccid
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.account.desk.scan import MODES, Answer, Session
from fleet.account.sims import one_by_one as sims
from fleet.account.sims.data_plan_terms import terms
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import missing, units
from fleet.units import Registry
from tests.account.custody_making import STUDENTS, assert_replays, furnish, make_ready, take_in, where
from tests.fleet.making import SQLITE
from tests.fleets import FLEET, Fleet

CASES = yaml.safe_load((Path(__file__).parents[1] / "data/custody/scans.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def furnished(registry: Registry) -> Registry:
    """A-0001 to A-0003 in stock, and B-0001 with the third student, who took charger and cable, too. Labels up to
    C-0009 were printed."""
    furnish(registry)
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "tags.printed", "C", {"v": 1, "first": 1, "last": 9})
    take_in(registry, ["A-0001", "A-0002", "A-0003", "B-0001"])
    make_ready(registry, ["A-0001", "A-0002", "A-0003", "B-0001"])
    hand_over(registry, "B-0001", STUDENTS[2], Acceptance("guardian", {"device": 1, "charger": 1, "cable": 2}, "good"))
    return registry


@SQLITE
@pytest.mark.parametrize("case", CASES)
def test_scans(furnished: Registry, case: str) -> None:
    session = Session(furnished)
    for number, (line, result, words) in enumerate(CASES[case]["scans"], 1):
        answer = session.take(line)
        assert answer is not None
        assert answer.result == result, f"{number}: {answer}"
        assert words.casefold() in answer.what.casefold(), f"{number}: {answer}"
    for tag, told in CASES[case].get("then", {}).items():
        assert list(where(furnished, tag)[:3]) == told
    if "missing" in CASES[case]:
        assert tags_missing(furnished) == CASES[case]["missing"]
    ending = session.ended()
    assert (ending.what if ending else "") == CASES[case].get("ended", "")
    assert_replays(furnished)


def tags_missing(registry: Registry) -> list[str | None]:
    """What the last counts did not find."""
    query = select(units.c.tag).join_from(missing, units).where(missing.c.until.is_(None)).order_by(units.c.tag)
    with snapshot(registry.engine) as conn:
        return list(conn.scalars(query))


def test_there_is_a_case_of_every_mode() -> None:
    said = " ".join(line.casefold() for case in CASES.values() for line, *_ in case["scans"])
    assert all(f"fleet:{mode}" in said for mode in MODES)


def test_nothing_scanned_is_nothing(furnished: Registry) -> None:
    assert Session(furnished).take(" \t\r\n") is None


@SQLITE
def test_a_sim_goes_out_alone(furnished: Registry) -> None:
    number = "898404800001234567" + iccid.check_digit("898404800001234567")
    with transaction(furnished.engine) as conn:
        listed = sims.checked(number, sims.carrier_of("viettel"), "", terms("4 GB/day, 90 days"), "")
        sims.add(conn, furnished.ledger, listed)
    session = Session(furnished, {"taken-by": "guardian"})
    session.start("hand-over")
    scanned = [STUDENTS[0], number, number, STUDENTS[1], "8984048000012345678", "A-0002", STUDENTS[0], "A-0001"]
    answers = [answer for line in scanned if (answer := session.take(line))]
    assert [one.result for one in answers] == ["note", "done", "note", "note", "refused", "done", "note", "done"]
    assert answers[1].what.startswith(f"SIM {number} to S-000000001; until 2025-05-")
    assert "not activated" in answers[1].what
    assert where(furnished, "A-0001")[2] == STUDENTS[0]
    with snapshot(furnished.engine) as conn:
        assert sims.the(conn, number)["student"] == STUDENTS[0]
    assert_replays(furnished)


@SQLITE
def test_what_the_programme_wants_is_asked_for_once_each(furnished: Registry) -> None:
    wanted = {"programme": "p", "one_per": "student", "hand_over": {"id_checks": ["guardian"], "kit": {"charger": 1}}}
    with transaction(furnished.engine) as conn:
        furnished.ledger.append(conn, "programme.set", "p", {"v": 1, "digest": "d", "programme": wanted})  # type: ignore[dict-item]
    session = Session(furnished, {"taken-by": "guardian"})
    session.start("hand-over")
    results = [
        session.take(line)
        for line in (STUDENTS[0], "A-0001", "FLEET:ID guardian=1234", "A-0001", STUDENTS[1], "A-0002")
    ]
    assert [answer.result for answer in results if answer] == ["note", "refused", "note", "done", "note", "refused"]
    misspelt = session.take("FLEET:KIT device, chargr")
    assert misspelt
    assert (misspelt.result, 'did you mean "charger"' in misspelt.what) == ("refused", True)
    assert "kit" not in session.settings
    assert session.take("FLEET:KIT device, charger, box") == Answer("note", "hand-over: guardian. Scan.")
    assert where(furnished, "A-0001")[2] == STUDENTS[0]
    assert where(furnished, "A-0002")[2] is None


@SQLITE
def test_without_a_terminal_lines_are_read_and_refusals_counted(home: Home, furnished: Registry) -> None:
    fleet = Fleet(home.path, 1)
    for lines, code in (("A-0001\r\nA-0001\nA-0002\nA-0003\nFLEET:DONE\n", 0), ("A-0001\nWRONG\nFLEET:DONE\n", 1)):
        done = subprocess.run(
            [FLEET, "scan", "--mode", "count", "--place", "STORE", "--json"],
            input=lines,
            env=fleet.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done
        assert '"event": "scan"' in done.stdout


@SQLITE
def test_at_a_terminal_it_prompts_until_the_input_ends(home: Home, furnished: Registry) -> None:
    """A real terminal: the scanner types, Ctrl-D ends it, and what was begun is told."""
    ours, theirs = pty.openpty()
    environment = Fleet(home.path, 1).environment()
    command = [str(FLEET), "scan", "--mode", "count", "--place", "STORE"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, text=True) as process:
        os.close(theirs)
        os.write(ours, b"A-0001\nA-0009\n\x04")
        seen = _all_of(ours)
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert "> " in seen
    assert "A-0001 (1)" in seen
    assert "No unit has the tag or serial 'A-0009'" in seen
    assert "was not ended with FLEET:DONE" in seen


def _all_of(terminal: int) -> str:
    seen = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            return seen.decode()
        seen += part
