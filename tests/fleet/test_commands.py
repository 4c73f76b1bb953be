"""The commands of the account, as a technician and a script see them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from fleet.account.status.commands import status
from fleet.account.status.health_rules import rules_of
from fleet.errors import RegistryError, UnitError
from fleet.home import Home, Options
from fleet.ledger_commands import ledger
from fleet.unit_commands import unit
from fleet.units import Registry
from provision.model import Cannot, Item, Met, Outcome, Strength
from provision.model import Result as Came
from tests.fleet.making import SERIAL, identity, report

COMMANDS = {"status": status, "unit": unit, "ledger": ledger}


def fleet(home: Home, *words: str) -> Result:
    name, *rest = words
    done = CliRunner().invoke(COMMANDS[name], rest, obj=Options(home=home.path, actor="lan"))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def told(home: Home, *words: str) -> dict[str, Any]:
    done = fleet(home, *words, "--json")
    assert len(done.output.splitlines()) == 1
    value: dict[str, Any] = json.loads(done.output)
    assert value["v"] == 1
    assert value["at"].endswith("Z")
    return value


def test_status_of_nothing(home: Home) -> None:
    assert "No units yet" in fleet(home, "status").output
    empty = told(home, "status")
    assert (empty["event"], empty["units"], empty["by_state"], empty["recent"]) == ("status", 0, {}, [])
    assert fleet(home, "ledger", "verify").exit_code == 0
    with pytest.raises(UnitError):
        fleet(home, "unit", "show", SERIAL)
    assert not home.path.exists()


def test_status(registry: Registry, home: Home) -> None:
    for number in range(3):
        registry.unit_for(identity(f"S{number}"), tag_prefix="A")
    registry.record(report(identity("S0")))
    found = told(home, "status")
    assert (found["units"], found["by_state"]) == (3, {"at_bench": 3})
    assert found["by_verdict"] == {"none": 2, "partial": 1}
    assert [line["tag"] for line in found["recent"]] == ["A-0001"]
    printed = fleet(home, "status").output
    assert "3 units: 3 at bench" in printed
    assert "1 partial, 2 none" in printed


def test_show(registry: Registry, home: Home) -> None:
    registry.unit_for(identity(), tag_prefix="A")
    registry.record(report())
    found = told(home, "unit", "show", "a-0001")
    assert found["unit"]["serial"] == SERIAL
    assert len(found["items"]) == 3
    assert [line["kind"] for line in found["history"]] == ["unit.run", "unit.tagged", "unit.added"]
    printed = " ".join(fleet(home, "unit", "show", SERIAL).output.split())
    for words in ("A-0001", SERIAL, "356938035643809", "Viettel", "needs a device", "Enrol it.", "Left on: USB"):
        assert words in printed


def test_the_last_run_in_lines_that_a_terminal_holds(registry: Registry, home: Home) -> None:
    """Many of a kind are one line, a reason that several share is told once, and no word is cut."""
    blocked = [
        Outcome(
            Item("restrictions", f"block.com.example.{n}", "blocked", Met("it is"), "", Strength.C),
            Came.VERIFIED,
            "it is",
        )
        for n in range(20)
    ]
    denied = [
        Outcome(
            Item("restrictions", key, "may not: do what is told at some length here", Cannot("")),
            Came.IMPOSSIBLE,
            "needs a device owner, which this version does not set up",
            "Do without it.",
        )
        for key in ("factory_reset", "safe_boot")
    ]
    own = Item("identity", "automatic_time", "time from the network", Met("it is"))
    registry.record(report(outcomes=(*blocked, Outcome(own, Came.VERIFIED, "it is"), *denied)))
    lines = [line.rstrip() for line in fleet(home, "unit", "show", SERIAL).output.splitlines()]
    assert "verified    20 × restrictions.block  [C]" in lines
    assert "verified    identity.automatic_time  time from the network" in lines
    assert not [line for line in lines if "com.example" in line]
    assert " ".join(lines).count("device owner") == 1
    assert "does not set up. Do without it." in " ".join(" ".join(lines).split())
    assert "State at bench, not in any donor's list" in [" ".join(line.split()) for line in lines]
    assert len(lines) < 30


def test_status_goes_by_tag_a_line_per_unit(registry: Registry, home: Home) -> None:
    for number in (2, 1, 3):
        who = identity(f"R58M12ABCDE{number}", model="Galaxy Tab A7 Lite SM-T220")
        registry.record(report(who, profile="primary-vn"))
        if number != 3:
            registry.tag(who.serial, f"HN-000{number}")
    lines = fleet(home, "status").output.splitlines()
    starts = [line.split()[0] for line in lines if re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d$", line)]
    assert starts == ["HN-0001", "HN-0002", "R58M12ABCDE3"]


def test_nothing_more_than_it_is(registry: Registry, home: Home) -> None:
    registry.record(report())
    printed = fleet(home, "status").output + fleet(home, "unit", "show", SERIAL).output
    assert "1 unit: " in printed
    assert "partial, 1 step\n" in re.sub(" +\n", "\n", printed)


def test_an_empty_account_says_where_it_is(home: Home) -> None:
    assert f"No units yet in {home.database_file}." in fleet(home, "status").output.replace("\n", "")


def test_last_seen(registry: Registry) -> None:
    assert registry.last_seen(SERIAL) is None
    registry.record(report())
    assert (registry.last_seen(SERIAL) or "").startswith("2025-03-01T")


def test_the_page_tells_every_field(registry: Registry, home: Home) -> None:
    registry.unit_for(identity(), tag_prefix="A")
    registry.record(report())
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")
    unit = told(home, "unit", "show", SERIAL)
    status = told(home, "status")
    ledger = told(home, "ledger", "verify")
    parts = (status, status["recent"][0], unit, unit["unit"], unit["facts"], unit["run"], unit["items"][0])
    for part in (*parts, unit["history"][0], ledger, ledger["ends"][0]):
        assert [name for name in part if f"`{name}`" not in page] == []


def test_tag(registry: Registry, home: Home) -> None:
    registry.record(report())
    assert fleet(home, "unit", "tag", SERIAL, "lab-1").output == f"{SERIAL} is LAB-1.\n"
    assert told(home, "unit", "tag", "LAB-1", "LAB-2")["unit"] == "LAB-2"
    assert [line["actor"] for line in told(home, "unit", "show", SERIAL)["history"]] == ["lan"] * 4


def test_ledger_verify(registry: Registry, home: Home) -> None:
    registry.record(report())
    whole = told(home, "ledger", "verify")
    assert (whole["whole"], whole["events"]) == (True, 3)
    assert whole["ends"][0]["hash"] in "".join(fleet(home, "ledger", "verify").output.split())
    with registry.engine.execution_options(writing=True).begin() as conn:
        conn.exec_driver_sql("UPDATE events SET actor = 'x' WHERE seq = 2")
    done = fleet(home, "ledger", "verify")
    assert done.exit_code == 1
    assert f"({home.bench().id}) was changed" in " ".join(done.output.split())
    assert told(home, "ledger", "verify")["seq"] == 2
    assert fleet(home, "ledger", "verify", "--json").exit_code == 1


ODD = (
    "\x1b[31mred\x1b]0;owned\x07",
    "[bold]markup[/bold] [/x]",
    "\x9b2J\u202egnp.exe",
    "学生平板" * 12,
    "x" * 70,
    ":smile:",
)


@pytest.mark.parametrize("odd", ODD)
def test_what_devices_say_cannot_act_on_the_terminal(registry: Registry, home: Home, odd: str) -> None:
    who = identity(f"S{odd}", model=odd, maker=odd)
    registry.record(report(who, error=odd, next_action=odd, profile=odd, port=odd, left_on=(odd,), allowed=odd))
    for words in (("status",), ("unit", "show", f"S{odd}"), ("unit", "tag", f"S{odd}", "A-1")):
        printed = fleet(home, *words).output
        assert not [c for c in printed if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]
        if words[1:2] != ("tag",):
            assert max(cell_len(line) for line in printed.splitlines()) <= 80
        machine = fleet(home, *words, "--json").output
        assert machine.rstrip("\n").isprintable()
    squeezed = "".join(fleet(home, "unit", "show", "A-1").output.split())
    assert "".join(odd.encode("unicode_escape").decode().split()) in squeezed or odd.replace(" ", "") in squeezed


def test_every_command_has_help_with_an_example() -> None:
    for words in (["status"], ["unit"], ["unit", "show"], ["unit", "tag"], ["ledger"], ["ledger", "verify"]):
        name, *rest = words
        done = CliRunner().invoke(COMMANDS[name], [*rest, "--help"])
        assert done.exit_code == 0
        assert f"Example: fleet {' '.join(words)}" in " ".join(done.output.split())


def test_a_registry_that_cannot_be_read_is_said_so(home: Home) -> None:
    home.make()
    home.database_file.write_bytes(b"nonsense" * 1000)
    for words in (("status",), ("unit", "show", "A-1"), ("unit", "tag", "A-1", "A-2"), ("ledger", "verify")):
        with pytest.raises(RegistryError, match="is not a database"):
            fleet(home, *words)


@pytest.mark.parametrize("words", [("status",), ("unit", "show", SERIAL), ("ledger", "verify", "--json")])
def test_reading_imports_little(registry: Registry, home: Home, words: tuple[str, ...]) -> None:
    """Once the rules of health were read: what was read of them is kept."""
    registry.record(report())
    rules_of(home)
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, "--home", str(home.path), *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    heavy = {"pydantic", "alembic", "sqlalchemy.orm", "yaml", "cryptography", "ppadb", "apkInspector"}
    assert not heavy & set(done.stderr.split())


def test_writing_imports_alembic_only_to_upgrade(registry: Registry, home: Home) -> None:
    registry.record(report())
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, "--home", str(home.path), "unit", "tag", SERIAL, "A-1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not {"pydantic", "alembic", "sqlalchemy.orm"} & set(done.stderr.split())


_LOADED = """
import sys
import cli
try:
    cli.main()
except SystemExit as end:
    print(*sys.modules, file=sys.stderr)
    sys.exit(end.code)
"""
