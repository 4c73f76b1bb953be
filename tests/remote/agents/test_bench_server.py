"""The bench's own server: a phone's first questions, over its cable, before it has ever been on the internet."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from fleet.db import snapshot, transaction
from fleet.models import agent_configs, agents, events
from fleet.remote.agents import records
from fleet.remote.agents.bench_server import BenchServer as Server
from fleet.remote.agents.bench_server import bench_server, standing
from fleet.remote.agents.records import hashed
from fleet.runs import key_of
from fleet.units import Registry
from profiles.load import load
from profiles.secrets import Secrets
from provision.model import Item, Met, Outcome, Result
from provision.owned import BenchServer, Heard, Number
from tests.fleet.making import identity, report
from tests.remote.agents.at_home import unit
from tests.remote.agents.phones import READER, Phone, profile, serving


def test_a_phone_is_enrolled_answered_and_heard(registry: Registry, tmp_path: Path) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    before = set(threading.enumerate())
    with bench_server(registry) as bench:
        agent = bench.agent_for(key, wanted, 26)
        assert (agent.enrolled, agent.synced, agent.home, agent.fetched) == (False, False, False, "")
        assert agent.server is not None
        assert agent.server.port == bench.port
        number = agent.server.number()
        with snapshot(registry.engine) as conn:
            assert conn.scalar(select(agents.c.number).where(agents.c.unit == key)) == hashed(number)
        assert agent.now().enrolled
        assert not agent.now().synced
        since = time.monotonic()
        assert agent.server.wait(since, 0.05) is Heard.NOTHING
        phone = Phone(bench.port, number)
        data = phone.configuration("POST", Host="localhost:8080").data
        assert data["restrictions"] == "no_install_apps", "what the phone's API knows, and debugging goes on"
        assert data["newServerUrl"] == "http://localhost:9"
        (app,) = data["applications"]
        assert app["url"].startswith(f"http://localhost:8080/{hashed(number)}/files/")
        assert phone.file(app["url"]).body == READER.read_bytes()
        assert not agent.now().synced, "it has not told how it is"
        phone.carry_out(data)
        assert phone.info().status == 200
        assert agent.server.wait(since, 5) is Heard.TOLD
        assert agent.server.wait(time.monotonic(), 0.05) is Heard.NOTHING
        now = agent.now()
        assert (now.synced, now.home, now.fetched) == (True, False, wanted.digest)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_a_wait_ends_as_soon_as_the_phone_has_told(registry: Registry, tmp_path: Path) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        server = bench.agent_for(key, wanted, 33).server
        assert server is not None
        phone = Phone(bench.port, server.number())

        def sync() -> None:
            time.sleep(0.2)
            phone.carry_out(phone.configuration().data)
            phone.info()

        since = time.monotonic()
        asking = threading.Thread(target=sync)
        asking.start()
        assert server.wait(since, 20) is Heard.TOLD
        assert time.monotonic() - since < 15
        asking.join()


def test_a_new_number_ends_the_old_one(registry: Registry, tmp_path: Path) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        server = bench.agent_for(key, wanted, 33).server
        assert server is not None
        old, new = Phone(bench.port, server.number()), Phone(bench.port, server.number())
        assert old.configuration().status == 404
        assert new.configuration().status == 200


def test_two_profiles_at_one_bench(registry: Registry, tmp_path: Path) -> None:
    one, two = profile(tmp_path / "one", "one"), profile(tmp_path / "two", "two", "Another book.")
    with bench_server(registry) as bench:
        for number, wanted in enumerate((one, two), 1):
            server = bench.agent_for(unit(registry, number), wanted, 33).server
            assert server is not None
            phone = Phone(bench.port, server.number())
            (file,) = phone.configuration().data["files"]
            book = (tmp_path / wanted.profile / "book.txt").read_bytes()
            assert phone.file(file["url"]).body == book


def test_the_server_at_home_goes_on_from_there(registry: Registry, tmp_path: Path) -> None:
    """With the same registry nothing has to be carried anywhere; the bench's contacts are none at home."""
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        server = bench.agent_for(key, wanted, 33).server
        assert server is not None
        phone = Phone(bench.port, server.number())
        phone.configuration()
    assert not standing(registry, key, wanted).home
    with serving(registry) as port:
        at_home = Phone(port, phone.number)
        data = at_home.configuration().data
        assert "no_debugging" not in data["restrictions"]
        assert data["applications"] == [], "its bytes are not on this computer"
    assert standing(registry, key, wanted).home


def test_who_only_looks_enrols_nobody(registry: Registry, tmp_path: Path) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        agent = bench.agent_for(key, wanted, 33, enrols=False)
        assert agent.server is None
        with snapshot(registry.engine) as conn:
            assert conn.execute(select(agent_configs)).all() == []


def test_an_owner_of_ours_that_asks_no_server_is_known_by_the_last_run_that_looked(
    registry: Registry, tmp_path: Path
) -> None:
    """Not by the last run: one that the gate stopped has looked at nothing."""
    who = identity()
    key = key_of(who.platform, who.serial)
    path = tmp_path / "dpc.yaml"
    path.write_text(f"profile: dpc\nowner: {{agent: testdpc, file: {READER}}}\n")
    wanted = load(str(path), Secrets({}))
    assert not standing(registry, key, wanted).enrolled
    package = "com.afwsamples.testdpc"
    owned = Outcome(Item("owner", "owner", f"{package} owns the phone", Met("it does")), Result.VERIFIED, "it does")
    registry.record(report(who, outcomes=(owned,)), who, None)
    assert standing(registry, key, wanted).enrolled
    registry.record(report(who, outcomes=()), who, None)
    assert standing(registry, key, wanted).enrolled
    cut_off = replace(owned, result=Result.UNVERIFIED, why="the device went away", changed=True)
    registry.record(report(who, outcomes=(cut_off,)), who, None)
    assert standing(registry, key, wanted).enrolled, "it was just being made its owner"
    gone = replace(owned, result=Result.FAILED, why="nobody owns it")
    registry.record(report(who, outcomes=(gone,)), who, None)
    assert not standing(registry, key, wanted).enrolled


def on_bench(registry: Registry, bench: Server, folder: Path, book: str = "Once upon a time.") -> BenchServer:
    """For the first unit, with a profile that has this book."""
    server = bench.agent_for(unit(registry, 1), profile(folder, book=book), 33).server
    assert server is not None
    return server


def test_a_known_number_is_answered_with_another_profile_once_it_is_set_up_with_it(
    registry: Registry, tmp_path: Path
) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        first = bench.agent_for(key, wanted, 33)
        assert first.server is not None
        phone = Phone(bench.port, first.server.number())
        (before,) = phone.configuration().data["files"]
        phone.info()
        changed = profile(tmp_path / "changed", book="And they lived happily.")
        second = bench.agent_for(key, changed, 33)
        assert second.server is not None
        assert second.number is Number.HEARD

        since = time.monotonic()
        phone.configuration()
        phone.info()
        assert second.server.wait(since, 0.05) is Heard.NOTHING, "that was the profile of before"
        time.sleep(0.01)
        second.server.renew()
        (after,) = phone.configuration().data["files"]
        assert not second.now().synced, "it told before it was answered"
        phone.info()

        assert second.server.wait(since, 5) is Heard.TOLD
        assert (second.now().synced, second.now().fetched) == (True, changed.digest)
        assert after["lastUpdate"] > before["lastUpdate"], "agents go by that in what they fetch again"
        with snapshot(registry.engine) as conn:
            renewed = select(events.c.seq).where(events.c.kind == "agent.renewed")
            assert len(conn.execute(renewed).all()) == 1
        second.server.renew()
        with snapshot(registry.engine) as conn:
            assert len(conn.execute(renewed).all()) == 1, "it is set up so already"


def test_an_agent_with_another_secret_is_told_apart_from_a_silent_one(registry: Registry, tmp_path: Path) -> None:
    with bench_server(registry) as bench:
        server = on_bench(registry, bench, tmp_path)
        since = time.monotonic()
        assert Phone(bench.port, server.number(), secret="another").configuration().status == 404
        begun = time.monotonic()
        assert server.wait(since, 20) is Heard.MISSIGNED
        assert time.monotonic() - begun < 10, "there is nothing to wait for"


def test_what_was_told_before_the_answer_or_before_the_last_file_does_not_count(
    registry: Registry, tmp_path: Path
) -> None:
    with bench_server(registry) as bench:
        server = on_bench(registry, bench, tmp_path)
        since = time.monotonic()
        phone = Phone(bench.port, server.number())
        phone.info()
        data = phone.configuration().data
        assert server.wait(since, 0.3) is Heard.ANSWERED
        phone.info()
        (file,) = data["files"]
        assert phone.file(file["url"]).status == 200
        end = time.monotonic() + 30
        while (heard := server.wait(since, 1)) is Heard.FETCHING:
            assert time.monotonic() < end, "it fetches nothing any more"
        assert heard is Heard.ANSWERED, "it told, and went on"
        phone.info()
        assert server.wait(since, 5) is Heard.TOLD


def test_who_fetches_is_waited_for_and_not_mixed_up_with_others(registry: Registry, tmp_path: Path) -> None:
    with bench_server(registry) as bench:
        servers = [bench.agent_for(unit(registry, one), profile(tmp_path), 33).server for one in (1, 2)]
        since = time.monotonic()
        phones = [Phone(bench.port, server.number()) for server in servers if server]
        answers = [phone.configuration().data for phone in phones]
        ended = threading.Event()

        def fetch() -> None:
            while not ended.wait(0.02):
                phones[0].file(answers[0]["applications"][0]["url"])

        fetching = threading.Thread(target=fetch)
        fetching.start()
        try:
            first, second = (server.wait(since, 1) for server in servers if server)
        finally:
            ended.set()
            fetching.join()
        assert (first, second) == (Heard.FETCHING, Heard.ANSWERED)


def test_a_unit_whose_number_ended_has_had_one(registry: Registry, tmp_path: Path) -> None:
    wanted, key = profile(tmp_path), unit(registry, 1)
    assert standing(registry, key, wanted).number is Number.NONE
    with bench_server(registry) as bench:
        agent = bench.agent_for(key, wanted, 33)
        assert agent.server is not None
        phone = Phone(bench.port, agent.server.number())
        assert agent.now().number is Number.GIVEN
        phone.configuration()
        assert agent.now().number is Number.HEARD
        with transaction(registry.engine) as conn:
            records.end(conn, registry.ledger, key, "came back")
        assert agent.now().number is Number.ENDED


def test_phones_with_dead_numbers_keep_no_other_phone_of_the_bench_waiting(registry: Registry, tmp_path: Path) -> None:
    """All of them come from one address."""
    wanted, key = profile(tmp_path), unit(registry, 1)
    with bench_server(registry) as bench:
        server = bench.agent_for(key, wanted, 33).server
        assert server is not None
        number = server.number()
        strangers = (Phone(bench.port, f"{other:032x}") for other in range(130))
        assert {one.configuration().status for one in strangers} == {404}
        assert Phone(bench.port, number).configuration("POST", Host="localhost:8080").status == 200
