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

from fleet.db import snapshot, transaction
from fleet.home import Bench
from fleet.remote.agents import orders
from fleet.remote.agents.answers import news
from fleet.remote.agents.orders import Kind
from fleet.remote.agents.reading import Known, Reader
from fleet.remote.agents.records import hashed
from fleet.remote.agents.service import now
from fleet.tags import find
from provision.android.agent_document import document
from tests.remote.agents.at_home import begun, release, unit
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


def test_a_reboot_that_an_agent_is_about_to_do_is_done(at_home: AtHome) -> None:
    phone = at_home.phone
    place = f"/rest/plugins/devicereset/public/reboot/{phone.number}"
    assert phone.ask("POST", place, b"{}").status == 404
    order = _give(at_home, Kind.REBOOT)
    assert phone.ask("POST", place, b"{}").status == 404, "it was not told yet"
    assert phone.configuration().data["reboot"] is True
    assert phone.ask("POST", place, b"{}").data is None
    assert _state(at_home, order) == "done"
    assert phone.ask("POST", place, b"{}").status == 404
    assert phone.configuration().data["reboot"] is False


def test_a_wipe_of_which_the_answer_was_lost_is_told_and_answered_again(at_home: AtHome) -> None:
    phone = at_home.phone
    place = f"/rest/plugins/devicereset/public/{phone.number}"
    phone.configuration()  # once: it ends debugging, so it asks again
    assert phone.ask("POST", place, b"{}").status == 404
    order = _give(at_home, Kind.WIPE)
    assert phone.ask("POST", place, b"{}").status == 404, "it was not told yet"
    assert phone.configuration().data["factoryReset"] is True
    for _ in range(2):
        assert phone.ask("POST", place, b"{}").data is None
        assert _state(at_home, order) == "begun"
    assert phone.poll().data == [], "it is at it"
    known = _known(at_home)
    assert not news(known, now())
    later = (datetime.now(UTC) + timedelta(minutes=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert news(known, later), "it was not wiped, as it is there"
    assert phone.configuration().data["factoryReset"] is True
    assert phone.ask("POST", place, b"{}").data is None
    assert not news(_known(at_home), later)


def _known(at_home: AtHome) -> Known:
    reader = Reader(at_home.registry, home=True)
    known = reader.one(hashed(at_home.phone.number))
    reader.close()
    assert known is not None
    return known


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


def test_what_is_not_on_this_computer_is_not_begun(at_home: AtHome, tmp_path: Path) -> None:
    """The phone goes on with what it has, if that is here, and is told of the other by a server that has it."""
    other = profile(tmp_path / "other", book="Another book.")
    phone, registry = at_home.phone, at_home.registry
    had = phone.configuration().data
    new = Phone(0, enrol(registry, unit(registry, 2), other))
    release(registry, 1, {"small": other.digest})
    begun(registry, 1, {"small": other.digest})
    with serving(registry, at_home.profile, documents=[document(other)]) as port:
        phone.port = new.port = port
        assert new.configuration().status == 503
        assert at_home.contact(new) is None
        assert phone.poll().data == []
        assert phone.configuration().data == had
        assert at_home.contact().fetched == at_home.profile.digest
        assert phone.ask("GET", "/health").json["missing"] == 1
    with serving(registry, at_home.profile, other) as port:
        phone.port = port
        assert phone.poll().data == [UPDATE]
        (was,), (book,) = had["files"], phone.configuration().data["files"]
        assert book["lastUpdate"] > was["lastUpdate"]
        assert at_home.contact().fetched == other.digest


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
