"""Benches that were offline are joined: each registry comes to the same, whoever merges what when."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, StaticPool, Table, UniqueConstraint, create_engine, insert, select

from fleet import ledger_differ
from fleet.db import database_of, snapshot, transaction, writing
from fleet.home import Bench, Home
from fleet.ledger import Happening, Ledger, Verified, chain_ends, verify
from fleet.ledger_export import export
from fleet.ledger_merge import Merged, merge
from fleet.ledger_replay import replay
from fleet.models import (
    OF_NO_SUBJECT,
    PROJECTIONS,
    events,
    health,
    health_now,
    metadata,
    students,
    tag_series,
    units,
    vault,
)
from fleet.units import Registry, open_registry
from tests.fleet.making import identity, report, tables, ticking
from tests.fleet.test_ledger_many import received, student

NOW = "2025-03-02T08:00:00.000Z"


@dataclass
class Side:
    """One bench with a registry of its own."""

    engine: Engine
    ledger: Ledger

    def write(self, happened: Happening) -> None:
        with self.engine.begin() as conn:
            self.ledger.append(conn, *happened)

    def export(self, path: Path, **how: Any) -> Path:
        with self.engine.connect() as conn:
            export(conn, path, NOW, **how)
        return path

    def merge(self, *paths: Path) -> Merged:
        with self.engine.begin() as conn:
            return merge(conn, paths, NOW)

    def tables(self) -> Mapping[str, Any]:
        with self.engine.connect() as conn:
            assert isinstance(verify(conn), Verified)
            found = tables(conn)
            assert found == replayed(conn)
            return found


def replayed(source: Connection) -> Mapping[str, Any]:
    """The tables as the ledger alone gives them."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as target:
        replay(source, target)
        rebuilt = tables(target)
    engine.dispose()
    return rebuilt


def side(name: str, clock: Any = None) -> Side:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    return Side(engine, Ledger(Bench(name * 8, f"bench {name}"), "lan", clock or ticking()))


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    """Two benches; the clock of the second is two hours ahead."""
    both = side("a"), side("b", ticking("2025-03-01T10:00:00.000Z"))
    yield both
    for one in both:
        one.engine.dispose()


def custody(name: str, step: str, **more: Any) -> Happening:
    return "unit.custody", f"android:{name}", {"v": 1, "step": step, "place": "P", **more}


HANDED: dict[str, Any] = {"student": "S1", "taken_by": "guardian", "kit": {"charger": 1}, "condition": "good"}


def test_each_has_what_the_other_had(sides: tuple[Side, Side], tmp_path: Path) -> None:
    one, other = sides
    one.write(received("A"))
    other.write(received("B"))
    first, second = one.export(tmp_path / "one"), other.export(tmp_path / "other")
    assert one.merge(second) == Merged(events=2, benches=("bench b (bbbbbbbb)",))
    other.merge(first)
    assert one.tables() == other.tables()
    assert len(one.tables()["units"]) == 2


def test_again_does_nothing(sides: tuple[Side, Side], tmp_path: Path) -> None:
    one, other = sides
    one.write(received("A"))
    other.write(received("A", place="Q"))
    path = other.export(tmp_path / "other")
    assert (one.merge(path).events, one.merge(path).events, one.merge(path, path).known) == (2, 0, 4)
    before = one.tables()
    one.merge(one.export(tmp_path / "own"))
    assert one.tables() == before


def test_what_comes_late_is_put_where_it_belongs(sides: tuple[Side, Side], tmp_path: Path) -> None:
    """The bench that was offline handed the unit over before the other one lost it."""
    one, other = sides
    for each in sides:
        each.write(received("A"))
    one.write(custody("A", "hand_over", state="with_student", **HANDED))
    other.write(custody("A", "lose", state="lost", student="S1", search="asked", evidence="none"))
    other.merge(one.export(tmp_path / "one"))
    found = other.tables()
    assert [row[2] for row in found["acceptances"]] == ["S1"]
    assert [row[1] for row in found["custody"]] == ["lost"]
    one.merge(other.export(tmp_path / "other"))
    assert one.tables() == found


def test_one_tag_twice_is_kept_and_told(sides: tuple[Side, Side], tmp_path: Path) -> None:
    one, other = sides
    for each, name in zip(sides, "AB", strict=True):
        each.write(received(name))
        each.write(("unit.tagged", f"android:{name}", {"v": 1, "tag": "HN-0007", "was": None}))
    found = one.merge(other.export(tmp_path / "other"))
    assert found.twice == ("The tag HN-0007 is that of android:A and android:B.",)
    with one.engine.connect() as conn:
        assert conn.scalar(select(tag_series.c.last)) == 7
    other.merge(one.export(tmp_path / "one"))
    assert one.tables() == other.tables()


def _tagged(name: str, tag: str) -> Happening:
    return "unit.tagged", f"android:{name}", {"v": 1, "tag": tag, "was": None}


def _donor(name: str) -> Happening:
    return "batch.set", "B1", {"v": 1, "donor": name, "announced": None}


def _place(kind: str) -> Happening:
    return "place.set", "STORE", {"v": 1, "name": "", "kind": kind, "area": ""}


def test_what_benches_said_differently_is_told_once(sides: tuple[Side, Side], tmp_path: Path) -> None:
    """The second bench is two hours ahead, so its word is the later one."""
    one, other = sides
    for what in (_place("store"), _donor("D"), received("A")):
        one.write(what)
    one.write(_tagged("A", "T-0001"))
    for what in (_place("school"), _donor("E"), received("B")):
        other.write(what)
    other.write(_tagged("B", "T-0001"))
    other.write(received("A", batch="B2"))
    other.write(_tagged("A", "T-0002"))
    told = (
        "android:A was received with B1 and B2; with B2 now.",
        "The place STORE was said to be of kind store and school; of kind school now.",
        "The batch B1 was said to be of donor D and E; of E now.",
        "The label T-0001 was that of android:A, now T-0002, and means android:B now.",
    )
    files = one.export(tmp_path / "one"), other.export(tmp_path / "other")
    found = one.merge(files[1])
    assert (found.differ, found.twice) == (told, ())
    assert one.merge(files[1]).differ == ()
    assert other.merge(files[0]).differ == told
    third = side("c")
    assert third.merge(*files).differ == told
    one.write(_place("school"))
    assert third.merge(one.export(tmp_path / "again")).differ == ()
    with snapshot(third.engine) as conn:  # by now they agree on the place; the rest stays until they do
        assert ledger_differ.told(conn, {}, chain_ends(conn)) == (told[0], *told[2:])
    third.engine.dispose()


def test_many_that_differ_are_counted(sides: tuple[Side, Side], tmp_path: Path) -> None:
    one, other = sides
    for number in range(13):
        one.write(received(f"A{number:02}"))
        other.write(received(f"A{number:02}", batch="B2"))
        one.write(received(f"C{number:02}"))
    found = one.merge(other.export(tmp_path / "other")).differ
    assert (len(found), found[-1]) == (11, "And 3 more such.")


def test_since(sides: tuple[Side, Side], tmp_path: Path) -> None:
    one, other = sides
    for number in range(5):
        one.write(received(str(number)))
    other.merge(one.export(tmp_path / "all"))
    one.write(received("new"))
    with one.engine.connect() as conn:
        last = conn.scalar(select(events.c.at).order_by(events.c.seq.desc()))
    path = one.export(tmp_path / "news", since=last)
    assert len(path.read_bytes().splitlines()) == 3
    assert other.merge(path) == Merged(events=1, benches=("bench a (aaaaaaaa)",))
    assert other.tables() == one.tables()


@pytest.mark.parametrize(
    "table", [table for table in PROJECTIONS if table not in OF_NO_SUBJECT], ids=lambda table: table.name
)
def test_no_row_stands_in_the_way_of_another_subjects(table: Table) -> None:
    """Else the order in which benches merge would decide: keys begin with the subject, nothing else is unique."""
    subject = next(iter(table.primary_key))
    assert [one.parent.name for one in table.foreign_keys] in ([], [subject.name])
    assert not [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    assert not [index for index in table.indexes if index.unique]


_KEYS = st.sampled_from("ABC")
_HAPPENED = st.one_of(
    st.builds(lambda key, place: received(key, place=place), _KEYS, st.sampled_from("PQ")),
    st.builds(lambda key, grade: student(key, grade=grade), _KEYS, st.sampled_from("12")),
    st.builds(lambda key: ("student.forgotten", f"S{key}", {"v": 1}), _KEYS),
    st.builds(
        lambda key, tag: ("unit.tagged", f"android:{key}", {"v": 1, "tag": tag, "was": None}),
        _KEYS,
        st.sampled_from(["A-0001", "A-0009", "LAB"]),
    ),
    st.builds(lambda key: custody(key, "hand_over", state="with_student", **HANDED), _KEYS),
    st.builds(lambda key: custody(key, "return", state="stock", kit={}, condition="worn"), _KEYS),
    st.builds(lambda key, there: ("unit.counted", f"android:{key}", _counted(there)), _KEYS, st.booleans()),
)
_DONE = st.lists(
    st.one_of(st.tuples(st.integers(0, 2), _HAPPENED), st.tuples(st.integers(0, 2), st.integers(0, 2))), max_size=25
)


def _counted(there: bool) -> dict[str, Any]:
    return {"v": 1, "place": "P", "there": there, "found": there}


@pytest.mark.slow
@settings(max_examples=20)
@given(done=_DONE, leaps=st.lists(st.integers(-5000, 5000), max_size=60), seed=st.randoms(use_true_random=False))
def test_whoever_merges_what_when(done: list[tuple[int, Any]], leaps: list[int], seed: random.Random) -> None:
    """Three benches whose clocks leap write of the same units, and take over each other's files now and then."""
    names = "abc"
    all_three = [side(name, ticking(seconds=leaps[place::3])) for place, name in enumerate(names)]
    with tempfile.TemporaryDirectory() as folder:
        for key in "ABC":
            all_three[0].write(received(key))
            all_three[0].write(student(key))
        start = all_three[0].export(Path(folder) / "start")
        for one in all_three:
            one.merge(start)
        for number, (who, what) in enumerate(done):
            if isinstance(what, int):
                all_three[who].merge(all_three[what].export(Path(folder) / str(number)))
            else:
                all_three[who].write(what)
        files = [one.export(Path(folder) / f"last {name}") for name, one in zip(names, all_three, strict=True)]
        for one in all_three:
            one.merge(*seed.sample(files, 3))
    found = [one.tables() for one in all_three]
    for one in all_three:
        one.engine.dispose()
    assert found[0] == found[1] == found[2]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Registry]:
    """Another bench with a registry of its own, whose clock goes an hour ahead."""
    home = Home(tmp_path / "elsewhere")
    url = f"sqlite:///{home.database_file}"
    with open_registry(home, url, "minh", clock=ticking("2025-03-01T09:00:00.000Z")) as opened:
        yield opened


def handed_on(source: Registry, target: Registry, path: Path, **how: Any) -> Merged:
    with snapshot(source.engine) as conn:
        export(conn, path, NOW, **how)
    with transaction(target.engine) as conn:
        return merge(conn, [path], NOW)


def test_health_travels(registry: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    registry.record(report())
    elsewhere.record(report(ended="2025-03-01T09:30:00.000Z"))
    found = handed_on(elsewhere, registry, tmp_path / "file")
    assert (found.health, found.names) == (1, 0)
    with snapshot(registry.engine) as conn:
        readings = conn.execute(select(health).order_by(health.c.at)).all()
        newest = conn.execute(select(health_now)).one()
        assert [row.at for row in readings] == ["2025-03-01T08:01:00.000Z", "2025-03-01T09:30:00.000Z"]
        assert newest._asdict() == {**readings[1]._asdict(), "state": "at_bench"}
        assert newest.battery_temperature == 25.5
        assert newest.bench == elsewhere.ledger.bench.id
    assert handed_on(elsewhere, registry, tmp_path / "again").health == 0


def _sealed(registry: Registry, name: str, secret: bytes, mark: str = "1") -> None:
    with transaction(registry.engine) as conn:
        registry.ledger.append(conn, *student(name))
        conn.execute(insert(vault).values(student=f"S{name}", sealed=secret, mark=mark))


def people(registry: Registry) -> dict[str, bytes]:
    with snapshot(registry.engine) as conn:
        return {row.student: bytes(row.sealed) for row in conn.execute(select(vault))}


def test_names_travel_only_when_asked_and_encrypted(registry: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    _sealed(elsewhere, "1", b"\x00\xffsealed")
    assert handed_on(elsewhere, registry, tmp_path / "without").names == 0
    assert people(registry) == {}
    assert b"AP9zZWFsZWQ" not in (tmp_path / "without").read_bytes()
    assert handed_on(elsewhere, registry, tmp_path / "with", names=True).names == 1
    assert people(registry) == {"S1": b"\x00\xffsealed"}
    assert (tmp_path / "with").stat().st_mode & 0o077 == 0


def test_names_are_those_of_the_newest_event(registry: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    _sealed(registry, "1", b"old", "1")
    _sealed(elsewhere, "1", b"new", "2")
    assert handed_on(registry, elsewhere, tmp_path / "old", names=True).names == 0
    assert people(elsewhere) == {"S1": b"new"}
    assert handed_on(elsewhere, registry, tmp_path / "new", names=True).names == 1
    assert people(registry) == {"S1": b"new"}


def test_who_was_forgotten_stays_forgotten(registry: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    _sealed(registry, "1", b"name")
    handed_on(registry, elsewhere, tmp_path / "one", names=True)
    with transaction(elsewhere.engine) as conn:
        elsewhere.ledger.append(conn, "student.forgotten", "S1", {"v": 1})
        conn.execute(vault.delete())
    handed_on(registry, elsewhere, tmp_path / "two", names=True)
    assert people(elsewhere) == {}
    handed_on(elsewhere, registry, tmp_path / "three")
    assert people(registry) == {}
    with snapshot(registry.engine) as conn:
        assert conn.scalar(select(students.c.state)) == "forgotten"


def test_many_events_of_many_units(registry: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    """More than are in memory at once, with a few that both have."""
    for each, first in ((registry, 0), (elsewhere, 5100)):
        with transaction(each.engine) as conn:
            each.ledger.append_many(conn, (received(str(number)) for number in range(first, first + 5200)))
    found = handed_on(elsewhere, registry, tmp_path / "file")
    assert found.events == 5201
    with snapshot(registry.engine) as conn:
        assert len(conn.execute(select(units.c.key)).all()) == 10_300
        assert isinstance(verify(conn), Verified)
        assert tables(conn) == replayed(conn)


def test_a_merge_into_a_registry_that_was_never_made(elsewhere: Registry, home: Home, tmp_path: Path) -> None:
    elsewhere.unit_for(identity(), tag_prefix="A")
    with snapshot(elsewhere.engine) as conn:
        export(conn, tmp_path / "file", NOW)
    with writing(database_of(None, home)) as engine, transaction(engine) as conn:
        assert merge(conn, [tmp_path / "file"], NOW).events == 3
        assert tables(conn) == replayed(conn)
