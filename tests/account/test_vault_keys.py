"""Two benches that name students with two keys of the vault: found when they are joined, and nobody is there twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from fleet.account.people.unit_pins import own_pins
from fleet.account.people.vault import the_vault
from fleet.db import snapshot
from fleet.errors import FileError, VaultError
from fleet.home import Home, Options
from fleet.ledger_commands import ledger
from fleet.models import students, vault
from fleet.units import Registry, open_registry
from tests.account.roster_making import bring
from tests.fleet.making import identity, tables, ticking
from tests.fleet.test_merge import replayed

LIST = "school,name,birthday\nHill School,Nguyễn Văn An,2014-03-01\nHill School,Trần Thị Bình,2014-05-02\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Registry]:
    """Another bench; ``registry`` is the first."""
    home = Home(tmp_path / "elsewhere")
    with open_registry(home, f"sqlite:///{home.database_file}", "minh", clock=ticking()) as opened:
        yield opened


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "list.csv"
    file.write_text(LIST, encoding="utf-8")
    return file


def fleet(registry: Registry, *words: str | Path) -> Result:
    options = Options(home=registry.home.path, database=registry.engine.url.render_as_string(hide_password=False))
    return CliRunner().invoke(ledger, [str(word) for word in words], obj=options)


def handed_on(source: Registry, target: Registry, *words: str) -> Result:
    file = source.home.path / f"{len(list(source.home.path.iterdir()))}.ledger"
    assert fleet(source, "export", file, "--with-names").exit_code == 0
    return fleet(target, "merge", file, *words)


def counted(registry: Registry) -> tuple[int, int]:
    """Students, and rows of the vault."""
    with snapshot(registry.engine) as conn:
        assert tables(conn) == replayed(conn)
        found = [conn.scalar(select(func.count()).select_from(table)) or 0 for table in (students, vault)]
    return found[0], found[1]


def said(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, (done.output, done.exception)
    line: dict[str, Any] = json.loads(done.output)
    return line


def test_another_key_is_found_before_anybody_is_there_twice(
    registry: Registry, elsewhere: Registry, names: Path
) -> None:
    bring(registry, names)
    bring(elsewhere, names)
    refused = handed_on(elsewhere, registry)
    assert isinstance(refused.exception, FileError)
    ours, theirs = registry.ledger.bench.name, elsewhere.ledger.bench.name
    assert f"{theirs} names students with another key of the vault than {ours}" in refused.exception.what
    assert "fleet vault restore" in refused.exception.next_action
    assert counted(registry) == (2, 2)


def test_who_knows_that_they_are_others_takes_them_apart(
    registry: Registry, elsewhere: Registry, names: Path, tmp_path: Path
) -> None:
    """A hub of two provinces: it counts the students of both, and opens nobody's name but its own."""
    bring(registry, names)
    bring(elsewhere, names)
    done = " ".join(handed_on(elsewhere, registry, "--other-key").output.split())
    assert done.count("Key ") == 2
    assert "No names were taken over." in done
    assert counted(registry) == (4, 2)
    again = said(handed_on(elsewhere, registry, "--json"))
    assert (again["events"], again["names"], len(again["keys"])) == (0, 0, 2)
    more = tmp_path / "more.csv"
    more.write_text(LIST + "Hill School,Lê Văn Cường,2014-06-03\n", encoding="utf-8")
    assert bring(registry, more).new == 1
    with snapshot(registry.engine) as conn:
        the_vault(registry.home, conn)


def test_benches_with_one_key_have_one_student(registry: Registry, elsewhere: Registry, names: Path) -> None:
    bring(registry, names)
    elsewhere.home.keep_vault_key(registry.home.vault_key() or b"")
    bring(elsewhere, names)
    assert said(handed_on(elsewhere, registry, "--json"))["keys"] == []
    assert counted(registry) == (2, 2)


def test_a_bench_that_took_over_students_imports_none_with_a_key_of_its_own(
    registry: Registry, elsewhere: Registry, names: Path
) -> None:
    bring(registry, names)
    own_pins(elsewhere)(identity("S9"), True)  # it has a key already
    assert handed_on(registry, elsewhere).exit_code == 0
    for apply in (False, True):
        with pytest.raises(VaultError, match="another key of the vault"):
            bring(elsewhere, names, apply=apply)
    assert counted(elsewhere) == (2, 1), "names that it cannot open would lock its PIN away"
    assert own_pins(elsewhere)(identity("S9"), False)


def test_pins_alone_keep_no_bench_apart(registry: Registry, elsewhere: Registry, names: Path) -> None:
    """Each has locked its own units with a key of its own: what happened is joined, and names open as before."""
    bring(registry, names)
    own_pins(elsewhere)(identity("S9"), True)
    assert handed_on(elsewhere, registry).exit_code == 0
    with snapshot(registry.engine) as conn:
        keys = the_vault(registry.home, conn)
        with pytest.raises(VaultError):
            keys.kept_pin(conn, "android:S9")


def test_a_backup_of_students_of_two_keys_is_restored(
    registry: Registry, elsewhere: Registry, names: Path, tmp_path: Path
) -> None:
    from fleet.database_copy import backup, restore
    from fleet.db import database_of, writing

    bring(registry, names)
    bring(elsewhere, names)
    assert handed_on(elsewhere, registry, "--other-key").exit_code == 0
    with snapshot(registry.engine) as conn:
        backup(conn, tmp_path / "backup", "2025-03-02T08:00:00.000Z")
    target = Home(tmp_path / "target")
    with writing(database_of(f"sqlite:///{tmp_path / 'target.db'}", target)) as engine:
        restored = restore(engine, target, tmp_path / "backup", "2025-03-02T08:00:00.000Z")
    assert restored.names == 2
