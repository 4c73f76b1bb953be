"""What agents ask of a server for phones at home, and what they are answered."""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from fleet.db import noting, snapshot, transaction
from fleet.models import agent_configs, agent_contacts
from fleet.remote.agents import records
from fleet.remote.agents.answers import news
from fleet.remote.agents.bench_server import bench_server
from fleet.remote.agents.configurations import stored
from fleet.remote.agents.contacts import ago
from fleet.remote.agents.reading import Reader
from fleet.remote.agents.service import now
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import READER, SECRET, Phone, enrol, profile, serving


def test_a_configuration_is_full_signed_and_remembered(at_home: AtHome) -> None:
    before = at_home.events()
    answer = at_home.phone.configuration("POST")
    data = answer.data
    assert (data["restrictions"], data["timeZone"]) == ("no_install_apps", "Asia/Ho_Chi_Minh")
    (app,), (file,) = data["applications"], data["files"]
    assert app["url"].startswith("http://localhost:9/files/")
    assert file["checksum"] == hashlib.md5(b"Once upon a time.").hexdigest()
    assert data["newServerUrl"] == "http://localhost:9"
    told = answer.body.decode().partition('"data":')[2][:-1]
    plain = re.sub(r"[ \t\n\x0b\f\r]", "", told)  # what a regular expression of Java takes for white space
    assert answer.headers["x-response-signature"] == hashlib.sha1((SECRET + plain).encode()).hexdigest().upper()
    row = at_home.contact()
    assert row.fetched == at_home.profile.digest
    assert row.home_at == row.seen_at
    assert row.told_at is None
    assert at_home.events() == before


@pytest.mark.parametrize("here", [True, False], ids=["whole", "of the bench"])
def test_debugging_ends_once_the_phone_was_seen_at_home(at_home: AtHome, tmp_path: Path, *, here: bool) -> None:
    """It is told by nothing but its polls to ask once more, though it has fetched the same from its bench already."""
    ruled = profile(tmp_path / "ruled", "ruled", rules="debugging: deny")
    with bench_server(at_home.registry) as bench:
        server = bench.agent_for(at_home.unit, ruled, 33).server
        assert server is not None
        phone = Phone(bench.port, server.number())
        assert phone.configuration().data["restrictions"] == "no_install_apps"
        assert at_home.contact(phone).fetched == ruled.digest
    with serving(at_home.registry, *([ruled] if here else [])) as port:
        phone.port = port
        assert phone.configuration().data["restrictions"] == "no_install_apps"
        assert [one["messageType"] for one in phone.poll().data] == ["configUpdated"]
        restrictions = set(phone.configuration().data["restrictions"].split(","))
        assert restrictions == {"no_install_apps", "no_debugging_features"}
        assert at_home.contact(phone).fetched == ruled.digest
        assert phone.poll().data == []


def test_what_is_carried_out_is_confirmed_and_what_is_not_is_told(at_home: AtHome) -> None:
    phone = at_home.phone
    data = phone.configuration().data
    assert phone.info(applications=[], files=[], permissions=[1, 0, 1]).status == 200
    row = at_home.contact()
    assert (row.confirmed, row.owner, row.battery_level) == (None, True, 71)
    assert json.loads(row.missing) == ["drawing over other apps"]
    drift = json.loads(row.drift)
    assert drift == ["app org.schoolbag.sample.reader is not there", "file Learning/book.txt is not there"]
    phone.carry_out(data)
    phone.info(iccid="8984048000012345678")
    row = at_home.contact()
    assert (row.confirmed, row.drift, row.iccid) == (at_home.profile.digest, "[]", "8984048000012345678")
    phone.info(mdmMode=False)
    assert at_home.contact().owner is False


def test_a_content_comes_whole_in_parts_and_only_if_it_changed(at_home: AtHome) -> None:
    phone = at_home.phone
    (app,) = phone.configuration().data["applications"]
    whole = READER.read_bytes()
    got = phone.file(app["url"])
    assert (got.status, got.body) == (200, whole)
    tag = got.headers["etag"]
    head = phone.file(app["url"], "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(whole)))
    part = phone.file(app["url"], Range="bytes=100-", **{"If-Range": tag})
    assert (part.status, part.body) == (206, whole[100:])
    assert part.headers["content-range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert phone.file(app["url"], Range="bytes=100-", **{"If-Range": '"another"'}).body == whole
    assert phone.file(app["url"], Range=f"bytes={len(whole)}-").status == 416
    assert phone.file(app["url"], **{"If-None-Match": tag}).status == 304


def test_a_customers_word_in_the_path_is_taken(at_home: AtHome) -> None:
    phone = at_home.phone
    data = phone.configuration(project="/school").data
    phone.carry_out(data)
    phone.info()
    assert phone.poll(project="/school").data == []
    assert phone.configuration(project="/").data == data


def test_the_smaller_questions_have_full_answers(at_home: AtHome) -> None:
    phone = at_home.phone
    assert phone.ask("GET", f"/rest/plugins/devicelog/log/rules/{phone.number}").data == []
    for path in (f"plugins/devicelog/log/list/{phone.number}", f"public/sync/applicationSettings/{phone.number}"):
        assert phone.ask("POST", f"/rest/{path}", b"[]").data is None
    health = phone.ask("GET", "/health")
    assert (health.status, health.json) == (200, {"status": "OK", "missing": 0})


def test_nothing_new_is_not_written(at_home: AtHome) -> None:
    phone = at_home.phone
    phone.carry_out(phone.configuration().data)
    phone.info()
    row = at_home.contact()
    for _ in range(3):
        phone.configuration()
        phone.info()
        phone.poll()
    assert at_home.contact() == row
    phone.info(batteryLevel=70)
    assert at_home.contact().battery_level == 70


def test_a_configuration_that_is_asked_for_again_is_fetched_again(at_home: AtHome) -> None:
    """The poll that tells the phone to ask again is written right before it does."""
    phone, number = at_home.phone, records.hashed(at_home.phone.number)
    phone.configuration()
    long_ago = ago(now(), span=timedelta(hours=3))
    with noting(at_home.registry.engine) as conn:
        old = {"seen_at": long_ago, "fetched_at": long_ago, "told_at": ago(now(), span=timedelta(hours=1))}
        conn.execute(update(agent_contacts).where(agent_contacts.c.number == number).values(old))
    assert [one["messageType"] for one in phone.poll().data] == ["configUpdated"]
    assert at_home.contact().seen_at > long_ago
    phone.configuration()
    assert at_home.contact().fetched_at > long_ago
    known = Reader(at_home.registry, home=True).one(number)
    assert known is not None
    assert not news(known, now())


def test_a_number_is_dead_after_a_return_and_another_enrolment(at_home: AtHome) -> None:
    phone = at_home.phone
    assert phone.configuration().status == 200
    again = Phone(at_home.port, enrol(at_home.registry, at_home.unit, at_home.profile))
    assert phone.configuration().status == 404
    assert phone.info().status == 404
    assert again.configuration().status == 200
    with transaction(at_home.registry.engine) as conn:
        records.end(conn, at_home.registry.ledger, at_home.unit, "came back")
    assert again.configuration().status == 404
    assert again.poll().status == 404


def test_whoever_writes_to_the_registry_keeps_no_phone_waiting(at_home: AtHome) -> None:
    """A bench that takes its time: the answer does not depend on the note of it, and is there in time."""
    with transaction(at_home.registry.engine):
        began = time.monotonic()
        assert at_home.phone.configuration().status == 200
        assert time.monotonic() - began < 6
    assert at_home.phone.configuration().status == 200
    assert at_home.contact().fetched == at_home.profile.digest


def test_a_document_of_another_version_is_made_anew(at_home: AtHome) -> None:
    digest = at_home.profile.digest
    with noting(at_home.registry.engine) as conn:
        assert stored(conn, [digest]).keys() == {digest}
        conn.execute(update(agent_configs).values(document='{"v":0}'))
    with snapshot(at_home.registry.engine) as conn:
        assert stored(conn, [digest]) == {}
