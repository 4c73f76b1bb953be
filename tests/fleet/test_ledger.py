from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import text

from fleet.db import snapshot, transaction
from fleet.errors import RegistryError
from fleet.ledger import Broken, Verified, verify
from fleet.units import Registry
from fleet.values import Event, canonical
from tests.fleet.making import SQLITE, identity, report


@pytest.fixture
def told(registry: Registry) -> Registry:
    """A ledger of ten events: the bench, and three units with tag and run."""
    for number in range(3):
        who = identity(f"S{number}")
        registry.unit_for(who, tag_prefix="A")
        registry.record(report(who))
    return registry


def check(registry: Registry) -> Verified | Broken:
    with snapshot(registry.engine) as conn:
        return verify(conn)


def spoil(registry: Registry, *statements: str) -> None:
    with transaction(registry.engine) as conn:
        for statement in statements:
            conn.execute(text(statement))


def test_whole_ledger(told: Registry) -> None:
    found = check(told)
    assert isinstance(found, Verified)
    assert found.events == 10
    assert [(end.bench, end.seq) for end in found.ends] == [(told.ledger.bench.id, 10)]


def test_empty_ledger_is_whole(registry: Registry) -> None:
    assert check(registry) == Verified(0, ())


def test_hash_is_that_of_canonical_json(told: Registry) -> None:
    with snapshot(told.engine) as conn:
        rows = conn.execute(text("SELECT * FROM events ORDER BY seq")).mappings().all()
    prev = ""
    for row in rows:
        event = {**row, "body": json.loads(row["body"])}
        stored = event.pop("hash")
        whole = json.dumps(event, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(whole.encode()).hexdigest() == stored
        assert event["prev"] == prev
        assert "v" in event["body"]
        prev = stored


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE events SET body = replace(body, 'partial', 'verified') WHERE seq = 7", 7, "was changed"),
        ("UPDATE events SET actor = 'nobody' WHERE seq = 4", 4, "was changed"),
        ("UPDATE events SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 1", 1, "was changed"),
        ("UPDATE events SET body = ' ' || body WHERE seq = 4", 4, "was changed"),
        ("UPDATE events SET hash = 'f' WHERE seq = 5", 5, "was changed"),
        ("UPDATE events SET prev = 'f' WHERE seq = 5", 5, "does not follow event 4"),
        ("DELETE FROM events WHERE seq = 6", 6, "is missing"),
        ("DELETE FROM events WHERE seq = 1", 1, "is missing"),
        ("DELETE FROM events WHERE seq > 8", 9, "is missing, and all after it; the chain ended at 10"),
        ("DELETE FROM events", 1, "is missing, and all after it"),
        ("DELETE FROM chains", 10, "never began"),
        ("UPDATE chains SET hash = 'f'", 10, "is not the end that was noted"),
    ],
)
def test_tampering_is_found_and_its_place_named(told: Registry, statement: str, seq: int, why: str) -> None:
    spoil(told, statement)
    found = check(told)
    assert isinstance(found, Broken)
    assert (found.bench, found.seq) == (told.ledger.bench.id, seq)
    assert why in found.why


@SQLITE
@pytest.mark.parametrize("column", ["body", "actor"])
def test_what_is_no_text_is_found(told: Registry, column: str) -> None:
    spoil(told, f"UPDATE events SET {column} = CAST({column} AS BLOB) WHERE seq = 4")
    found = check(told)
    assert isinstance(found, Broken)
    assert (found.seq, found.why) == (4, "was changed after it was written")


def test_exchanged_events_are_found(told: Registry) -> None:
    spoil(
        told,
        "UPDATE events SET seq = 99 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 99",
    )
    found = check(told)
    assert isinstance(found, Broken)
    assert found.seq == 3


def _forge(registry: Registry, seq: int, prev: str, bench: str) -> None:
    forged = Event(bench, seq, "2025-03-01T08:00:00.000Z", "lan", "unit.tagged", "android:S0", '{"v":1}', prev)
    with transaction(registry.engine) as conn:
        values = {**forged._asdict(), "hash": forged.digest()}
        names = ", ".join(values)
        conn.execute(text(f"INSERT INTO events ({names}) VALUES (:{', :'.join(values)})"), values)


def test_event_forged_at_the_end_is_found(told: Registry) -> None:
    whole = check(told)
    assert isinstance(whole, Verified)
    _forge(told, 11, whole.ends[0].hash, told.ledger.bench.id)
    found = check(told)
    assert isinstance(found, Broken)
    assert (found.seq, found.why) == (11, "is not the end that was noted; the chain ended at 10")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE seq > 8",
        "UPDATE events SET hash = 'f' WHERE seq = 10",
        "UPDATE chains SET hash = 'f'",
        "UPDATE chains SET seq = 8",
    ],
)
def test_nothing_is_added_to_a_chain_whose_end_is_not_the_one_that_was_noted(told: Registry, statement: str) -> None:
    spoil(told, statement)
    before = check(told)
    with pytest.raises(RegistryError, match=r"does not end with event .*nothing was added"):
        told.record(report(identity("S9")))
    assert check(told) == before


def test_forged_chain_is_found(told: Registry) -> None:
    _forge(told, 1, "", "0000")
    assert check(told) == Broken("0000", 1, "belongs to a chain that this registry never began")


@pytest.mark.parametrize("value", [1.5, [1, 2.0], {"a": {"b": 0.1}}, {"x": [float("nan")]}, {1: "a"}])
def test_floats_and_odd_keys_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_canonical_form() -> None:
    assert (
        canonical({"b": [True, None], "a": "Tiếng Việt 学生\x1b"}) == '{"a":"Tiếng Việt 学生\\u001b","b":[true,null]}'
    )


def _retag(registry: Registry, *tags: Any) -> None:
    with transaction(registry.engine) as conn:
        for tag in tags:
            registry.ledger.append(conn, "unit.tagged", "android:S0", {"v": 1, "tag": tag, "was": None})


def test_a_body_of_floats_leaves_nothing_behind(told: Registry) -> None:
    before = check(told)
    with pytest.raises(TypeError):
        _retag(told, "B-1", 0.5)
    assert check(told) == before
    assert told.unit_for(identity("S0")).tag == "A-0001"


def test_evidence_and_found_never_reach_the_database(told: Registry, home: Any) -> None:
    for file in home.path.iterdir():
        assert b"never stored" not in file.read_bytes(), file
