"""PostgreSQL as the registry uses it, so that it behaves as SQLite does: one writer at a time, readers see one moment,
text is compared by code point."""

from __future__ import annotations

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from fleet.errors import RegistryError

_WRITERS = 0x5C_00_1B_A6
"""The lock that a writing transaction holds in its database, as SQLite's ``BEGIN IMMEDIATE`` does."""

_GONE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
"""The server takes a computer for gone after a minute of silence, and gives back what it had locked."""


def engine(url: URL, patience: float) -> Engine:
    """``patience``: seconds that a writer waits for another, and that a server may take to answer."""
    milliseconds = max(1, round(patience * 1000))
    made = create_engine(
        url,
        pool_pre_ping=True,  # a bench stays up for days, its server may not
        use_native_hstore=False,
        connect_args={
            "connect_timeout": max(2, round(patience)),
            "tcp_user_timeout": max(2000, milliseconds),  # else a cable that was pulled is waited for for hours
            "client_encoding": "utf8",
            "application_name": "fleet",
            "options": f"{url.query.get('options', '')} {_GONE}".strip(),
        },
    )

    def begin(conn: Connection) -> None:
        writing = conn.get_execution_options().get("writing", False)
        if writing == "beside":
            return
        if writing:
            query = f"SELECT set_config('lock_timeout', '{milliseconds}ms', true), pg_advisory_xact_lock({_WRITERS})"
            conn.exec_driver_sql(query).all()
        else:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    event.listen(made, "begin", begin)
    return made


def check_encoding(conn: Connection, where: str) -> None:
    """RegistryError when the database cannot hold every name."""
    encoding = conn.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise RegistryError(
            f"The database {where} keeps text as {encoding}, which has no room for every name.",
            "Make another one: createdb --encoding UTF8 --template template0 NAME.",
        )


def compare_by_code_point(conn: Connection) -> None:
    """Give every column of text the collation ``C``: order, case and equality are then those of SQLite."""
    query = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND data_type = 'character varying' AND collation_name IS DISTINCT FROM 'C' ORDER BY 1, 2"
    )
    changes: dict[str, list[str]] = {}
    quote = conn.dialect.identifier_preparer.quote
    for table, column in conn.execute(query):
        changes.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE VARCHAR COLLATE "C"')
    for table, columns in changes.items():
        conn.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(columns)}")
