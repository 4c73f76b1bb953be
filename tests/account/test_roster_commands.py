"""``fleet roster``, ``fleet student`` and ``fleet vault`` as a coordinator uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fleet.account.people.vault import the_vault
from fleet.db import transaction
from fleet.home import Home
from fleet.units import open_registry
from provision.model import Identity
from tests.account.roster_making import DATA
from tests.fleets import FLEET, ROOT, Fleet

PASSPHRASE = "four words are enough"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Without an adb server: no device is asked."""
    return Fleet(tmp_path / "home", 1)


def test_a_list_is_planned_and_then_applied(fleet: Fleet, tmp_path: Path) -> None:
    file = DATA / "titles-and-totals.xlsx"
    dry = fleet("roster", "import", file)
    assert dry.code == 0, dry.err
    assert "would be new 4" in dry.out
    assert "Nothing was changed yet. With --apply it is." in dry.out
    assert not fleet.home.exists()
    done = fleet("roster", "import", file, "--apply")
    assert done.code == 0, done.err
    assert "new 4, changed 0, unchanged 0, refused 0" in done.out
    again = fleet("roster", "import", file, "--apply", "--json").lines
    assert [line["event"] for line in again] == ["sheet", "roster"]
    assert (again[-1]["new"], again[-1]["unchanged"], again[-1]["applied"]) == (0, 4, True)
    assert fleet("ledger", "verify").code == 0


def test_refused_rows_are_told_written_down_and_make_exit_1(fleet: Fleet, tmp_path: Path) -> None:
    rejects = tmp_path / "refused.csv"
    done = fleet("roster", "import", DATA / "gb18030.csv", "--apply", "--rejects", rejects)
    assert done.code == 1
    assert "new 3, changed 0, unchanged 0, refused 1" in done.out
    assert "national_id" in done.out
    assert "王芳" not in done.out
    assert "王芳" in rejects.read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("roster", "import", "nothing.csv"), 1, "nothing.csv cannot be read: No such file"),
        (("roster", "import", DATA / "no-header.csv"), 1, "it does not have a row of headers"),
        (("roster", "import", DATA / "dates.csv", "--school", "X"), 1, "No school has the code 'X'"),
        (("roster", "import", DATA / "dates.csv", "--region", "XX"), 2, "There is no region 'XX'"),
        (("roster", "import", DATA / "dates.csv", "--encoding", "x"), 1, "There is no encoding 'x'"),
        (("student", "show", "S-0000000000"), 1, "is no pseudonym of a student"),
        (("student", "show", "S-000000000"), 1, "No student has the pseudonym S-000000000"),
        (("student", "find", "12"), 1, "is no phone number"),
        (("student", "forget", "S-000000000", "--why", "x"), 2, "Pass --yes"),
        (("vault", "backup", "x.key"), 1, "This bench has no key of a vault"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(fleet: Fleet, words: tuple[str, ...], code: int, why: str) -> None:
    done = fleet(*words)
    assert done.code == code, done.out + done.err
    assert why in done.err


def test_a_name_is_shown_to_who_says_why_and_can_be_forgotten(fleet: Fleet) -> None:
    fleet("roster", "import", DATA / "windows-1258.csv", "--apply")
    found = fleet("student", "find", "tran quoc dat", "--json").lines[0]["students"]
    assert [(one["school"], one["class_name"]) for one in found] == [("THCS-PHU-MY", "6A")]
    assert fleet("student", "find", "0987 654 321", "--json").lines[0]["students"] == found
    student = found[0]["student"]
    assert "Đạt" not in fleet("student", "show", student).out
    shown = fleet("student", "show", student.lower(), "--name", "the family is to be called").out
    assert "Trần Quốc Đạt" in shown
    assert "+84987654321" in shown
    assert "the name was read: the family is to be called" in fleet("student", "show", student).out
    assert fleet("student", "leave", student, "--why", "moved").out.strip().endswith("has left.")
    assert fleet("student", "forget", student, "--why", "the family asked", "--yes").code == 0
    gone = fleet("student", "show", student, "--name", "again", "--json").lines[0]
    assert (gone["student"]["state"], gone["student"]["household"]) == ("forgotten", "")
    assert "person" not in gone
    assert fleet("student", "find", "tran quoc dat", "--json").lines[0]["students"] == []
    assert fleet("ledger", "verify").code == 0


def test_the_key_is_carried_to_another_bench(fleet: Fleet, tmp_path: Path) -> None:
    """Two benches that were never connected give one child one pseudonym."""
    fleet.env["FLEET_VAULT_PASSPHRASE"] = PASSPHRASE
    file, list_ = tmp_path / "vault.key", DATA / "typed-without-marks.csv"
    fleet("roster", "import", list_, "--apply")
    assert fleet("vault", "backup", file).code == 0
    there = fleet("vault", "backup", file)
    assert (there.code, "is there already" in there.err) == (1, True)
    other = Fleet(tmp_path / "other", 1, env=fleet.env)
    assert other("vault", "restore", file).code == 0
    other("roster", "import", list_, "--apply")
    who = [one("student", "find", "Nguyễn Văn Hoà", "--json").lines[0]["students"] for one in (fleet, other)]
    assert who[0][0]["student"] == who[1][0]["student"]
    assert (
        fleet("vault", "show", "--json").lines[0]["fingerprint"]
        == other("vault", "show", "--json").lines[0]["fingerprint"]
    )
    (other.home / "vault.key").write_bytes(bytes(32))
    refused = other("student", "show", who[0][0]["student"], "--name", "x")
    assert (refused.code, "does not open the vault" in refused.err) == (1, True)
    assert other("vault", "show").code == 1
    kept = other("vault", "restore", file)
    assert (kept.code, "another key already" in kept.err) == (1, True)


def test_the_pin_of_a_unit(fleet: Fleet) -> None:
    home = Home(fleet.home)
    with open_registry(home, None, "lan") as registry:
        registry.unit_for(Identity("android", "SER1", "samsung", "A10", "13", 33, "b", ""), tag_prefix="A")
        assert fleet("unit", "pin", "A-0001").code == 1
        with transaction(registry.engine) as conn:
            pin = the_vault(home, conn).unit_pin(conn, "android:SER1")
    shown = fleet("unit", "pin", "a-0001")
    assert (shown.out.strip(), "not known" in shown.err) == (pin, True)
    (line,) = fleet("unit", "pin", "SER1", "--json").lines
    assert (line["pin"], line["result"]) == (pin, None)


def test_killed_in_the_middle_it_has_changed_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """And the same list goes in afterwards."""
    file = tmp_path / "long.csv"
    rows = (
        f"{chr(65 + n // 1000)}a {'klmnopqrst'[n // 100 % 10]}e,2012-01-{n % 28 + 1:02d},{n}" for n in range(20_000)
    )
    file.write_text("\n".join(("name,birthday,student number", *rows)), encoding="utf-8")
    assert fleet("place", "add", "HILL", "--name", "Hill School", "--kind", "school").code == 0
    words = ("roster", "import", str(file), "--school", "HILL", "--apply", "--json")
    with subprocess.Popen([FLEET, *words], env=fleet.environment(), stdout=subprocess.PIPE, cwd=ROOT) as process:
        _wait_for_a_transaction(fleet.home / "registry.db-wal")
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert fleet("ledger", "verify").code == 0
    done = json.loads(fleet(*words).out.splitlines()[-1])
    assert (done["new"], done["unchanged"]) == (20_000, 0)


def _wait_for_a_transaction(wal: Path) -> None:
    """Until a megabyte was written that is not committed yet."""
    import time

    end = time.monotonic() + 60
    while time.monotonic() < end:
        if wal.exists() and wal.stat().st_size > 1 << 20:
            return
        time.sleep(0.005)
    raise AssertionError("nothing was written")
