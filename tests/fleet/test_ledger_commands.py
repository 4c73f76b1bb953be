"""``fleet ledger`` as people and scripts see it; ``verify`` is in test_commands.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from fleet.db import transaction
from fleet.errors import FileError
from fleet.home import Home, Options
from fleet.ledger_commands import ledger
from fleet.units import Registry, open_registry
from tests.fleet.making import identity, report, ticking


def fleet(home: Home, *words: str | Path) -> Result:
    return CliRunner().invoke(ledger, [str(word) for word in words], obj=Options(home=home.path))


def told(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, (done.output, done.exception)
    line: dict[str, Any] = json.loads(done.output)
    assert (line["v"], line["event"]) == (1, "ledger")
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What another bench exported: the same tag for another unit."""
    home = Home(tmp_path / "other")
    url = f"sqlite:///{home.database_file}"
    with open_registry(home, url, "minh", clock=ticking()) as other:
        other.unit_for(identity("S2"), tag_prefix="A")
        other.record(report(identity("S2")))
    done = CliRunner().invoke(ledger, ["export", str(tmp_path / "file")], obj=Options(home=home.path, database=url))
    assert "4 events in 1 chain, 1 reading. No names are in it." in " ".join(done.output.split())
    return tmp_path / "file"


def test_merge(registry: Registry, home: Home, file: Path) -> None:
    registry.unit_for(identity("S1"), tag_prefix="A")
    planned = fleet(home, "merge", "--plan", file).output
    assert "Would be taken over: 4 events, 1 reading, 0 names; 0 events were known." in planned
    assert registry.resolve("S2") == ()
    done = " ".join(fleet(home, "merge", file).output.split())
    assert "Taken over: 4 events" in done
    assert "The tag A-0001 is that of android:S1 and android:S2." in done
    again = told(fleet(home, "merge", file, file, "--json"))
    assert (again["events"], again["known"], again["plan"]) == (0, 8, False)
    assert told(fleet(home, "verify", "--json"))["events"] == 7
    registry.tag("S2", "A-2")
    assert told(fleet(home, "merge", file, "--json"))["twice"] == []


def test_a_bad_file_among_good_ones_leaves_all_as_it_was(registry: Registry, home: Home, file: Path) -> None:
    bad = file.with_name("bad")
    bad.write_bytes(file.read_bytes()[:-5])
    done = fleet(home, "merge", file, bad)
    assert isinstance(done.exception, FileError)
    assert registry.resolve("S2") == ()


def test_export_since_a_day(registry: Registry, home: Home, tmp_path: Path) -> None:
    registry.record(report())
    found = told(fleet(home, "export", tmp_path / "all", "--since", "2025-02-27", "--json"))
    assert (found["events"], found["health"], found["chains"][0]["first"]) == (3, 1, 1)
    assert told(fleet(home, "export", tmp_path / "none", "--since", "2025-03-03", "--json"))["events"] == 0
    for odd in ("yesterday", "2025-13-01", "99999-01-01", "9999-12-31T23:59:59-23:59", ""):
        done = fleet(home, "export", tmp_path / "odd", "--since", odd)
        assert done.exit_code == 2, (odd, done.output)
        assert "2026-11-30" in done.output
    assert not (tmp_path / "odd").exists()


def test_verify_names_the_bench(registry: Registry, home: Home) -> None:
    registry.record(report())
    with transaction(registry.engine) as conn:
        conn.execute(text("UPDATE events SET actor = 'nobody' WHERE seq = 2"))
    done = fleet(home, "verify")
    assert done.exit_code == 1
    assert f"event 2 of bench {home.bench().name} ({home.bench().id})" in " ".join(done.output.split())


def test_help_says_it_by_example() -> None:
    for words in ((), ("verify",), ("export",), ("merge",)):
        assert "Example: fleet ledger" in CliRunner().invoke(ledger, [*words, "--help"]).output
