"""What devices at home told, as alarms of fleet status and fields of filters: only while their enrolment lives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from fleet import tags
from fleet.account.filters import leaves
from fleet.account.status import alarms
from fleet.account.status import known as filter_known
from fleet.account.status.health_rules import rules_of
from fleet.account.status.unit_list import listed
from fleet.db import snapshot, transaction
from fleet.remote.agents import orders, records
from fleet.remote.agents.orders import Kind
from fleet.units import Registry
from fleet.values import Json
from provision.progress import now
from tests.remote.agents.at_home import contact, enrolled, of_today, school

DAY = timedelta(days=1)
_SIM = "8984048000012345671"


@pytest.fixture
def today(registry: Registry) -> Registry:
    return of_today(registry)


def _alarms(registry: Registry, where: str | None = None) -> Mapping[str, int]:
    with snapshot(registry.engine) as conn:
        rules = rules_of(registry.home)
        found = alarms.numbers(conn, filter_known.asked(conn, rules, where, now()))
    return {name: number for name, number in found.items() if number and name.startswith(("agent_", "sim_ch"))}


def _fits(conn: Connection, registry: Registry, where: str) -> list[str]:
    within = filter_known.asked(conn, rules_of(registry.home), where, now())
    return [str(line.tag) for line in listed(conn, within)]


_SAID: Mapping[str, dict[str, Any]] = {
    "agent_silent": {"ago": 31 * DAY},
    "agent_flat": {"ago": 3 * DAY, "battery_level": 10},
    "agent_differs": {"drift": '["app org.reader is not there"]'},
    "agent_forbidden": {"missing": '["usage statistics"]'},
    "agent_no_owner": {"owner": False},
    "agent_twice": {"drift": f'["{leaves.OTHER} (serial X1)","app org.reader is not there"]'},
    "sim_changed": {"iccid": "8984048000099999994"},
}


def test_each_is_told_of_who_said_so_and_of_nobody_else(today: Registry) -> None:
    names = list(_SAID)
    keys = school(today, len(names) + 1)
    with transaction(today.engine) as conn:
        for number, key in enumerate(keys):
            fields: dict[str, Json] = {"carrier": "viettel", "quota": "", "state": "in_use", "unit": key}
            sim = f"{_SIM[:-2]}{number}{_SIM[-1]}"
            today.ledger.append(conn, "sim.set", sim, {"v": 1, "step": "receive", "fields": fields})
    for number, key in enumerate(keys):
        mine = f"{_SIM[:-2]}{number}{_SIM[-1]}"
        said = {"iccid": f"{mine}F", "owner": True, "battery_level": 80}
        contact(today, key, **{**said, **(_SAID[names[number]] if number < len(names) else {})})
    assert _alarms(today) == dict.fromkeys(names, 1)
    with snapshot(today.engine) as conn:
        for number, name in enumerate(names, 1):
            assert _fits(conn, today, f"alarm={name}") == [f"A-{number}"], name
            within = filter_known.asked(conn, rules_of(today.home), None, now())
            of_one = alarms.of_unit(conn, rules_of(today.home), f"android:SN{number}", now(), "en")
            assert [one.name for one in of_one if one.name in within.alarms and one.name in _SAID] == [name]
        assert _fits(conn, today, "agent_seen=none") == []


def test_who_has_no_agent_that_lives_told_nothing(today: Registry) -> None:
    (key,) = school(today, 1)
    contact(today, key, owner=False, drift='["x"]', ago=40 * DAY)
    assert _alarms(today)
    with transaction(today.engine) as conn:
        records.end(conn, today.ledger, key, "wiped")
    assert _alarms(today) == {}
    assert _alarms(today, "state=with_student") == {}
    with snapshot(today.engine) as conn:
        assert _fits(conn, today, "agent_seen=none") == ["A-1"]
    enrolled(today, key)
    assert _alarms(today) == {}, "what the enrolment before it told is of the past"


def test_who_began_to_wipe_itself_as_ordered_may_be_silent(today: Registry) -> None:
    key, other = school(today, 2)
    for one in (key, other):
        contact(today, one, ago=40 * DAY)
    with transaction(today.engine) as conn:
        given = orders.give(conn, today.ledger, tags.the(conn, "A-1"), Kind.WIPE, "stolen")
    assert _alarms(today) == {"agent_silent": 2}, "it was not told yet"
    with transaction(today.engine) as conn:
        orders.carried_out(conn, today.ledger, key, given.id)
    assert _alarms(today) == {"agent_silent": 1}
    with snapshot(today.engine) as conn:
        assert _fits(conn, today, "agent_wiping") == ["A-1"]
        assert _fits(conn, today, "alarm=agent_silent") == ["A-2"]
        of_one = alarms.of_unit(conn, rules_of(today.home), key, now(), "en")
        assert "agent_silent" not in [one.name for one in of_one]


@pytest.mark.parametrize(
    ("told", "changed"),
    [(_SIM, False), (f"{_SIM}F", False), (_SIM[:-1], False), ("8984048000099999994", True), (None, False)],
)
def test_a_sim_is_told_in_several_ways(today: Registry, told: str | None, changed: bool) -> None:
    (key,) = school(today, 1)
    with transaction(today.engine) as conn:
        fields: dict[str, Json] = {"carrier": "viettel", "quota": "", "state": "in_use", "unit": key}
        today.ledger.append(conn, "sim.set", _SIM, {"v": 1, "step": "receive", "fields": fields})
    contact(today, key, iccid=told)
    assert ("sim_changed" in _alarms(today)) is changed


def test_a_unit_without_a_sim_of_ours_has_changed_none(today: Registry) -> None:
    (key,) = school(today, 1)
    contact(today, key, iccid="8984048000099999994")
    assert _alarms(today) == {}
