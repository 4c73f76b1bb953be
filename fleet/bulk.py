"""Many rows at once, as fast as the database takes them: SQLite's executemany, PostgreSQL's COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, update

T = TypeVar("T")
_FEW = 20
"""Rows for which preparing a bulk write costs more than it saves."""

_STREAMED = 5000


def insert_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that are not there yet. All of them name the same columns in the same order."""
    insert_values(conn, table, tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows])


def insert_values(conn: Connection, table: Table, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    """Write rows that are not there yet: ``values`` in the order of ``columns``, as the driver takes them."""
    if not values:
        return
    target, marks = _target(conn, table, columns)
    if conn.dialect.name == "postgresql" and len(values) > _FEW:
        with conn.connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in values:
                copy.write_row(row)
    else:
        conn.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", list(values))  # noqa: S608


def insert_missing(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write those rows whose primary key is not there yet; how many they were."""
    if not rows:
        return 0
    columns = tuple(rows[0])
    target, marks = _target(conn, table, columns)
    done = conn.exec_driver_sql(
        f"INSERT INTO {target} VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
        [tuple(row.values()) for row in rows],
    )
    return done.rowcount


def _target(conn: Connection, table: Table, columns: Sequence[str]) -> tuple[str, str]:
    """What follows INSERT INTO, and the marks of the values."""
    quote = conn.dialect.identifier_preparer.quote
    mark = "?" if conn.dialect.paramstyle == "qmark" else "%s"
    return f"{quote(table.name)} ({', '.join(map(quote, columns))})", ", ".join([mark] * len(columns))


def update_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set all columns of rows that are there, found by their primary key."""
    keys = table.primary_key.columns.keys()
    others = [name for name in table.columns.keys() if name not in keys]  # noqa: SIM118
    if not rows or not others:
        return
    mine = [table.c[name] == bindparam(f"key_{name}") for name in keys]
    query = update(table).where(*mine).values({name: bindparam(f"new_{name}") for name in others})
    named = {name: f"key_{name}" if name in keys else f"new_{name}" for name in table.columns.keys()}  # noqa: SIM118
    conn.execute(query, [{named[name]: value for name, value in row.items()} for row in rows])


def delete_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Take away rows, found by their primary key."""
    keys = table.primary_key.columns.keys()
    if rows:
        mine = [table.c[name] == bindparam(f"key_{name}") for name in keys]
        conn.execute(delete(table).where(*mine), [{f"key_{name}": row[name] for name in keys} for row in rows])


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """``things`` in lists of ``size``, the last one shorter."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def streamed(conn: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """The rows of a query some thousands at a time, so that memory does not grow with their number."""
    with conn.execute(query, execution_options={"yield_per": _STREAMED}) as rows:
        yield from rows
