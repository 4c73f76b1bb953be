"""``fleet database``: show, upgrade, backup and restore, from and to each kind of database."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, create_engine, insert, select, text

from fleet import db
from fleet.database_commands import database
from fleet.database_copy import backup
from fleet.db import database_of, reading, snapshot, transaction, writing
from fleet.errors import FileError, RegistryError
from fleet.home import Home, Options
from fleet.ledger import Verified, verify
from fleet.ledger_commands import ledger
from fleet.models import (
    PROJECTIONS,
    agent_configs,
    agent_contacts,
    chains,
    contacts,
    events,
    health,
    health_now,
    metadata,
    vault,
    wants,
)
from fleet.units import Registry, open_registry
from tests.fleet.making import SQLITE, identity, report, tables
from tests.postgres import Postgres

NOW = "2025-03-02T08:00:00.000Z"


@pytest.fixture
def used(registry: Registry) -> Registry:
    """Two units, and a name in the vault."""
    for name in ("S1", "S2"):
        registry.unit_for(identity(name), tag_prefix="A")
        registry.record(report(identity(name)))
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "student.set", "S1", {"v": 1, "fields": {"school": "P"}, "ids": {"h": "id"}})
        conn.execute(insert(vault).values(student="S1", sealed=b"\0\1", mark="m"))
    return registry


def all_of(conn: Connection) -> Any:
    """Everything that a registry holds."""
    kept = {table.name: conn.execute(select(table).order_by(*table.primary_key)).all() for table in _KEPT}
    return kept, tables(conn)


_KEPT = (events, chains, health, health_now, vault)


def test_every_table_is_in_a_backup() -> None:
    """Either it follows from the ledger, or it travels by itself; a new one of neither kind would be lost.

    How the work of pushes stands is found out anew at each site.
    """
    assert set(metadata.tables.values()) == {*_KEPT, *PROJECTIONS, contacts, wants, agent_contacts, agent_configs}


def fleet(home: Home, *words: str, url: str | None = None) -> Result:
    command = {"database": database, "ledger": ledger}[words[0]]
    return CliRunner().invoke(command, words[1:], obj=Options(home=home.path, database=url))


def told(done: Result) -> Any:
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.output)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where nothing is yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def test_a_backup_restores_on_any_database(used: Registry, home: Home, empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    done = fleet(home, "database", "backup", str(file))
    assert "8 events in 1 chain, 2 readings, 1 name; read back, and whole." in " ".join(done.output.split())
    assert file.stat().st_mode & 0o077 == 0
    other = Home(tmp_path / "other-home")
    assert told(fleet(other, "database", "restore", str(file), "--json", url=empty_url))["events"] == 8
    with snapshot(used.engine) as conn, reading(database_of(empty_url, other)) as restored:
        assert all_of(restored) == all_of(conn)
        assert isinstance(verify(restored), Verified)


def test_a_restored_bench_begins_another_chain(used: Registry, home: Home, tmp_path: Path) -> None:
    """What it wrote after the backup may come back some day, and must not be another event of the same number."""
    file, other = tmp_path / "backup", tmp_path / "other.db"
    fleet(home, "database", "backup", str(file))
    used.tag("S1", "LATER")
    before = home.bench()
    url = f"sqlite:///{other}"
    assert "a chain of its own" in fleet(home, "database", "restore", str(file), url=url).output
    assert home.bench().id != before.id
    assert home.bench().name == before.name
    with open_registry(home, url, "lan") as registry:
        registry.tag("S1", "OTHERWISE")
    with snapshot(used.engine) as conn:
        backup(conn, tmp_path / "all", NOW)
    assert fleet(home, "ledger", "merge", str(tmp_path / "all"), url=url).exit_code == 0
    with reading(database_of(url, home)) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert [end.seq for end in sorted(found.ends, key=lambda end: end.seq)] == [2, 9]


def test_only_an_empty_registry_is_restored(used: Registry, home: Home, tmp_path: Path) -> None:
    fleet(home, "database", "backup", str(tmp_path / "backup"))
    with snapshot(used.engine) as conn:
        before = all_of(conn)
    done = fleet(home, "database", "restore", str(tmp_path / "backup"))
    assert isinstance(done.exception, RegistryError)
    assert "something in this registry already" in done.exception.what
    with snapshot(used.engine) as conn:
        assert all_of(conn) == before


def test_a_backup_that_cannot_be_read_back(used: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes it and loses it."""
    real = Path.replace

    def losing(self: Path, target: Path) -> Path:
        self.write_bytes(self.read_bytes()[:-200])
        return real(self, target)

    monkeypatch.setattr(Path, "replace", losing)
    with snapshot(used.engine) as conn, pytest.raises(FileError, match=r"cut off|not its end"):
        backup(conn, tmp_path / "file", NOW)


def test_show(used: Registry, home: Home) -> None:
    found = told(fleet(home, "database", "show", "--json"))
    kept = {name: found[name] for name in ("version", "newest", "units", "events", "chains")}
    assert kept == {"version": db.REVISIONS[-1], "newest": db.REVISIONS[-1], "units": 2, "events": 8, "chains": 1}
    assert found["bytes"] > 10_000
    assert found["last"].startswith("2025-03-01T08:")
    assert found["engine"].startswith(("SQLite 3.", "PostgreSQL 1"))
    shown = fleet(home, "database", "show").output
    assert "up to date" in shown
    assert "8 in 1 chain" in shown


def test_show_makes_nothing(home: Home) -> None:
    assert "none yet" in fleet(home, "database", "show").output
    assert not home.path.exists()


def test_upgrade_makes_a_registry(home: Home, empty_url: str) -> None:
    found = told(fleet(home, "database", "upgrade", "--json", url=empty_url))
    assert (found["before"], found["version"], found["events"]) == (None, db.REVISIONS[-1], 0)
    assert "is up to date" in fleet(home, "database", "upgrade", url=empty_url).output


@SQLITE
def test_upgrade_from_before_the_account(home: Home, database_url: str) -> None:
    """A registry as the first release made it keeps every unit, and every reference to one."""
    old = Path(__file__).parents[1] / "data" / "registry" / "0002.sql"
    home.make()
    conn = sqlite3.connect(home.database_file)
    conn.executescript(old.read_text(encoding="utf-8"))
    conn.close()
    shown = fleet(home, "database", "show").output
    assert "0002; this fleet has" in shown
    with pytest.raises(RegistryError, match="older version") as error, reading(database_of(None, home)):
        pass
    assert "fleet database upgrade" in error.value.next_action
    assert "before it 0002" in fleet(home, "database", "upgrade").output
    engine = create_engine(f"sqlite:///{home.database_file}")
    with engine.connect() as made:
        assert made.execute(text("PRAGMA foreign_key_check")).all() == []
        assert made.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert isinstance(verify(made), Verified)
        assert made.execute(text("SELECT count(*) FROM custody")).scalar() == 2
    engine.dispose()
    with open_registry(home, None, "lan") as registry:
        assert registry.unit_for(identity("S3"), tag_prefix="A").tag == "A-0003"


def test_the_upgrade_waits_for_who_upgrades(home: Home, empty_url: str) -> None:
    """Two at once: one makes the tables, the other finds them."""

    def make(_: int) -> None:
        with writing(database_of(empty_url, home)):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))
    with reading(database_of(empty_url, home)) as conn:
        assert verify(conn) == Verified(0, ())
