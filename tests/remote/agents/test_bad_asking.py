"""What is wrong, unknown, dead, too big, too often or not ours: one and the same answer, and nothing is learnt."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.remote.agents.reports import BadReport, parse, stranger
from fleet.remote.agents.reports import Phone as Set
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import Answer, Phone, enrol, profile, serving

NOBODY = "0" * 32


def _seen(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """All that an asker learns but the time of day."""
    return answer.status, answer.body, {name: value for name, value in answer.headers.items() if name != "date"}


def test_whatever_is_wrong_has_the_same_answer(at_home: AtHome) -> None:
    phone = at_home.phone
    (app,) = phone.configuration().data["applications"]
    unknown = Phone(phone.port, NOBODY).configuration()
    assert unknown.status == 404
    other = replace(phone, secret="of-another-build")
    place = f"/rest/public/sync/configuration/{phone.number}"
    wrong = [
        phone.ask("GET", place),
        phone.ask("GET", place, headers={"X-Request-Signature": ""}),
        phone.ask("GET", place, headers={"X-Request-Signature": "é" * 20}),
        phone.ask("GET", place, headers=phone.sign(NOBODY)),
        phone.ask(
            "GET", place, headers={"X-Request-Signature": phone.sign(phone.number)["X-Request-Signature"].lower()}
        ),
        other.configuration(),
        other.configuration("POST"),
        other.poll(),
        other.poll(long=True),
        other.file(app["url"]),
        phone.file(app["url"].replace("/files/", "/files/../")),
        phone.file(app["url"][:-4] + "/../x"),
        phone.file(f"/files/{hashlib.sha256(b'what no profile names').hexdigest()}/x.apk"),
        phone.file("/files/../../etc/passwd"),
        phone.ask("GET", place.replace("/rest", "/a/b/rest"), headers=phone.sign(phone.number)),
        phone.ask("DELETE", place, headers=phone.sign(phone.number)),
        phone.ask("GET", "/"),
        phone.ask("GET", f"/message/1-1.{NOBODY}"),
        Phone(phone.port, NOBODY).info(),
        Phone(phone.port, "../../x").info(),
        Phone(phone.port, NOBODY).poll(long=True),
        phone.ask("POST", f"/rest/plugins/devicereset/public/{phone.number}", b"{}"),
        phone.ask("POST", f"/rest/plugins/devicelog/log/list/{NOBODY}", b"[]"),
    ]
    assert [_seen(one) for one in wrong] == [_seen(unknown)] * len(wrong)


def test_a_signature_is_of_one_number_and_one_purpose(at_home: AtHome) -> None:
    """One that was overheard is of no use for anything else."""
    phone = at_home.phone
    heard = phone.sign(phone.number)
    assert phone.ask("GET", f"/rest/notifications/device/{phone.number}", headers=heard).status == 404
    assert phone.ask("GET", f"/rest/public/sync/configuration/{NOBODY}", headers=heard).status == 404
    polled = phone.sign(f"/rest/notifications/device/{phone.number}")
    assert phone.ask("GET", f"/rest/notification/polling/{phone.number}", headers=polled).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"deviceId":' + b"9" * 10_000 + b"}",
        b'{"deviceId":["x"]}',
        json.dumps({"deviceId": NOBODY}).encode(),
        json.dumps({"deviceId": "\ud800'; DROP TABLE agents"}).encode(),
    ],
    ids=range(10),
)
def test_a_post_that_is_no_report_is_nothing(at_home: AtHome, body: bytes) -> None:
    answer = at_home.phone.ask("POST", "/rest/public/sync/info", body)
    assert answer.status == 404
    assert at_home.contact() is None


def test_a_report_with_fields_of_other_shapes_says_what_it_can(at_home: AtHome) -> None:
    odd: dict[str, Any] = {
        "mdmMode": "yes",
        "batteryLevel": 10**30,
        "permissions": [0, "x", None],
        "applications": {"pkg": 1},
        "files": [1, [], {"path": 7}, {"path": "a", "checksum": None}],
        "iccid": "'; --",
        "serial": "\x00\x1b[31m",
        "location": {"ts": 1e300, "lat": "x"},
        "extra": [[[[]]]],
    }
    at_home.phone.configuration()
    assert at_home.phone.info(**odd).status == 200
    row = at_home.contact()
    assert (row.owner, row.battery_level, row.iccid, row.confirmed) == (None, None, None, None)
    assert json.loads(row.missing) == ["device admin"]


def test_fifty_megabytes_are_not_taken(at_home: AtHome) -> None:
    with socket.create_connection(("127.0.0.1", at_home.port), timeout=20) as link:
        link.sendall(b"POST /rest/public/sync/info HTTP/1.1\r\nHost: x\r\nContent-Length: 52428800\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", at_home.port), timeout=20) as link:
        head = b"POST /rest/public/sync/info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        sent = 0
        try:
            link.sendall(head)
            while sent < 50 * 2**20:
                link.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                sent += 0x10000
        except OSError:
            pass
        assert sent < 40 * 2**20
    assert at_home.phone.configuration().status == 200


def test_unknown_numbers_cost_no_write(at_home: AtHome) -> None:
    before = at_home.events()
    stranger_ = Phone(at_home.port, "f" * 32)
    stranger_.configuration("POST")
    stranger_.info()
    assert at_home.contact(stranger_) is None
    assert at_home.events() == before


def test_who_tries_numbers_is_stopped_and_others_are_not(at_home: AtHome, tmp_path: Any) -> None:
    """The test's own server believes 127.0.0.1 when it says for whom it asks."""
    with serving(at_home.registry, at_home.profile, behind=("127.0.0.0/8",)) as port:

        def ask(number: str, address: str) -> int:
            return Phone(port, number).configuration(**{"X-Forwarded-For": f"203.0.113.9, {address}"}).status

        tried = [ask(f"{one:032x}", "198.51.100.7") for one in range(130)]
        assert tried[:100] == [404] * 100
        assert tried[-1] == 429
        assert ask(at_home.phone.number, "198.51.100.7") == 200, "one that lives there is answered all the same"
        assert ask(at_home.phone.number, "198.51.100.8") == 200
        assert ask(at_home.phone.number, "2001:db8::1") == 200


def test_a_phone_that_asks_without_end_is_slowed_down(at_home: AtHome) -> None:
    got = [at_home.phone.configuration().status for _ in range(140)]
    assert got[0] == 200
    assert 429 in got


def test_who_sends_half_a_header_is_let_go(at_home: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.remote.agents.server._HEADERS", 0.2)
    with socket.create_connection(("127.0.0.1", at_home.port), timeout=20) as link:
        began = time.monotonic()
        link.sendall(b"GET /health HT")
        assert link.recv(10) == b""
        assert time.monotonic() - began < 10


def test_who_sends_half_a_body_is_let_go(at_home: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.remote.agents.app._BODY", 0.2)
    with socket.create_connection(("127.0.0.1", at_home.port), timeout=20) as link:
        link.sendall(b"POST /rest/public/sync/info HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert link.recv(100).startswith(b"HTTP/1.1 413")
        while link.recv(1000):
            pass


def test_who_does_not_take_what_it_asked_for_is_let_go(
    at_home: AtHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.remote.agents.app._STALLED", 0.3)
    monkeypatch.setattr("fleet.remote.agents.server._HEADERS", 0.3)
    big = profile(tmp_path / "big", "big", "Once upon a time. " * 2_000_000)
    with serving(at_home.registry, big) as port:
        phone = Phone(port, enrol(at_home.registry, at_home.unit, big))
        (file,) = phone.configuration().data["files"]
        place = file["url"].partition("/files/")[2]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
            sign = phone.sign(place)["X-Request-Signature"]
            link.sendall(f"GET /files/{place} HTTP/1.1\r\nHost: x\r\nX-Request-Signature: {sign}\r\n\r\n".encode())
            assert link.recv(15) == b"HTTP/1.1 200 OK"
            time.sleep(1.5)
            got = 0
            with contextlib.suppress(ConnectionError):
                while piece := link.recv(2**20):
                    got += len(piece)
            assert got < 30_000_000


def test_two_phones_with_one_number_are_noticed(at_home: AtHome) -> None:
    phone = at_home.phone
    phone.carry_out(phone.configuration().data)
    phone.info(model="SM-A105F")
    assert json.loads(at_home.contact().drift) == []
    phone.info(model="Pixel 4a")
    assert json.loads(at_home.contact().drift) == ["another phone has used its number (model Pixel 4a)"]
    assert at_home.contact().confirmed is None
    phone.info(model="SM-A105F")
    row = at_home.contact()
    assert json.loads(row.drift) == ["another phone has used its number (model Pixel 4a)"]
    assert row.confirmed == at_home.profile.digest


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ({"serial": "SN1"}, ""),
        ({"serial": "sn1", "model": "Pixel 4a"}, ""),
        ({"serial": "SN2"}, "serial SN2"),
        ({"serial": "unknown", "model": "a40"}, ""),
        ({"imei": "356938035643809", "serial": "SN2"}, ""),
        ({"imei": "356938035643817"}, "IMEI 356938035643817"),
        ({}, ""),
    ],
)
def test_who_reports_is_told_apart_by_what_it_is(said: dict[str, str], who: str) -> None:
    report = parse(json.dumps({"deviceId": "x", **said}).encode())
    assert stranger(report, Set(33, "SN1", "A40", "356938035643809" if "imei" in said else "")) == who


def test_before_android_9_the_serial_may_be_the_radios() -> None:
    report = parse(b'{"deviceId":"x","serial":"R-OF-THE-RADIO","model":"A40"}')
    assert stranger(report, Set(26, "SN1", "A40", "")) == ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("model", "serial", "imei", "iccid", "mdmMode", "batteryLevel", "applications", "files", "permissions")


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(_FIELDS),
        _JSON | st.lists(st.dictionaries(st.sampled_from(("pkg", "version", "path", "checksum")), _JSON)),
    )
)
def test_any_fields_are_a_report(fields: dict[str, Any]) -> None:
    report = parse(json.dumps({"deviceId": "x", **fields}).encode())
    for text in (report.model, report.serial, *(report.apps or {}), *(report.files or {})):
        assert text is None or text.encode().decode().isprintable()
    assert report.battery_level is None or 0 <= report.battery_level <= 100


@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_none(content: bytes) -> None:
    with contextlib.suppress(BadReport):
        parse(content)
