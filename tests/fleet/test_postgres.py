"""What only a server can do to us: refuse, vanish, be shared. One sentence each, and nothing lost or doubled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, func, make_url, select, text

from fleet import db
from fleet.db import database_of, reading, shown, snapshot, transaction, writing
from fleet.db_errors import told
from fleet.errors import RegistryError
from fleet.home import Home
from fleet.intakes import _claim
from fleet.ledger import Verified, verify
from fleet.models import events, metadata, places, tag_series, units
from fleet.tags import find
from fleet.units import Registry, open_registry
from tests.fleet.making import POSTGRES, identity, report, tables
from tests.fleet.test_merge import replayed
from tests.postgres import Postgres, programs


def count(conn: Connection) -> int:
    """Units."""
    return conn.scalar(select(func.count()).select_from(units)) or 0


def refused(home: Home, url: str, says: str) -> None:
    """Readers and writers are told in one sentence, without the password."""
    for use in (_read, _write):
        with pytest.raises(RegistryError, match=says) as told:
            use(database_of(url, home))
        assert "\n" not in told.value.what
        assert "geheim" not in told.value.what
        assert told.value.next_action


def _read(url: URL) -> None:
    with reading(url, patience=1) as conn:
        verify(conn)


def _write(url: URL) -> None:
    with writing(url, patience=1):
        pass


def test_addresses(home: Home) -> None:
    url = database_of("postgresql://lan:geheim@host/fleet?passfile=geheim&connect_timeout=3", home)
    assert url.drivername == "postgresql+psycopg"
    assert shown(url) == "postgresql://lan:***@host/fleet?connect_timeout=3"
    assert database_of("postgresql+psycopg2://host/fleet", home).drivername == "postgresql+psycopg"
    with pytest.raises(RegistryError, match="not understood"):
        database_of("mysql://host/fleet", home)
    with pytest.raises(RegistryError, match="not understood"):
        database_of("postgresql://host:port/fleet", home)


def test_a_server_that_does_not_run(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    refused(home, f"postgresql://lan:geheim@127.0.0.1:{port}/fleet", "cannot be reached")
    refused(home, "postgresql://lan:geheim@nowhere.invalid/fleet", "cannot be reached")


def test_a_server_that_says_nothing(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        refused(home, f"postgresql://lan@127.0.0.1:{silent.getsockname()[1]}/fleet", "cannot be reached")
        assert time.monotonic() - start < 15


def test_who_is_not_let_in(home: Home, postgres: Postgres) -> None:
    postgres.execute("DROP ROLE IF EXISTS locked", "CREATE ROLE locked LOGIN PASSWORD 'right'")
    wrong = f"postgresql://locked:geheim@127.0.0.1:{postgres.port}/postgres"
    refused(home, wrong, "did not let us in: the user or the password is wrong")
    refused(home, wrong.replace(":geheim", ""), "did not let us in")
    refused(home, postgres.url("postgres", user="nobody-here"), "did not let us in")


def test_no_such_database(home: Home, postgres: Postgres) -> None:
    refused(home, postgres.url("not-there"), "has no database of that name")


@POSTGRES
def test_a_user_without_rights(registry: Registry, home: Home, database_url: str, postgres: Postgres) -> None:
    name = make_url(database_url).database or ""
    postgres.execute("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database=name)
    registry.record(report())
    url = database_of(postgres.url(name, user="reader"), home)
    with reading(url) as conn:
        assert count(conn) == 1
    with pytest.raises(RegistryError, match="cannot be written to"):
        _write(url)
    postgres.execute("DROP OWNED BY reader", database=name)


def test_a_database_of_another_program(home: Home, postgres: Postgres) -> None:
    name = postgres.create()
    postgres.execute("CREATE TABLE recipes (name text)", database=name)
    refused(home, postgres.url(name), "not a registry of fleet")
    postgres.drop(name)


@POSTGRES
def test_newer_and_older_tables(
    registry: Registry, home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(registry.engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    refused(home, database_url, "written by a newer version of fleet")
    monkeypatch.setattr(db, "REVISIONS", (*db.REVISIONS, "9999", "99990"))
    with pytest.raises(RegistryError, match="older version"), reading(database_of(database_url, home)):
        pass


def test_a_database_with_no_room_for_every_name(home: Home, postgres: Postgres) -> None:
    name = postgres.create(encoding="ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc")
    with pytest.raises(RegistryError, match="keeps text as LATIN1") as told:
        _write(database_of(postgres.url(name), home))
    assert "createdb" in told.value.next_action
    postgres.drop(name)


@POSTGRES
def test_readers_see_one_moment(registry: Registry, home: Home, database_url: str) -> None:
    registry.record(report(identity("S1")))
    with reading(database_of(database_url, home)) as conn, snapshot(registry.engine) as other:
        assert count(conn) == count(other) == 1
        registry.record(report(identity("S2")))
        assert count(conn) == count(other) == 1
        assert isinstance(verify(conn), Verified)
        with pytest.raises(RegistryError, match="cannot be written to"), told("x"):
            conn.execute(units.delete())
    with snapshot(registry.engine) as conn:
        assert count(conn) == 2


@POSTGRES
def test_a_writer_waits_and_says_so(registry: Registry, home: Home, database_url: str) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "vault.read", "S1", {"v": 1})
        with pytest.raises(RegistryError, match="is in use by another program"):
            _write(database_of(database_url, home))
    with open_registry(home, database_url, "minh", patience=1) as other:
        other.record(report())


@POSTGRES
def test_text_is_compared_as_everywhere(registry: Registry, postgres: Postgres, database_url: str) -> None:
    """The server sorts the Vietnamese way, and folds É and é: the registry does neither."""
    name = make_url(database_url).database or ""
    assert postgres.execute("SELECT 'Z' < 'a'", database=name) == [(False,)]
    codes = ["a", "Z", "É", "é", "đ", "Đ", "z", "_", "-", "10", "9", "学"]
    with transaction(registry.engine) as conn:
        for code in codes:
            registry.ledger.append(conn, "place.set", code, {"v": 1, "name": code, "kind": "store", "area": ""})
    with snapshot(registry.engine) as conn:
        assert list(conn.scalars(select(places.c.place).order_by(places.c.place))) == sorted(codes)
        assert list(conn.scalars(select(places.c.place).where(places.c.place.ilike("z")))) != []
        assert set(conn.scalars(select(places.c.place).where(places.c.place.ilike("z")))) == {"Z", "z"}
        assert list(conn.scalars(select(places.c.place).where(places.c.place.like("z")))) == ["z"]
        assert list(conn.scalars(select(places.c.place).where(places.c.place.ilike("é")))) == ["é"]


@POSTGRES
def test_every_column_of_text_is_compared_so(registry: Registry) -> None:
    with snapshot(registry.engine) as conn:
        query = text(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('character varying', 'text') AND collation_name IS DISTINCT FROM 'C'"
        )
        assert conn.execute(query).all() == []


@POSTGRES
def test_the_tables_are_those_of_the_models(registry: Registry) -> None:
    with snapshot(registry.engine) as conn:
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata) == []


@POSTGRES
def test_odd_names(registry: Registry) -> None:
    for serial in ("nul\0nul", "half\ud800", "tiếng Việt", "%", "S_1", "'; DROP TABLE units; --"):
        registry.record(report(identity(serial, maker="m\0\udfff")))
        with snapshot(registry.engine) as conn:
            assert len(find(conn, serial)) == 1
            _claim(conn, "s%1", identity("X"))
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)
        assert tables(conn) == replayed(conn)


WRITER = """
import sys
from pathlib import Path
from fleet.home import Home
from fleet.units import open_registry
from tests.fleet.making import identity, report
home, url, name, count = Home(Path(sys.argv[1])), sys.argv[2], sys.argv[3], int(sys.argv[4])
home.make()
(home.path / "bench.json").write_text('{"id": "%s", "name": "%s"}' % (name * 8, name))
print("ready", flush=True)
sys.stdin.readline()
with open_registry(home, url, name) as registry:
    for number in range(count):
        who = identity(f"{name}{number}")
        tag = registry.unit_for(who, tag_prefix="A").tag
        registry.record(report(who, tag=tag))
        registry.record(report(identity("shared")))
        print(number, flush=True)
"""


def bench(folder: Path, url: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder / name), url, name, str(count)]
    pipe = subprocess.PIPE
    started = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def go(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


def test_four_benches_at_once(home: Home, postgres: Postgres, tmp_path: Path) -> None:
    """From a database without tables: each writes its own chain, tags run on without a gap, nothing twice."""
    name = postgres.create()
    url = postgres.url(name)
    benches = [bench(tmp_path, url, letter, 8) for letter in "abcd"]
    for one in benches:
        go(one)
    for one in benches:
        _, complaints = one.communicate(timeout=90)
        assert (one.returncode, complaints) == (0, "")
    with reading(database_of(url, home)) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert len(found.ends) == 4
        assert found.events == 4 * (1 + 8 * 4) + 1
        assert len(set(conn.scalars(select(events.c.hash)))) == found.events
        tags = list(conn.scalars(select(units.c.tag).where(units.c.tag.is_not(None)).order_by(units.c.tag)))
        assert tags == [f"A-{number:04d}" for number in range(1, 33)]
        assert conn.scalar(select(tag_series.c.last)) == 32
        assert tables(conn) == replayed(conn)
    postgres.drop(name)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Postgres]:
    """A server that may be stopped."""
    place = programs()
    assert place is not None
    server = Postgres(place)
    yield server
    server.remove()


def _interrupted(registry: Registry, server: Postgres) -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, "vault.read", "S1", {"v": 1})
        server.stop(signal.SIGQUIT)
        registry.ledger.append(conn, "vault.read", "S1", {"v": 1})


def test_a_server_that_goes_away_in_the_middle(home: Home, own: Postgres) -> None:
    """It is told, nothing is half there, and the same open registry goes on when the server is back."""
    url = own.url(own.create())
    with open_registry(home, url, "lan") as registry:
        registry.record(report(identity("S1")))
        with pytest.raises(RegistryError, match="went away in the middle of it"):
            _interrupted(registry, own)
        with pytest.raises(RegistryError, match="cannot be reached"):
            registry.record(report(identity("S2")))
        own.start()
        registry.record(report(identity("S3")))
    with reading(database_of(url, home)) as conn:
        found = verify(conn)
        assert isinstance(found, Verified)
        assert found.events == 5
        assert tables(conn) == replayed(conn)


def test_a_server_that_crashes_again_and_again(home: Home, own: Postgres, tmp_path: Path) -> None:
    """What was told to be written is there after each crash, whole."""
    url = own.url(own.create())
    written = 0
    for attempt in range(3):
        one = bench(tmp_path, url, "a", 10_000)
        go(one)
        assert one.stdout is not None
        one.stdout.readline()
        time.sleep(0.15 * attempt)
        own.stop(signal.SIGQUIT)
        said, complaints = one.communicate(timeout=60)
        assert "RegistryError" in complaints
        written += 1 + len(said.splitlines())
        own.start()
        with reading(database_of(url, home)) as conn:
            assert isinstance(verify(conn), Verified)
            assert tables(conn) == replayed(conn)
            runs = len([kind for kind in conn.scalars(select(events.c.kind)) if kind == "unit.run"])
            assert 2 * written <= runs <= 2 * (written + attempt + 1)


@POSTGRES
def test_many_threads_of_one_bench(registry: Registry) -> None:
    """More than the pool holds connections: they wait for one another, none is refused."""
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            registry.record(report(identity(f"S{number}")))
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with snapshot(registry.engine) as conn:
        assert count(conn) == 30


@POSTGRES
def test_the_commands_take_the_address_from_the_environment(registry: Registry, home: Home, database_url: str) -> None:
    registry.unit_for(identity(), tag_prefix="A")
    fleet = Path(sys.executable).with_name("fleet")
    done = subprocess.run(
        [fleet, "status", "--json"],
        env={**os.environ, "FLEET_HOME": str(home.path), "FLEET_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"units": 1' in done.stdout
    assert not home.database_file.exists()
