"""``fleet doctor``: the registry's checks, and the whole command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from fleet import doctor as account
from fleet.db import database_of
from fleet.doctor_commands import doctor
from fleet.home import Home, Options
from fleet.supervision import file_of, keep
from fleet.units import Registry
from provision.doctor.check import Check, Mark, examine
from provision.ios import computer
from provision.ios.keybag import create
from tests.fleet.making import SQLITE, identity, report
from tests.fleets import Fleet
from tests.provision.adb.scripted import ScriptedServer, Talk

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


def found(home: Home, now: datetime = NOW) -> dict[str, Check]:
    return {check.name: check for check in examine(account.looks(home, database_of(None, home), now))}


def marks(home: Home, now: datetime = NOW) -> dict[str, Mark]:
    return {name: check.mark for name, check in found(home, now).items()}


@pytest.fixture
def used(registry: Registry, home: Home) -> Home:
    registry.unit_for(identity(), tag_prefix="A")
    registry.record(report())
    return home


def change(home: Home, statement: str) -> None:
    engine = create_engine(database_of(None, home))
    with engine.begin() as conn:
        conn.execute(text(statement))
    engine.dispose()


def test_without_a_registry_nothing_is_made(home: Home) -> None:
    assert marks(home) == {"home": Mark.GOOD, "keybag": Mark.GOOD, "registry": Mark.GOOD}
    assert not home.path.exists()


def test_a_whole_registry(used: Home) -> None:
    assert marks(used) == dict.fromkeys(("home", "keybag", "registry", "integrity", "ledger", "ledger time"), Mark.GOOD)


def test_damaged_keys_of_this_computer(used: Home) -> None:
    """By them iPhones know it; a pairing would say so too, of every device."""
    (used.path / "pairings").mkdir(mode=0o700)
    ours = computer.file_of(used.path / "pairings")
    ours.write_bytes(b"bplist00 cut short")
    ours.chmod(0o600)
    told = found(used)["pairing"]
    assert (told.mark, str(ours) in told.what) == (Mark.BAD, True)
    assert "Delete that file" in told.mend


def test_a_clock_that_was_moved_back(used: Home) -> None:
    told = found(used, datetime(2025, 2, 1, tzinfo=UTC))["ledger time"]
    assert told.mark is Mark.BAD
    assert "2025-03-01" in told.what


def test_an_event_that_was_changed(used: Home) -> None:
    change(used, "UPDATE events SET actor = 'nobody' WHERE seq = 2")
    told = found(used)
    assert [name for name, check in told.items() if check.mark is Mark.BAD] == ["ledger"]
    assert "Event 2" in told["ledger"].what


def test_a_registry_of_a_newer_fleet(used: Home) -> None:
    change(used, "UPDATE alembic_version SET version_num = '9999'")
    told = found(used)["registry"]
    assert told.mark is Mark.BAD
    assert "newer" in told.what
    assert told.mend
    assert "ledger" not in found(used)


def test_a_file_that_is_no_database(home: Home) -> None:
    home.make()
    home.database_file.write_bytes(b"x" * 5000)
    home.database_file.chmod(0o600)
    assert marks(home) == {"home": Mark.GOOD, "keybag": Mark.GOOD, "registry": Mark.BAD}


@SQLITE
def test_a_damaged_page(used: Home, registry: Registry) -> None:
    change(used, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(used.database_file.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    for at in range(2 * size, len(content), size):
        content[at : at + 8] = b"\xff" * 8
    used.database_file.write_bytes(content)

    told = found(used)
    bad = [check for check in told.values() if check.mark is Mark.BAD]
    assert bad
    assert all(check.mend for check in bad)


@SQLITE
@pytest.mark.parametrize("name", ["seal.key", "registry.db"])
def test_what_others_may_read(used: Home, name: str) -> None:
    used.seal_key()
    assert marks(used)["home"] is Mark.GOOD
    (used.path / name).chmod(0o644)
    assert marks(used)["home"] is Mark.WARN


def test_pair_records_that_others_may_read(used: Home) -> None:
    (used.path / "pairings").mkdir(mode=0o755)
    told = found(used)["home"]
    assert (told.mark, told.mend) == (Mark.WARN, f"Run 'chmod 700 {used.path / 'pairings'}'.")


def test_a_keybag(home: Home) -> None:
    made = create("Trường Ánh Dương")
    keep(home, made)
    assert "Trường Ánh Dương" in found(home)["keybag"].what
    assert marks(home, made.ends - timedelta(days=90))["keybag"] is Mark.WARN
    assert "ended on" in found(home, made.ends + timedelta(days=1))["keybag"].what
    file_of(home).chmod(0o644)
    assert marks(home)["keybag"] is Mark.BAD


def test_the_command(fleet: Fleet) -> None:
    done = fleet("doctor", "--json")
    checks = {row["name"]: row for row in done.lines[:-1]}

    assert done.err == ""
    assert done.lines[-1]["event"] == "summary"
    assert sum(done.lines[-1][mark] for mark in Mark) == len(done.lines) - 1
    assert done.code == (1 if done.lines[-1]["bad"] else 0)
    assert checks["adb server"]["mark"] == checks["registry"]["mark"] == "good"
    assert str(fleet.adb_port) in checks["adb server"]["what"]
    assert not fleet.home.exists()


def test_the_command_for_people(home: Home, adb_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_server))
    home.make()
    home.database_file.write_bytes(b"x" * 5000)
    home.database_file.chmod(0o600)
    done = CliRunner().invoke(doctor, obj=Options(home=home.path))

    assert done.exit_code == 1
    assert "bad   registry" in done.output
    assert "→ Put back a copy of it" in done.output
    assert done.output.splitlines()[-1].endswith("bad.")
    assert max(map(len, done.output.splitlines())) <= 100


def silent(talk: Talk) -> None:
    talk.read_to_end()


def test_a_server_that_does_not_answer_is_waited_for_twice_at_most(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.android.adb.Server.__init__.__defaults__", ("127.0.0.1", 5037, 1))
    with ScriptedServer(silent) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.server().port))
        done = CliRunner().invoke(doctor, ["--json"], obj=Options(home=home.path))
        asked = len(server.talks)
    checks = {row["name"]: row for row in map(json.loads, done.output.splitlines()[:-1])}

    assert done.exit_code == 1
    assert checks["adb server"]["mark"] == "bad"
    assert checks["phones"]["mark"] == "warn"
    assert asked <= 2


def test_a_database_that_cannot_be_named_is_one_bad_check(
    home: Home, adb_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_server))
    done = CliRunner().invoke(doctor, ["--json"], obj=Options(home=home.path, database="not an address"))
    rows = [json.loads(line) for line in done.output.splitlines()]

    assert done.exit_code == 1
    assert [row["name"] for row in rows if row.get("mark") == "bad"] == ["registry"]
    assert rows[-1]["event"] == "summary"
