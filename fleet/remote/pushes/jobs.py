"""The queue of the workers (procrastinate): which site is to be visited now. What is wanted is in :mod:`.work`, so the
queue may be lost: whoever judges the push next puts into it what is due.

It has a schema of its own in the registry's database, brought up to date by the first worker that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager
from sqlalchemy import URL, Connection, Engine, column, func, select, table, text

from fleet.db import shown, snapshot, transaction
from fleet.errors import RegistryError

SCHEMA = "fleet_workers"
HEARTBEAT, SILENT = 3.0, 15.0
"""Seconds between two signs of life of a worker, and without one, after which it is taken for dead."""

VISIT, JUDGE = "visit", "judge"
"""The tasks, and the queue of the second one."""

_VERSIONS = tuple(sorted(path.stem for path in Path(SchemaManager.get_migrations_path()).glob("*.sql")))
"""Every change of procrastinate's tables that this one knows, oldest first."""


def app(url: URL) -> App:
    """The queue in this database; it has to be made before it is opened."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    path = f"{url.query.get('options', '')} -c search_path={SCHEMA}".strip()
    settings = {"options": path, "application_name": "fleet worker", "connect_timeout": 10, "tcp_user_timeout": 20_000}
    return App(connector=PsycopgConnector(conninfo=plain, kwargs=settings, min_size=1, max_size=4, name="fleet"))


def make(engine: Engine) -> None:
    """Bring the tables of the queue to the version of this computer's procrastinate. RegistryError for newer ones."""
    with snapshot(engine) as conn:
        if _version(conn, engine) == _VERSIONS[-1]:
            return
    with transaction(engine) as conn:
        version = _version(conn, engine)
        if version == _VERSIONS[-1]:
            return
        if version is None:
            conn.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
            conn.exec_driver_sql(f"CREATE TABLE {SCHEMA}.made (version text NOT NULL)")
            scripts = [SchemaManager.get_schema()]
        else:
            newer = _VERSIONS[_VERSIONS.index(version) + 1 :]
            folder = Path(SchemaManager.get_migrations_path())
            scripts = [(folder / f"{one}.sql").read_text("utf-8") for one in newer]
        conn.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")
        for script in scripts:
            conn.execution_options(no_parameters=True).exec_driver_sql(script)
        conn.exec_driver_sql("DELETE FROM made")
        conn.execute(text("INSERT INTO made VALUES (:version)"), {"version": _VERSIONS[-1]})


def workers(conn: Connection) -> int:
    """How many workers are alive; none where there is no queue."""
    if not _is_there(conn):
        return 0
    alive = text("last_heartbeat > now() - :silent * interval '1s'").bindparams(silent=SILENT)
    listed = table("procrastinate_workers", schema=SCHEMA)
    return conn.scalar(select(func.count()).select_from(listed).where(alive)) or 0


def queue_of(release: int) -> str:
    """Whoever has this release takes jobs from there."""
    return f"release-{release}"


async def add(queue: App, push: str, release: int, sites: Iterable[str]) -> int:
    """Have these sites visited, each once; how many were not in the queue already."""
    jobs = [
        Job(
            queue=queue_of(release),
            task_name=VISIT,
            lock=f"site {site}",
            queueing_lock=f"site {site}",
            task_kwargs={"push": push, "site": site},
        )
        for site in sites
    ]
    if not jobs:
        return 0
    try:
        return len(await queue.job_manager.batch_defer_jobs_async(jobs))
    except AlreadyEnqueued:
        pass
    added = 0
    for job in jobs:
        try:
            await queue.job_manager.defer_job_async(job)
        except AlreadyEnqueued:
            continue
        added += 1
    return added


def _version(conn: Connection, engine: Engine) -> str | None:
    """``None`` when there are no tables yet."""
    if not _is_there(conn):
        return None
    version = conn.scalar(select(column("version")).select_from(table("made", schema=SCHEMA)))
    if version not in _VERSIONS:
        raise RegistryError(
            f"The queue of the workers in {shown(engine.url)} was made by a newer version of fleet.",
            "Update fleet on this computer.",
        )
    return str(version)


def _is_there(conn: Connection) -> bool:
    """Asked of a table of the server's: its functions remember for a while what was not there."""
    tables = table("pg_tables", column("schemaname"), schema="pg_catalog")
    return bool(conn.scalar(select(func.count()).select_from(tables).where(tables.c.schemaname == SCHEMA)))
