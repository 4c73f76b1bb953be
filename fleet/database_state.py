"""Where the registry is, which version its tables have, and how much is in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL, Connection, func, select, text

from fleet.db import REVISIONS, looking, shown
from fleet.models import chains, events, units


@dataclass(frozen=True)
class State:
    """``version`` is that of the tables, ``newest`` the one that this fleet has. ``None``: there are none yet, or they
    have to be brought up to date first."""

    database: str
    engine: str
    version: str | None
    newest: str
    bytes: int | None = None
    units: int | None = None
    events: int | None = None
    chains: int | None = None
    last: str | None = None


def state(url: URL) -> State:
    """Look, and change nothing. RegistryError when the registry is of a newer fleet."""
    with looking(url) as (conn, version):
        if conn is None:
            return State(shown(url), "nothing yet", None, REVISIONS[-1])
        found = State(shown(url), _engine(conn), version, REVISIONS[-1])
        return _counted(conn, found) if version == REVISIONS[-1] else found


def _counted(conn: Connection, found: State) -> State:
    benches, count = conn.execute(select(func.count(), func.coalesce(func.sum(chains.c.seq), 0))).one()
    return State(
        found.database,
        found.engine,
        found.version,
        found.newest,
        int(conn.scalar(text(_SIZES[conn.dialect.name])) or 0),
        conn.scalar(select(func.count()).select_from(units)),
        int(count),
        benches,
        conn.scalar(
            select(func.max(events.c.at)).where(events.c.seq == chains.c.seq, events.c.bench == chains.c.bench)
        ),
    )


_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def _engine(conn: Connection) -> str:
    version = ".".join(map(str, conn.dialect.server_version_info or ()))
    return f"{'SQLite' if conn.dialect.name == 'sqlite' else 'PostgreSQL'} {version}"
