"""What is too heavy for a SIM waits for Wi-Fi, with all that the phone is still to fetch; its restrictions do not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.db import snapshot, transaction
from fleet.remote.agents import fetching, records, reports, stands
from fleet.remote.agents.answers import news
from fleet.remote.agents.bench_server import bench_server
from fleet.remote.agents.chosen import chosen
from fleet.remote.agents.gate import Wave
from fleet.remote.agents.reading import Known
from fleet.remote.agents.stamps import History
from fleet.remote.waves import kept
from fleet.units import Registry
from fleet.values import Json
from profiles.load import load
from profiles.schema import Profile
from profiles.secrets import Secrets
from provision.virtual.android.headwind.memory import DEFAULT_SECRET
from tests.benches import Bench
from tests.fleet.making import SQLITE
from tests.remote.agents.at_home import begun, of_today, release, unit
from tests.remote.agents.conftest import AtHome
from tests.remote.agents.phones import Phone, enrol, profile, serving
from tests.virtual import enrolled as virtual
from tests.virtual.conftest import Adb

HEAVY = "x" * 9_000
BOOK = "file Learning/book.txt"


@pytest.fixture(autouse=True)
def _little_is_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app of the profile is, too; the bench brought it."""
    monkeypatch.setattr("fleet.remote.agents.quota._UNKNOWN", 8_000)


@dataclass
class Pushing:
    """Profiles that are pushed one after another to the unit, and the server."""

    at_home: AtHome
    phone: Phone

    def push(self, wanted: Profile) -> None:
        with snapshot(self.at_home.registry.engine) as conn:
            number = sum(1 for _ in kept.every(conn, kept.Via.AGENT)) + 1
        release(self.at_home.registry, number, {"small": wanted.digest})
        begun(self.at_home.registry, number, {"small": wanted.digest})

    def told(self, wanted: Profile) -> str:
        """What the phone is told of its downloads, once it is given this one."""
        end = time.monotonic() + 10
        data = self.phone.configuration().data
        while self.at_home.contact().fetched != wanted.digest:
            assert time.monotonic() < end
            time.sleep(0.05)
            data = self.phone.configuration().data
        assert (len(data["applications"]), len(data["files"])) == (1, 1), "everything is named"
        return str(data["downloadUpdates"])

    def carry_out(self) -> None:
        self.phone.carry_out(self.phone.configuration().data)
        self.phone.info()


@contextmanager
def _pushing(at_home: AtHome, *profiles: Profile) -> Iterator[Pushing]:
    with serving(at_home.registry, at_home.profile, *profiles) as port:
        yield Pushing(at_home, Phone(port, at_home.phone.number))


def test_a_phone_waits_until_it_told_that_the_heavy_one_is_there(at_home: AtHome, tmp_path: Path) -> None:
    book, page = profile(tmp_path / "1", book=HEAVY), profile(tmp_path / "2", book="A page.")
    with _pushing(at_home, book, page) as it:
        assert it.told(at_home.profile) == "UNLIMITED", "the bench brought all of it"
        it.carry_out()
        had = dict(it.phone.said)
        it.push(book)
        assert it.told(book) == "wifi"
        it.phone.said = had
        it.phone.info()
        row = at_home.contact()
        assert (row.confirmed, json.loads(row.drift)) == (None, [f"waits for Wi-Fi: {BOOK} is another one"])
        assert it.told(book) == "wifi", "that it was given it is not that it has it"
        it.carry_out()
        assert at_home.contact().confirmed == book.digest
        assert it.told(book) == "UNLIMITED"
        it.push(page)
        assert it.told(page) == "UNLIMITED", "what is heavy is there, and what is not is light"


def test_a_phone_that_waits_goes_on_waiting_under_another_push(at_home: AtHome, tmp_path: Path) -> None:
    book = profile(tmp_path / "1", book=HEAVY)
    ruled = profile(tmp_path / "2", book=HEAVY)
    ruled = load(_with(tmp_path / "2" / "small.yaml", "install_apps: deny", "install_apps: deny, sms: deny"), _SECRETS)
    with _pushing(at_home, book, ruled) as it:
        assert it.told(at_home.profile) == "UNLIMITED"
        it.carry_out()
        for wanted in (book, ruled):
            it.push(wanted)
            assert it.told(wanted) == "wifi"
            it.phone.info()


@pytest.mark.parametrize(("quota", "said"), [("4 GB/day", "UNLIMITED"), ("20 kB/day", "wifi"), ("", "wifi")])
def test_it_goes_by_the_quota_of_its_sim(at_home: AtHome, tmp_path: Path, quota: str, said: str) -> None:
    fields: dict[str, Json] = {"carrier": "viettel", "quota": quota, "days": 90, "state": "in_use"}
    with transaction(at_home.registry.engine) as conn:
        body: dict[str, Json] = {"v": 1, "step": "receive", "fields": {**fields, "unit": at_home.unit}}
        at_home.registry.ledger.append(conn, "sim.set", "8984048000012345671", body)
    book = profile(tmp_path / "1", book=HEAVY)
    with _pushing(at_home, book) as it:
        it.push(book)
        assert it.told(book) == said


def test_without_the_profile_of_the_bench_everything_counts(at_home: AtHome) -> None:
    wanted = {"small": at_home.profile.digest}
    told = {"agent": "headwind", "profile": "small", "digest": "of another bench", "server": "http://localhost:9"}
    with transaction(at_home.registry.engine) as conn:
        number = records.enrol(conn, at_home.registry.ledger, at_home.unit, **told)
    release(at_home.registry, 1, wanted)
    begun(at_home.registry, 1, wanted)
    phone, end = Phone(at_home.port, number), time.monotonic() + 10
    while (answer := phone.configuration()).status == 503:  # it does not stand for the server yet
        assert time.monotonic() < end
        time.sleep(0.05)
    assert answer.data["downloadUpdates"] == "wifi"


def _lost_all(phone: Phone) -> str:
    """What it is told of its downloads when its agent told that nothing of it is there."""
    phone.configuration()
    phone.info(applications=[], files=[])
    return str(phone.configuration().data["downloadUpdates"])


def test_what_the_bench_brought_and_is_gone_is_fetched_by_wifi(at_home: AtHome) -> None:
    assert _lost_all(at_home.phone) == "wifi"


def test_at_a_bench_nothing_waits(registry: Registry, tmp_path: Path) -> None:
    with bench_server(registry) as server:
        agent = server.agent_for(unit(registry, 1), profile(tmp_path), 33)
        assert agent.server is not None
        assert _lost_all(Phone(server.port, agent.server.number())) == "UNLIMITED"


# What is known of a phone ------------------------------------------------------------------------------------------

_EARLIER, _LATER = "2026-05-01T08:00:00.000Z", "2026-05-01T09:00:00.000Z"
_NEW = Known(
    number="its number",
    unit="android:SN1",
    enrolled="a",
    enrolled_at="2026-05-01T07:00:00.000Z",
    wanted="abc",
    history=History("a", "small", 0, 0),
    phone=reports.Phone(33, "", "", ""),
    seen_at="",
    home_at=None,
    fetched=None,
    fetched_at="",
    confirmed=None,
    told_at="",
    told=(),
    drift=(),
    orders=(),
    quota=None,
)
"""Set up with ``a``; ``abc`` is wanted of it."""


def _document(*contents: str) -> dict[str, Any]:
    """Files, each named by a letter."""
    files = [{"path": one, "sha256": f"of {one}", "md5": f"{one}", "size": 9_000} for one in contents]
    return {"digest": "".join(contents), "apps": [], "files": files}


@pytest.mark.parametrize(
    ("known", "counted", "left"),
    [
        ({}, "a", "bc"),  # it never came
        ({"fetched": "abc", "fetched_at": _LATER}, "a", "bc"),  # it has not told yet
        ({"fetched": "abc", "fetched_at": _LATER, "confirmed": "ab", "told_at": _EARLIER}, "ab", "c"),
        ({"fetched": "abc", "fetched_at": _EARLIER, "confirmed": "abc", "told_at": _EARLIER}, "abc", ""),
        ({"fetched": "abc", "fetched_at": _EARLIER, "told_at": _LATER, "drift": ("file b is not there",)}, "abc", "b"),
        ({"fetched": "ab", "fetched_at": _EARLIER, "told_at": _LATER, "drift": ("file b is another one",)}, "ab", "bc"),
        ({"fetched": "abc", "fetched_at": _EARLIER, "told_at": _LATER, "drift": ("and 3 more",)}, "abc", "abc"),
        ({"fetched": "abc", "fetched_at": _EARLIER, "told_at": _LATER}, "a", "bc"),  # it told nothing of files
    ],
)
def test_what_is_left_goes_by_what_the_phone_told(known: Mapping[str, Any], counted: str, left: str) -> None:
    it = replace(_NEW, **known)
    assert fetching.counted_from(it) == counted
    assert fetching.left(it, _document(*"abc"), _document(*counted)) == {f"of {one}" for one in left}
    assert fetching.left(it, _document(*"abc"), None) == {"of a", "of b", "of c"}


_NAMES = st.text(st.sampled_from("ab .is/é\n"), min_size=1, max_size=12)


@settings(max_examples=150)
@given(
    apps=st.dictionaries(st.sampled_from(["org.a", "org.a.b", "is.not.there"]), st.sampled_from(["1", "2"])),
    files=st.dictionaries(_NAMES, st.sampled_from("12"), max_size=30),
    wanted=st.dictionaries(_NAMES, st.sampled_from("12"), max_size=30),
    waits=st.booleans(),
)
def test_what_differs_can_be_read_from_the_texts_of_it(
    apps: dict[str, str], files: dict[str, str], wanted: dict[str, str], waits: bool
) -> None:
    said = {
        "deviceId": "1",
        "applications": [{"pkg": name, "version": version} for name, version in apps.items()],
        "files": [{"path": name, "checksum": md5} for name, md5 in files.items()],
    }
    report = reports.parse(json.dumps(said).encode())
    document = {
        "apps": [{"pkg": name, "version": "1", "sha256": f"app {name}", "size": 1} for name in ("org.a", "org.b")],
        "files": [{"path": name, "md5": md5, "sha256": f"file {name}", "size": 1} for name, md5 in wanted.items()],
    }
    texts = reports.differs(report, document, lambda _: waits)
    assert texts is not None
    found = reports.lacking(texts, document)
    assert report.apps is not None
    assert report.files is not None
    differing = {f"app {name}" for name in ("org.a", "org.b") if report.apps.get(name) not in ("1", "2")}
    differing |= {f"file {name}" for name, md5 in wanted.items() if report.files.get(name) != md5}
    assert found >= differing
    assert bool(found) == bool(differing)


def test_where_one_waits_all_wait() -> None:
    report = reports.parse(b'{"deviceId":"1","applications":[],"files":[]}')
    document = {
        "apps": [{"pkg": "org.big", "version": "2", "size": 9_000}, {"pkg": "org.small", "version": "2", "size": 1}],
        "files": [],
    }
    said = reports.differs(report, document, lambda size: size > 8_000)
    assert said == ("waits for Wi-Fi: app org.big is not there", "waits for Wi-Fi: app org.small is not there")
    document["apps"] = document["apps"][1:]
    assert reports.differs(report, document, lambda size: size > 8_000) == ("app org.small is not there",)


def test_what_is_newer_on_the_phone_is_not_waited_for() -> None:
    """No agent puts an older app in the place of a newer one: that is told as what it is."""
    said = [{"pkg": "org.big", "version": "1.10 b"}, {"pkg": "org.small", "version": "1.9"}]
    report = reports.parse(json.dumps({"deviceId": "1", "applications": said, "files": []}).encode())
    sizes = {"org.big": 9_000, "org.small": 1}
    apps = [{"pkg": name, "version": "1.9.1", "size": size, "sha256": name} for name, size in sizes.items()]
    texts = reports.differs(report, {"apps": apps, "files": []}, lambda size: size > 8_000)
    assert texts == ("app org.big is 1.10 b, which is newer than 1.9.1", "app org.small is 1.9, not 1.9.1")
    assert reports.lacking(texts, {"apps": apps, "files": []}) == {"org.small"}


@pytest.mark.parametrize(
    ("fetched", "told", "tells"),
    [("03:00", "04:30", True), ("04:00", "04:30", False), ("01:00", "02:59", False)],
)
def test_who_has_not_carried_it_out_is_told_to_ask_again_after_two_hours(fetched: str, told: str, tells: bool) -> None:
    at = "2026-05-01T{}:00.000Z".format
    known = replace(_NEW, fetched="abc", fetched_at=at(fetched), told_at=at(told))
    assert news(known, at("05:01")) is tells
    assert not news(replace(known, confirmed="abc"), at("05:01"))


# A virtual phone ---------------------------------------------------------------------------------------------------

_SECRETS = Secrets({"FLEET_SECRET_AGENT": DEFAULT_SECRET})


def _with(file: Path, old: str, new: str) -> str:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return str(file)


def _small(folder: Path, rules: str, book: str) -> Profile:
    profile(folder, book=book)
    return load(_with(folder / "small.yaml", "install_apps: deny", rules), _SECRETS)


def _wave(registry: Registry) -> Wave:
    with snapshot(registry.engine) as conn:
        push = kept.one_of(conn, "")
        (wave,) = stands.waves_of(conn, push, chosen(conn, registry.home, push), datetime.now(UTC))
    return wave


@SQLITE
def test_a_phone_on_mobile_data_is_restricted_and_gets_its_book_by_wifi(
    registry: Registry, tmp_path: Path, virtual_bench: Any, adb_binary: str
) -> None:
    today = of_today(registry)
    key = unit(today, 1, model="Pixel 6a")
    one = _small(tmp_path / "1", "install_apps: deny", "An old book.")
    two = _small(tmp_path / "2", "install_apps: deny, sms: deny", HEAVY)
    number = enrol(today, key, one)
    bench: Bench = virtual_bench({"devices": [{"preset": "pixel-13", "state": virtual.OWNED}]})
    phone = virtual.Phone(bench, bench.devices[0], Adb(adb_binary, bench.port, bench.devices[0].address))
    with serving(today, one, two, secrets={"FLEET_SECRET_AGENT": DEFAULT_SECRET}) as port:
        at_home = AtHome(today, key, one, Phone(port, number), port)
        phone.adb.ok("reverse", "tcp:9", f"tcp:{port}")
        phone.enrol(port, DEVICE_ID=number, BASE_URL="http://localhost:9")
        phone.until(lambda state: state["agent"]["reports"])
        assert at_home.contact().confirmed == one.digest
        phone.order(do="internet", network="mobile")
        release(today, 1, {"small": two.digest})
        begun(today, 1, {"small": two.digest})

        phone.until(lambda state: "no_sms" in state["policy_restrictions"])
        state = phone.update()
        assert state["policy_restrictions"] == ["no_install_apps", "no_sms"]
        assert _book(phone) == "An old book."
        row = at_home.contact()
        assert (row.fetched, row.confirmed) == (two.digest, None)
        assert json.loads(row.drift) == [f"waits for Wi-Fi: {BOOK} is another one"]
        wave = _wave(today)
        assert (wave.fetched, wave.confirmed, wave.failed) == (1, 0, 0)

        phone.order(do="internet", network="wifi")
        phone.update()
        assert _book(phone) == HEAVY
        assert at_home.contact().confirmed == two.digest
        assert _wave(today).confirmed == 1


def _book(phone: virtual.Phone) -> str:
    return phone.adb.ok("shell", "cat /sdcard/Learning/book.txt").decode()
