from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from fleet.account.status.unit_view import UnitView
from fleet.account.status.unit_view import unit_view as view_of
from fleet.db import snapshot
from fleet.errors import UnitError
from fleet.home import Home
from fleet.ledger import Verified, verify
from fleet.models import events, health, health_now, items, runs, units
from fleet.units import Registry, open_registry
from provision.model import Cellular, Facts, Health, Result, Verdict
from tests.fleet.making import SERIAL, facts, identity, outcomes, report


def unit_view(conn: Connection, name: str) -> UnitView:
    return view_of(conn, {}, name, "2025-03-02T08:00:00.000Z")


def count(registry: Registry, table: Any) -> int:
    with snapshot(registry.engine) as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


def test_a_look_at_an_unknown_device_writes_nothing(registry: Registry) -> None:
    unit = registry.unit_for(identity())
    assert (unit.tag, unit.ignored, dict(unit.sealed)) == (None, False, {})
    assert len(unit.seal_key) == 32
    assert count(registry, events) == 0


def test_first_sight_with_a_prefix_gives_the_next_number(registry: Registry) -> None:
    assert registry.unit_for(identity("S1"), tag_prefix="sb").tag == "SB-0001"
    assert registry.unit_for(identity("S2"), tag_prefix="SB").tag == "SB-0002"
    assert registry.unit_for(identity("S1"), tag_prefix="SB").tag == "SB-0001"
    assert registry.unit_for(identity("S1"), tag_prefix="OTHER").tag == "SB-0001"
    assert count(registry, events) == 5


def test_a_number_is_never_given_twice(registry: Registry) -> None:
    registry.unit_for(identity("S1"), tag_prefix="A")
    registry.unit_for(identity("S2"), tag_prefix="A")
    registry.tag("S2", "LAB-7")
    assert registry.unit_for(identity("S3"), tag_prefix="A").tag == "A-0003"


def test_numbering_goes_on_after_tags_given_by_hand(registry: Registry) -> None:
    registry.record(report(identity("S1")))
    registry.tag("S1", "a-0041")
    assert registry.unit_for(identity("S2"), tag_prefix="A").tag == "A-0042"


def test_many_devices_at_once_get_numbers_without_gaps(registry: Registry) -> None:
    def first_sight(number: int) -> str | None:
        who = identity(f"S{number}")
        tag = registry.unit_for(who, tag_prefix="A").tag
        registry.record(report(who, tag=tag))
        return tag

    with ThreadPoolExecutor(8) as pool:
        tags = list(pool.map(first_sight, range(16)))
    assert sorted(str(tag) for tag in tags) == [f"A-{number:04d}" for number in range(1, 17)]
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)


@pytest.mark.parametrize(
    "tag",
    ["", " ", "-A", "A-", "A B", "A\x1b[31m", "A/1", "学-1", "A" * 33, "A'; DROP TABLE units", "А-0001", "\ud800"],
)
def test_odd_tags_are_refused(registry: Registry, tag: str) -> None:
    registry.record(report())
    with pytest.raises(UnitError, match="cannot be a tag") as told:
        registry.tag(SERIAL, tag)
    assert told.value.what.isprintable()
    assert count(registry, events) == 3


def test_odd_prefixes_are_refused_before_anything_is_written(registry: Registry) -> None:
    for prefix in ("", "A B", "A" * 30):
        with pytest.raises(UnitError):
            registry.unit_for(identity(), tag_prefix=prefix)
    assert count(registry, events) == 0


def test_a_tag_is_of_one_unit_only(registry: Registry) -> None:
    registry.unit_for(identity("S1"), tag_prefix="A")
    registry.record(report(identity("S2")))
    with pytest.raises(UnitError, match=r"A-0001 is already a name of S1 \(A-0001\)\."):
        registry.tag("S2", "a-0001")
    with pytest.raises(UnitError, match="S1 is already a name"):
        registry.tag("S2", "s1")
    assert registry.tag("S1", "A-0001") == "A-0001"
    assert count(registry, events) == 5


def test_unknown_and_ambiguous_names(registry: Registry) -> None:
    with pytest.raises(UnitError, match="No unit has the tag or serial 'nobody'"):
        registry.tag("nobody", "A-1")
    registry.record(report(identity("SAME")))
    registry.record(report(identity("SAME", platform="ios")))
    with pytest.raises(UnitError, match="may mean 2 units") as told:
        registry.tag("SAME", "A-1")
    assert "android:SAME, ios:SAME" in told.value.next_action
    assert len(registry.resolve("SAME")) == 2
    assert registry.serial_of("SAME") is None
    registry.tag("ios:SAME", "A-1")
    assert registry.serial_of("a-1") == "SAME"


def test_a_run_is_kept_item_by_item(registry: Registry) -> None:
    registry.record(report())
    with snapshot(registry.engine) as conn:
        view = unit_view(conn, SERIAL)
    assert view.unit["state"] == "at_bench"
    assert view.unit["origin"] == "unrecorded"
    assert view.unit["imei"] == "356938035643809"
    assert view.facts["sims"][0]["iccid"] == "8984048000012345678"
    assert view.facts["locks"]["accounts"] == {"com.google": 1}
    assert view.run is not None
    assert view.run["left_on"] == ["USB debugging"]
    assert [(item["item"], item["result"], item["strength"]) for item in view.items] == [
        ("apps.kolibri", "verified", "C"),
        ("sim.apn", "unverified", "B"),
        ("restrictions.factory_reset", "impossible", None),
    ]
    assert view.items[1]["source"] == "sample.yaml:20"
    assert view.items[2]["next_action"] == "Enrol it."
    assert view.health is not None
    assert (view.health["battery_level"], view.health["battery_temperature"]) == (80, 25.5)
    assert [line.kind for line in view.history] == ["unit.run", "unit.added"]


def test_only_the_last_run_is_projected_and_all_are_in_the_history(registry: Registry) -> None:
    registry.record(report())
    later = {"outcomes": outcomes()[:1], "verdict": Verdict.VERIFIED, "steps": 0, "ended": "2025-03-02T08:00:00.000Z"}
    registry.record(report(identity(version="14"), **later))
    assert (count(registry, runs), count(registry, items)) == (1, 1)
    assert (count(registry, health), count(registry, health_now)) == (2, 1)
    with snapshot(registry.engine) as conn:
        view = unit_view(conn, SERIAL)
    assert (view.unit["version"], view.unit["last_verdict"]) == ("14", "verified")
    assert [line.what for line in view.history] == [
        "sample: verified, 0 steps",
        "sample: partial, 1 step",
        "first seen, at bench, not in any donor's list",
    ]


def test_sealed_values_come_back_until_a_run_of_the_item_says_otherwise(registry: Registry) -> None:
    registry.record(report())
    assert dict(registry.unit_for(identity()).sealed) == {"sim.apn": "5ea1"}
    registry.record(report(outcomes=(), verdict=Verdict.FAILED, error="Unplugged."))
    assert dict(registry.unit_for(identity()).sealed) == {"sim.apn": "5ea1"}
    other_profile = outcomes()[:1]
    registry.record(report(outcomes=other_profile))
    assert dict(registry.unit_for(identity()).sealed) == {"sim.apn": "5ea1"}
    failed = tuple(replace(outcome, result=Result.FAILED) for outcome in outcomes())
    registry.record(report(outcomes=failed))
    assert dict(registry.unit_for(identity()).sealed) == {}


def test_a_run_without_facts_keeps_what_was_known(registry: Registry) -> None:
    registry.record(report())
    registry.record(report(facts=None, outcomes=(), verdict=Verdict.FAILED, error="Unplugged."), identity())
    with snapshot(registry.engine) as conn:
        view = unit_view(conn, SERIAL)
    assert view.unit["imei"] == "356938035643809"
    assert view.facts["sims"]
    assert view.health is not None
    assert view.run is not None
    assert view.run["error"] == "Unplugged."


def test_a_report_of_nobody_is_not_kept(registry: Registry) -> None:
    registry.record(report(facts=None))
    assert count(registry, events) == 0


def test_an_imei_that_is_no_longer_told_is_remembered(registry: Registry) -> None:
    registry.record(report())
    silent = Facts(identity(), health=Health(), cellular=Cellular())
    registry.record(report(facts=silent, ended="2025-03-02T08:00:00.000Z"))
    assert (count(registry, units), count(registry, health)) == (1, 1)
    with snapshot(registry.engine) as conn:
        assert unit_view(conn, SERIAL).unit["imei"] == "356938035643809"


def test_two_readings_of_one_moment_are_one(registry: Registry) -> None:
    registry.record(report())
    registry.record(report())
    assert count(registry, health) == 1


def test_ignored_devices_are_said_so_and_never_tagged(home: Home) -> None:
    home.make()
    (home.path / "ignore.txt").write_text(f"# mine\n{SERIAL}  # my own phone\n\n")
    with open_registry(home, None, None) as registry:
        unit = registry.unit_for(identity(), tag_prefix="A")
        assert unit.ignored
        assert unit.tag is None
        assert not registry.unit_for(identity("OTHER")).ignored
        assert count(registry, events) == 0


def test_a_device_that_says_nonsense_of_itself_is_kept_all_the_same(registry: Registry) -> None:
    odd = identity("\x1b]0;owned\x07\0", model="\ud800\u202eA\x9b31m", maker="学生" * 500)
    registry.unit_for(odd, tag_prefix="A")
    registry.record(report(odd, facts=facts(odd)))
    with snapshot(registry.engine) as conn:
        assert isinstance(verify(conn), Verified)
        assert unit_view(conn, "A-0001").unit["maker"] == "学生" * 500
    assert registry.unit_for(odd).tag == "A-0001"
