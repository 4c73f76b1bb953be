"""Agents that wait for news, and orders: told at once, and no more often than they have to be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleet.db import snapshot, transaction
from fleet.home import Bench
from fleet.remote.agents import orders
from fleet.remote.agents.answers import news
from fleet.remote.agents.orders import Kind
from fleet.remote.agents.reading import Reader
from fleet.remote.agents.records import hashed
from fleet.remote.agents.service import now
from fleet.tags import find
from provision.android.agent_document import document
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import Answer, Phone, enrol, profile, serving

UPDATE = {"messageType": "configUpdated", "payload": None}


def _give(at_home: AtHome, kind: Kind, text: str = "") -> str:
    with transaction(at_home.registry.engine) as conn:
        (unit,) = find(conn, "A-1")
        return orders.give(conn, at_home.registry.ledger, unit, kind, "because", text).id


def _state(at_home: AtHome, order: str) -> str:
    with snapshot(at_home.registry.engine) as conn:
        return next(one.state for one in orders.of_unit(conn, at_home.unit) if one.id == order)


def _waiting(at_home: AtHome) -> tuple[ThreadPoolExecutor, Future[Answer]]:
    pool = ThreadPoolExecutor(1)
    return pool, pool.submit(at_home.phone.poll, long=True)


def _settled(look: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not look() and time.monotonic() < end:
        time.sleep(0.02)
    return look()


def test_a_first_poll_says_that_there_is_a_configuration(at_home: AtHome) -> None:
    assert at_home.phone.poll(long=True).data == [UPDATE]
    at_home.phone.configuration()
    assert at_home.phone.poll().data == []


def test_the_same_news_are_not_told_over_and_over(at_home: AtHome) -> None:
    assert at_home.phone.poll().data == [UPDATE]
    assert at_home.phone.poll().data == []


def test_who_waits_hears_of_an_order_and_the_phone_does_it(at_home: AtHome) -> None:
    phone = at_home.phone
    assert phone.configuration().data["lock"] is False
    pool, poll = _waiting(at_home)
    time.sleep(0.3)
    assert not poll.done()
    lock = _give(at_home, Kind.LOCK, "Please bring it back.")
    assert poll.result(15).data == [UPDATE]
    data = phone.configuration().data
    assert (data["lock"], data["lockMessage"]) == (True, "Please bring it back.")
    assert phone.poll().data == []
    assert _state(at_home, lock) == "open"
    unlock = _give(at_home, Kind.UNLOCK)
    assert phone.poll().data == [UPDATE]
    assert phone.configuration().data["lock"] is False
    assert _settled(lambda: _state(at_home, unlock) == "done")
    assert _state(at_home, lock) == "done"
    pool.shutdown()


@pytest.mark.parametrize(
    ("kind", "field", "path"), [(Kind.REBOOT, "reboot", "public/reboot"), (Kind.WIPE, "factoryReset", "public")]
)
def test_what_an_agent_is_about_to_do_is_done(at_home: AtHome, kind: Kind, field: str, path: str) -> None:
    phone = at_home.phone
    place = f"/rest/plugins/devicereset/{path}/{phone.number}"
    assert phone.ask("POST", place, b"{}").status == 404
    order = _give(at_home, kind)
    assert phone.ask("POST", place, b"{}").status == 404, "it was not told yet"
    assert phone.configuration().data[field] is True
    assert phone.ask("POST", place, b"{}").data is None
    assert _state(at_home, order) == "done"
    assert phone.ask("POST", place, b"{}").status == 404
    after = phone.configuration()
    assert after.status == 404 if kind is Kind.WIPE else after.data[field] is False


def test_a_message_is_a_page_and_its_opening_is_its_confirmation(at_home: AtHome) -> None:
    phone = at_home.phone
    phone.configuration()
    order = _give(at_home, Kind.MESSAGE, "Lớp học <b>lúc 8h</b> & mang sách")
    (shown,) = [one for one in phone.poll().data if one["messageType"] == "intent"]
    told = json.loads(shown["payload"])
    assert told["action"] == "android.intent.action.VIEW"
    place = told["data"].removeprefix("http://localhost:9")
    assert phone.poll().data == []
    assert phone.ask("GET", place[:-1] + ("0" if place[-1] != "0" else "1")).status == 404
    assert _state(at_home, order) == "open"
    page = phone.ask("GET", place)
    assert page.status == 200
    assert "Lớp học &lt;b&gt;lúc 8h&lt;/b&gt; &amp; mang sách" in page.body.decode()
    assert page.headers["cache-control"] == "no-store"
    assert _state(at_home, order) == "done"
    assert phone.ask("GET", place).status == 200, "it may be read again"


def test_location_off_is_told_until_it_is_on_again(at_home: AtHome) -> None:
    _give(at_home, Kind.LOCATE_OFF)
    data = at_home.phone.configuration().data
    assert (data["disableLocation"], data["gps"]) == (True, False)
    assert data["restrictions"].split(",") == ["no_install_apps", "no_share_location"]
    _give(at_home, Kind.LOCATE_ON)
    assert at_home.phone.configuration().data["disableLocation"] is False


def test_few_polls_of_one_number_wait(at_home: AtHome) -> None:
    at_home.phone.configuration()
    with ThreadPoolExecutor(3) as pool:
        polls = [pool.submit(at_home.phone.poll, long=True) for _ in range(3)]
        time.sleep(0.5)
        assert at_home.phone.poll(long=True).status == 429
        _give(at_home, Kind.REBOOT)
        first, _ = wait(polls, 20, FIRST_COMPLETED)
        assert [one.result().data for one in first] == [[UPDATE]]
        enrol(at_home.registry, at_home.unit, at_home.profile)  # the others end as the number is dead
        assert {poll.result(20).status for poll in polls} <= {200, 404}


def test_many_wait_on_few_threads_and_a_stop_lets_them_go(at_home: AtHome) -> None:
    with ThreadPoolExecutor(40) as pool:
        with serving(at_home.registry, at_home.profile) as port:
            phones = []
            for number in range(2, 42):
                key = f"android:SN{number}"
                phones.append(Phone(port, enrol(at_home.registry, key, at_home.profile)))
            for phone in phones:
                phone.configuration()
            before = threading.active_count()
            polls = [pool.submit(phone.poll, long=True) for phone in phones]
            time.sleep(0.7)
            assert not any(poll.done() for poll in polls)
            assert threading.active_count() - before <= 40 + 8, "the pool's own, and the server's few"
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert all(poll.result(5).data == [] for poll in polls)


def test_what_is_not_on_this_computer_is_not_named(at_home: AtHome, tmp_path: Path) -> None:
    other = profile(tmp_path / "other", "other", "Another book.")
    phone = Phone(0, enrol(at_home.registry, at_home.unit, other))
    with serving(at_home.registry, documents=[document(other)]) as port:
        phone.port = port
        data = phone.configuration().data
        assert (data["applications"], data["files"]) == ([], [])
        assert phone.ask("GET", "/health").json["missing"] == 2


def test_a_clock_that_is_a_year_ahead_orders_once(at_home: AtHome) -> None:
    """The computer that gave the order, not the server's: it is told, done, and not told without end."""
    ahead = (datetime.now(UTC) + timedelta(days=365)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ledger = replace(at_home.registry.ledger, bench=Bench("a-year-ahead", "other"), clock=lambda: ahead)
    at_home.phone.configuration()
    with transaction(at_home.registry.engine) as conn:
        (unit,) = find(conn, "A-1")
        orders.give(conn, ledger, unit, Kind.LOCK, "because", "x")
    assert at_home.phone.poll().data == [UPDATE]
    assert at_home.phone.configuration().data["lock"] is True
    known = Reader(at_home.registry, home=True).one(hashed(at_home.phone.number))
    assert known is not None
    assert not news(known, now())
    assert at_home.contact().seen_at < ahead
    assert at_home.phone.info(location={"ts": 1, "lat": 0.0, "lon": 0.0}).status == 200
