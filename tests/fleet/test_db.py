"""Databases that cannot be used: one plain sentence each, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, func, select

from fleet import db
from fleet.db import database_of, reading, snapshot
from fleet.errors import HomeError, RegistryError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.models import units
from fleet.units import open_registry
from tests.fleet.making import identity, report


@pytest.fixture
def file(home: Home) -> Path:
    """The file of a registry with one unit."""
    with open_registry(home, None, "lan") as registry:
        registry.record(report())
    return home.database_file


def write(home: Home, patience: float = 0.2) -> None:
    with open_registry(home, None, "lan", patience=patience) as registry:
        registry.record(report(identity("S2")))


def read(home: Home) -> int:
    with reading(database_of(None, home), patience=0.2) as conn:
        return conn.scalar(select(func.count()).select_from(units)) or 0


def refused(home: Home, match: str) -> None:
    """Both readers and writers are told."""
    for use in (read, write):
        with pytest.raises(RegistryError, match=match) as told:
            use(home)
        assert told.value.next_action
        assert "\n" not in told.value.what


def execute(file: Path, *statements: str) -> None:
    conn = sqlite3.connect(file)
    for statement in statements:
        conn.execute(statement)
    conn.commit()
    conn.close()


def test_without_a_registry_readers_see_an_empty_one_and_make_nothing(home: Home) -> None:
    assert read(home) == 0
    assert not home.path.exists()


def test_a_file_of_no_bytes_is_an_empty_registry(home: Home) -> None:
    home.make()
    home.database_file.touch()
    assert read(home) == 0
    write(home)
    assert read(home) == 1


def test_what_was_written_is_read(home: Home, file: Path) -> None:
    assert read(home) == 1
    write(home)
    assert read(home) == 2
    conn = sqlite3.connect(file)
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    conn.close()


def test_newer_schema(home: Home, file: Path) -> None:
    execute(file, "UPDATE alembic_version SET version_num = '9999'")
    refused(home, "written by a newer version of fleet")


def test_older_schema(home: Home, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "REVISIONS", (*db.REVISIONS, "9999"))
    with pytest.raises(RegistryError, match="older version"):
        read(home)


def test_database_of_another_program(home: Home) -> None:
    home.make()
    execute(home.database_file, "CREATE TABLE recipes (name TEXT)")
    refused(home, "not a registry of fleet")


def test_not_a_database(home: Home) -> None:
    home.make()
    home.database_file.write_bytes(b"PK\x03\x04 not at all" * 1000)
    refused(home, "is not a database")


def test_damaged(home: Home, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    refused(home, "is damaged")


def test_text_that_is_no_text(home: Home, file: Path) -> None:
    execute(file, "UPDATE events SET actor = CAST(x'ff' AS TEXT)")
    with pytest.raises(RegistryError, match="is damaged"), reading(database_of(None, home)) as conn:
        verify(conn)


def test_a_folder_in_its_place(home: Home) -> None:
    home.database_file.mkdir(parents=True)
    refused(home, "cannot be opened|could not be read or written")


def test_locked_by_another_writer(home: Home, file: Path) -> None:
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(RegistryError, match="is in use by another program"):
            write(home)
        assert read(home) == 1
        other.communicate(timeout=60)
    write(home)
    assert read(home) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few hundred kB, for as long as the test runs."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1600k", "none", place]).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(home: Home) -> None:
    """Write until it fails, and say how far it came."""
    with open_registry(home, None, "lan") as registry:
        for number in range(10_000):
            registry.record(report(identity(f"S{number}")))
            (home.path.parent / "written").write_text(str(number + 1))


def test_disk_full(small_disk: Path) -> None:
    home = Home(small_disk / "home")
    (small_disk / "written").write_text(" " * 5)
    with pytest.raises(RegistryError, match="on a disk that is full; nothing was changed"):
        fill(home)
    assert read(home) == int((small_disk / "written").read_text()) > 0
    with reading(database_of(None, home)) as conn:
        assert isinstance(verify(conn), Verified)


def test_disk_full_from_the_start(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1600 * 1024))
    with pytest.raises(HomeError, match="No space left on device"):
        write(Home(small_disk))


def test_a_full_disk_can_be_read(small_disk: Path) -> None:
    """Now, of all times, somebody wants to see what there is, though SQLite can make no file beside it."""
    home = Home(small_disk / "home")
    with open_registry(home, None, "lan") as registry:
        registry.record(report())
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(512))
    for _ in range(2):
        assert read(home) == 1
        with reading(database_of(None, home)) as conn:
            assert isinstance(verify(conn), Verified)
        with pytest.raises(RegistryError, match="on a disk that is full; nothing was changed"):
            write(home)
    (small_disk / "filler").unlink()
    write(home)
    assert read(home) == 2


def test_no_room_for_the_tables(small_disk: Path) -> None:
    home = Home(small_disk)
    home.bench()
    home.seal_key()
    (small_disk / "filler").write_bytes(bytes(1580 * 1024))
    with pytest.raises(RegistryError, match=r"is full|could not be read or written"):
        write(home)
    (small_disk / "filler").unlink()
    assert read(home) == 0
    write(home)
    assert read(home) == 1


def test_file_size_limit() -> None:
    """The same where no small disk can be had: the system refuses to let the file grow."""
    code = """
import resource, sys, tempfile
from pathlib import Path
from fleet.errors import RegistryError
from fleet.home import Home
from fleet.units import open_registry
from tests.fleet.making import identity, report
with tempfile.TemporaryDirectory() as folder, open_registry(Home(Path(folder)), None, "lan") as registry:
    registry.record(report())
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        for number in range(10_000):
            registry.record(report(identity(f"S{number}")))
    except RegistryError as error:
        sys.exit(0 if "nothing was changed" in error.what else repr(error))
sys.exit("the limit was not met")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


AS_NOBODY = """
import os, sys
from pathlib import Path
from fleet.errors import SchoolbagError
from fleet.home import Home
import fleet.units, fleet.migrate, platformdirs
from tests.fleet.test_db import read, write
home = Home(Path(sys.argv[1]))
os.setgid(65534)
os.setuid(65534)
for use in (read, write):
    try:
        use(home)
        print("done")
    except SchoolbagError as error:
        print(type(error).__name__, error.what)
"""


def as_nobody(home: Home) -> list[str]:
    """What a user without rights is told who reads, then writes."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    with tempfile.TemporaryDirectory() as folder:  # whenever pytest starts, it closes its own folders to others
        copy = shutil.copytree(home.path, Path(folder) / "home")
        for one in (Path(folder), copy):
            one.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", AS_NOBODY, copy], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_home_that_others_may_not_write(home: Home, file: Path) -> None:
    for path in home.path.iterdir():
        path.chmod(0o644)
    told = as_nobody(home)
    assert told[1].startswith("RegistryError The registry")
    assert "cannot be" in told[1]


def test_home_that_others_may_not_read(home: Home, file: Path) -> None:
    file.chmod(0o600)
    told = as_nobody(home)
    assert "cannot be opened" in told[0]
    assert "HomeError" in told[1]


def test_read_only_home_without_a_registry(home: Home) -> None:
    home.make()
    told = as_nobody(home)
    assert told[0] == "done"
    assert told[1].startswith("HomeError")
    assert "Permission denied" in told[1]


def test_addresses(home: Home, tmp_path: Path) -> None:
    assert database_of(None, home, {}).database == str(home.database_file)
    assert database_of(None, home, {"FLEET_DATABASE_URL": "sqlite:///a.db"}).database == "a.db"
    assert database_of("sqlite:///b.db", home, {"FLEET_DATABASE_URL": "sqlite:///a.db"}).database == "b.db"
    for odd in ("registry.db", "nosuch://x/y", "sqlite://", "://"):
        with pytest.raises(RegistryError, match="address of the database"):
            database_of(odd, home)


def test_passwords_are_not_shown() -> None:
    url = URL.create("postgresql", "lan", "geheim", "host", database="fleet")
    assert "geheim" not in db.shown(url)


def test_folders_with_odd_names(tmp_path: Path) -> None:
    home = Home(tmp_path / "a%20b ?c#d%s é 学")
    write(home)
    assert read(home) == 1
    assert sorted(path.name for path in home.path.iterdir()) == ["bench.json", "registry.db", "seal.key"]


def test_writers_of_one_moment_see_each_others_work(home: Home) -> None:
    with open_registry(home, None, "lan") as one, open_registry(home, None, "minh") as two:
        one.unit_for(identity("S1"), tag_prefix="A")
        assert two.unit_for(identity("S2"), tag_prefix="A").tag == "A-0002"
        with snapshot(one.engine) as conn:
            assert isinstance(verify(conn), Verified)
