"""Many rows at once, as fast as the database takes them: SQLite's executemany, PostgreSQL's COPY.

By the driver itself: what SQLAlchemy does for each row takes longer than the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select, Table

T = TypeVar("T")
_FEW = 20
"""Rows for which preparing a bulk write costs more than it saves."""

_STREAMED = 5000
_NAMED = 5000


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


def put_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, in their order, in the place of those with the same primary key. All of them name every column."""
    if not rows:
        return
    columns, keys = tuple(rows[0]), table.primary_key.columns.keys()
    target, marks = _target(conn, table, columns)
    news = ", ".join(f"{_quoted(conn, name)} = excluded.{_quoted(conn, name)}" for name in columns if name not in keys)
    conn.exec_driver_sql(
        f"INSERT INTO {target} VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {news}",  # noqa: S608
        [tuple(row.values()) for row in rows],
    )


def update_rows(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Set ``columns`` (``None``: all) of rows that are there, found by their primary key."""
    keys = table.primary_key.columns.keys()
    named = [name for name in columns or table.columns.keys() if name not in keys]
    if not rows or not named:
        return
    news = ", ".join(_equals(conn, named))
    query = f"UPDATE {_quoted(conn, table.name)} SET {news} WHERE {' AND '.join(_equals(conn, keys))}"  # noqa: S608
    conn.exec_driver_sql(query, [tuple(row[name] for name in (*named, *keys)) for row in rows])


def delete_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Take away rows, found by their primary key."""
    keys = table.primary_key.columns.keys()
    if rows:
        query = f"DELETE FROM {_quoted(conn, table.name)} WHERE {' AND '.join(_equals(conn, keys))}"  # noqa: S608
        conn.exec_driver_sql(query, [tuple(row[name] for name in keys) for row in rows])


def read_rows(conn: Connection, table: Table, column: str, wanted: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows of which ``column`` is one of ``wanted``, some thousands at a time, as the driver gives them."""
    names = table.columns.keys()
    query = f"SELECT {', '.join(_quoted(conn, name) for name in names)} FROM {_quoted(conn, table.name)} WHERE"  # noqa: S608
    for some in batches(wanted, _NAMED):
        within, values = _one_of(conn, column, some)
        for row in conn.exec_driver_sql(f"{query} {within}", values):
            yield dict(zip(names, row, strict=True))


def read_joined(
    conn: Connection, query: Select[Any], column: Column[str], wanted: Iterable[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of ``query``, which has no condition and no values of its own, of which ``column`` is one of ``wanted``,
    as the driver gives them."""
    said = f"{query.compile(conn)} WHERE"
    name = f"{_quoted(conn, column.table.name)}.{_quoted(conn, column.name)}"
    for some in batches(wanted, _NAMED):
        within, values = _in(conn, name, some)
        found = conn.exec_driver_sql(f"{said} {within}", values)
        assert found.cursor is not None
        yield from found.cursor.fetchall()


def set_by_query(conn: Connection, table: Table, name: str, query: str, column: str, wanted: Iterable[str]) -> None:
    """Set the column ``name`` to what ``query`` gives for the row, where ``column`` is one of ``wanted``."""
    update = f"UPDATE {_quoted(conn, table.name)} SET {_quoted(conn, name)} = ({query}) WHERE"  # noqa: S608
    for some in batches(wanted, _NAMED):
        within, values = _one_of(conn, column, some)
        conn.exec_driver_sql(f"{update} {within}", values)


def add_to_rows(conn: Connection, table: Table, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the number ``name`` of each row to that of the one with its primary key; a row that is not there is written,
    and one that comes to nothing is taken away."""
    if not rows:
        return
    columns, keys = tuple(rows[0]), table.primary_key.columns.keys()
    (target, marks), number, here = _target(conn, table, columns), _quoted(conn, name), _quoted(conn, table.name)
    conn.exec_driver_sql(
        f"INSERT INTO {target} VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) "  # noqa: S608
        f"DO UPDATE SET {number} = {here}.{number} + excluded.{number}",
        [tuple(row.values()) for row in rows],
    )
    if less := [tuple(row[key] for key in keys) for row in rows if row[name] < 0]:
        empty = f"DELETE FROM {here} WHERE {' AND '.join(_equals(conn, keys))} AND {number} = 0"  # noqa: S608
        conn.exec_driver_sql(empty, less)


def _target(conn: Connection, table: Table, columns: Sequence[str]) -> tuple[str, str]:
    """What follows INSERT INTO, and the marks of the values."""
    return f"{_quoted(conn, table.name)} ({', '.join(_quoted(conn, name) for name in columns)})", _marks(conn, columns)


def _one_of(conn: Connection, column: str, wanted: list[str]) -> tuple[str, tuple[Any, ...]]:
    """That ``column`` is one of ``wanted``, and the values for its marks."""
    return _in(conn, _quoted(conn, column), wanted)


def _in(conn: Connection, quoted: str, wanted: list[str]) -> tuple[str, tuple[Any, ...]]:
    if conn.dialect.name == "postgresql":
        return f"{quoted} = ANY(%s)", (wanted,)
    return f"{quoted} IN ({_marks(conn, wanted)})", tuple(wanted)


def _equals(conn: Connection, names: Sequence[str]) -> list[str]:
    return [f"{_quoted(conn, name)} = {_marks(conn, '1')}" for name in names]


def _marks(conn: Connection, values: Sequence[Any]) -> str:
    return ", ".join(["?" if conn.dialect.paramstyle == "qmark" else "%s"] * len(values))


def _quoted(conn: Connection, name: str) -> str:
    return conn.dialect.identifier_preparer.quote(name)


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """``things`` in lists of ``size``, the last one shorter."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def heavy_batches(things: Iterable[T], size: int, weigh: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """``things`` in lists of ``size``, or shorter ones that together weigh little more than ``most``."""
    batch: list[T] = []
    weight = 0
    for thing in things:
        batch.append(thing)
        weight += weigh(thing)
        if len(batch) >= size or weight >= most:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def streamed(conn: Connection, query: Select[Any], at_once: int = _STREAMED) -> Iterator[Row[Any]]:
    """The rows of a query some thousands at a time, so that memory does not grow with their number."""
    with conn.execute(query, execution_options={"yield_per": at_once}) as rows:
        yield from rows
