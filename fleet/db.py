"""The database: found, opened, brought up to date, and its failures told in one sentence.

SQLite in WAL mode by default; PostgreSQL (psycopg 3) by ``--database`` or ``FLEET_DATABASE_URL``. Writers take the
write lock when they begin, so that what they read is still true when they write. Readers make nothing: without a
registry they see an empty one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from urllib.parse import quote
from weakref import WeakKeyDictionary

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    Pool,
    StaticPool,
    create_engine,
    event,
    false,
    inspect,
    make_url,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from fleet import db_postgres
from fleet.db_errors import is_full, told
from fleet.errors import RegistryError
from fleet.home import Home
from fleet.models import chains, metadata

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every schema that this program knows, oldest first; a test holds it equal to the migrations."""

PATIENCE = 10.0
"""Seconds that one program waits for another that writes."""

_TURNS: WeakKeyDictionary[Pool, Lock] = WeakKeyDictionary()
"""The threads of one program wait for one another here, as long as it takes: at a server each that waits has a
connection, and SQLite looks every tenth of a second whether it is free."""


def database_of(named: str | None, home: Home, environment: Mapping[str, str] = os.environ) -> URL:
    """``--database``, else ``FLEET_DATABASE_URL``, else the SQLite file in the home folder."""
    address = named or environment.get("FLEET_DATABASE_URL")
    if not address:
        return URL.create("sqlite", database=str(home.database_file))
    try:
        url = make_url(address)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise _not_understood() from error
    if _is_sqlite(url) and not url.database:
        raise RegistryError("The address of the database names no file.", "Write it as sqlite:////folder/registry.db.")
    if _is_sqlite(url):
        return url
    if url.get_backend_name() != "postgresql":
        raise _not_understood()
    return url.set(drivername="postgresql+psycopg")


def _not_understood() -> RegistryError:
    return RegistryError(
        "The address of the database is not understood.",
        "Write it as sqlite:////folder/registry.db or postgresql://user@host/name.",
    )


@contextmanager
def reading(url: URL, *, patience: float = PATIENCE) -> Iterator[Connection]:
    """A connection that sees one moment of the registry and writes nothing; an empty one if there is no registry."""
    if is_there(url):
        with told(shown(url)), _disposed(_engine(url, _to_read(url), patience)) as engine, engine.connect() as conn:
            revision = _revision(conn, url)
            if revision == REVISIONS[-1]:
                yield conn
                return
        if revision is not None:
            raise RegistryError(
                f"The registry {shown(url)} is of an older version of fleet.",
                "Bring it up to date: 'fleet database upgrade'. The next command that writes to it does so, too.",
            )
    with _disposed(_nothing()) as engine, engine.connect() as conn:
        yield conn


@contextmanager
def looking(url: URL, *, patience: float = PATIENCE) -> Iterator[tuple[Connection | None, str | None]]:
    """A connection to what is at ``url``, and the version of its tables, old ones too; ``None`` where nothing is."""
    if not is_there(url):
        yield None, None
        return
    with told(shown(url)), _disposed(_engine(url, _to_read(url), patience)) as engine, engine.connect() as conn:
        yield conn, _revision(conn, url)


@contextmanager
def writing(url: URL, *, patience: float = PATIENCE) -> Iterator[Engine]:
    """An engine on a registry that is there and up to date: made or upgraded if need be. Safe to share by threads.

    Use :func:`transaction` to write with it. A registry that is locked or may not be written is told before anything is
    yielded: who works on devices must be able to record it.
    """
    if _is_sqlite(url):
        _make_file(_file(url))
    engine = _engine(url, "rwc", patience)
    with _disposed(engine):
        _bring_up_to_date(engine, url, patience)
        _try_to_write(engine)
        yield engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing, one writer at a time."""
    with (
        told(shown(engine.url)),
        _TURNS[engine.pool],
        engine.execution_options(writing=True).begin() as conn,
    ):
        yield conn


@contextmanager
def noting(engine: Engine) -> Iterator[Connection]:
    """All or nothing, of rows that are no record and that the ledger knows nothing of: a database server takes them
    without waiting for whoever writes to the ledger."""
    turn = _TURNS[engine.pool] if _is_sqlite(engine.url) else nullcontext()
    with told(shown(engine.url)), turn, engine.execution_options(writing="beside").begin() as conn:
        yield conn


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One moment of the registry, without waiting for writers. Nothing is to be written with it."""
    with told(shown(engine.url)), engine.connect() as conn:
        yield conn


def _bring_up_to_date(engine: Engine, url: URL, patience: float) -> None:
    with snapshot(engine) as conn:
        if _revision(conn, url) == REVISIONS[-1]:
            return
    if _is_sqlite(url):
        with told(shown(url)):
            _use_wal(_file(url), patience)
    with _disposed(_engine(url, "rwc", patience, checked=False)) as upgrading, transaction(upgrading) as conn:
        if _revision(conn, url) != REVISIONS[-1]:
            from fleet.migrate import upgrade

            if not _is_sqlite(url):
                db_postgres.check_encoding(conn, shown(url))
            upgrade(conn)
            if not _is_sqlite(url):
                db_postgres.compare_by_code_point(conn)


def _try_to_write(engine: Engine) -> None:
    """SQLite says it when the transaction begins, a database server at the first statement that would write."""
    with transaction(engine) as conn:
        conn.execute(update(chains).where(false()).values(seq=chains.c.seq))


def _revision(conn: Connection, url: URL) -> str | None:
    """The version of the schema; ``None`` when there are no tables yet."""
    tables = inspect(conn).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables or "events" not in tables:
        raise RegistryError(
            f"{shown(url)} is a database, but not a registry of fleet.", "Name another one with --database."
        )
    revision = conn.scalar(text("SELECT version_num FROM alembic_version"))
    if revision not in REVISIONS:
        raise RegistryError(
            f"The registry {shown(url)} was written by a newer version of fleet.", "Update fleet on this computer."
        )
    return str(revision)


def _engine(url: URL, mode: str, patience: float, *, checked: bool = True) -> Engine:
    """``mode`` as SQLite names it. Readers take ``rw``: with ``ro`` they would leave the files of WAL behind.

    ``checked``: whether rows have to be there that others refer to; SQLite's tables cannot be made anew otherwise.
    """
    if _is_sqlite(url):
        made = _sqlite_engine(url, mode, patience, checked=checked)
    else:
        made = db_postgres.engine(url, patience)
    _TURNS[made.pool] = Lock()
    return made


def _sqlite_engine(url: URL, mode: str, patience: float, *, checked: bool) -> Engine:
    place = f"file:{quote(str(_file(url)))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        conn = sqlite3.connect(place, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
        conn.execute(f"PRAGMA foreign_keys = {'ON' if checked else 'OFF'}")
        conn.execute("PRAGMA cache_size = -65536")
        conn.execute("PRAGMA case_sensitive_like = ON")  # as everywhere else; ilike() is there for the other
        conn.execute("PRAGMA synchronous = FULL")  # a committed event outlives a power cut; WAL alone may lose it
        return conn

    engine = create_engine(url, creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _to_read(url: URL) -> str:
    """``rw``, which makes a file beside that of the registry, and on a full disk cannot. Then nobody can write, either:
    what is whole in its one file may be read as a file that does not change."""
    if not _is_sqlite(url) or not is_full(str(_file(url))):
        return "rw"
    log = _file(url).with_name(f"{_file(url).name}-wal")
    return "rw" if log.exists() and log.stat().st_size else "ro&immutable=1"


def _begin(conn: Connection) -> None:
    writing = conn.get_execution_options().get("writing", False)
    conn.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _nothing() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    return engine


def _use_wal(file: Path, patience: float) -> None:
    """Once per file, as the mode stays with it. SQLite does not wait by itself when two do this at once."""
    conn = sqlite3.connect(file, timeout=patience, isolation_level=None)
    deadline = time.monotonic() + patience
    try:
        while True:
            try:
                conn.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
    finally:
        conn.close()


@contextmanager
def _disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _file(url: URL) -> Path:
    return Path(url.database or "").expanduser().absolute()


def is_there(url: URL) -> bool:
    """Whether there is a registry at ``url``; a database server is taken to have one."""
    if not _is_sqlite(url):
        return True
    try:
        return _file(url).exists()
    except OSError as error:
        raise RegistryError(f"{shown(url)} cannot be read: {error.strerror}.", "Check who may read it.") from error


def shown(url: URL) -> str:
    """The address as it may be printed: without its password."""
    if _is_sqlite(url):
        return str(_file(url))
    secret = [name for name in url.query if "pass" in name]
    return url.set(drivername="postgresql").difference_update_query(secret).render_as_string(hide_password=True)


def _make_file(file: Path) -> None:
    """An empty one, for the owner only, as IMEIs are in it; SQLite gives its files of WAL the same mode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RegistryError(
            f"The folder {file.parent} cannot be made: {error.strerror}.", "Name another one with --home or --database."
        ) from error
    with suppress(OSError):  # SQLite will say it, once it opens the file
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
