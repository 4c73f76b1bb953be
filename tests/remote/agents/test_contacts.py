"""What is kept of contacts, many at once, beside others that write the same rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from fleet.db import noting, snapshot
from fleet.models import agent_contacts
from fleet.remote.agents import contacts
from fleet.remote.agents.contacts import Contact, Told
from fleet.remote.agents.desk import Desk
from fleet.units import Registry
from tests.fleet.making import POSTGRES


def _at(second: int) -> str:
    return f"2026-01-01T08:00:{second:02}.000Z"


def _told(confirmed: str | None, *drift: str) -> Told:
    return Told(owner=True, battery_level=50, iccid=None, confirmed=confirmed, drift=drift)


_SEVERAL = [
    Contact("b", "B", _at(1), True, "one", _at(1)),
    Contact("a", "A", _at(2), True, "one", _at(2)),
    Contact("b", "B", _at(3), True, told=_told("one")),
    Contact("b", "B", _at(4), False),
    Contact("b", "B", _at(5), True, "one", _at(5)),
    Contact("b", "B", _at(6), True, told=_told(None, "app x is not there")),
    Contact("a", "A", _at(7), True, "two", _at(7)),
]


def _rows(registry: Registry) -> list[dict[str, Any]]:
    with snapshot(registry.engine) as conn:
        found = conn.execute(select(agent_contacts).order_by(agent_contacts.c.number))
        return [dict(row._mapping) for row in found]


def test_many_at_once_are_kept_as_one_after_the_other(registry: Registry) -> None:
    with noting(registry.engine) as conn:
        contacts.write(conn, _SEVERAL)
    a, b = _rows(registry)
    assert (a["fetched"], a["since"], a["told_at"], a["drift"]) == ("two", _at(7), None, "[]")
    assert (b["seen_at"], b["home_at"], b["fetched_at"], b["since"]) == (_at(6), _at(6), _at(5), _at(1))
    assert (b["confirmed"], b["confirmed_at"], b["drift"]) == (None, _at(3), '["app x is not there"]')
    with noting(registry.engine) as conn:
        conn.execute(agent_contacts.delete())
    for one in _SEVERAL:
        with noting(registry.engine) as conn:
            contacts.write(conn, [one])
    assert _rows(registry) == [a, b]


@contextmanager
def _another(registry: Registry, *first: str) -> Iterator[Connection]:
    """Another process, which holds the rows a and b from before; it waits for others a long time."""
    with noting(registry.engine) as conn:
        contacts.write(conn, [Contact(one, one.upper(), _at(0), True) for one in "ab"])
    with registry.engine.execution_options(writing="beside").connect() as conn:
        conn.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        conn.execute(text("SET LOCAL lock_timeout = '20s'"))
        for number in first:
            _touch(conn, number)
        yield conn


def _touch(conn: Connection, number: str) -> None:
    conn.execute(update(agent_contacts).where(agent_contacts.c.number == number).values(iccid="of another"))


def _keep(registry: Registry, numbers: str) -> list[bool]:
    async def keep() -> list[bool]:
        desk = Desk(registry)
        try:
            many = [desk.keep(Contact(one, one.upper(), _at(9), True), 20) for one in numbers]
            return list(await asyncio.gather(*many))
        finally:
            await desk.close()

    return asyncio.run(keep())


def _waits(registry: Registry, keeping: Future[list[bool]]) -> None:
    """Until the writer waits for a row of ours."""
    end = time.monotonic() + 20
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while True:
        with snapshot(registry.engine) as conn:
            if conn.scalar(query):
                return
        assert time.monotonic() < end
        assert not keeping.done()
        time.sleep(0.02)


@POSTGRES
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_rows_are_written_in_the_order_of_their_numbers(registry: Registry, order: str) -> None:
    """Who holds the first and asks for the second gets it: nobody holds that and waits for the first."""
    with ThreadPoolExecutor(1) as pool, _another(registry, "a") as conn:
        keeping = pool.submit(_keep, registry, order)
        _waits(registry, keeping)
        conn.execute(text("SET LOCAL lock_timeout = '500ms'"))
        _touch(conn, "b")
        conn.commit()
        assert keeping.result(20) == [True, True]


@POSTGRES
def test_a_batch_that_lost_a_deadlock_is_written_all_the_same(registry: Registry) -> None:
    with ThreadPoolExecutor(1) as pool, _another(registry, "b") as conn:
        keeping = pool.submit(_keep, registry, "ab")
        _waits(registry, keeping)
        _touch(conn, "a")
        conn.commit()
        assert keeping.result(20) == [True, True]
    assert [row["seen_at"] for row in _rows(registry)] == [_at(9), _at(9)]
