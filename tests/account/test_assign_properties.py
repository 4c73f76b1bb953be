"""Whatever the households, what assignment counts (Python) and what gaps see (SQL) are one thing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.account.assign import matching as assign
from fleet.account.programme.gaps import listed
from fleet.account.programme.gaps_shares import doubles
from fleet.account.programme.household import needed
from fleet.account.programme.in_force import current, of
from fleet.account.programme.scope import Scope
from fleet.account.programme.store import apply
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.ledger import Happening
from fleet.units import Registry, open_registry
from fleet.values import Json

DAY = "2021-10-20"
_MORNING: Json = {"grades": ["1", "2"], "hours": ["07:30-11:00"]}
_NOON: Json = {"grades": ["3"], "hours": ["10:00-13:00"]}
_EVENING: Json = {"grades": ["4"], "hours": ["14:00-17:00"]}
_CHILDREN = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("12349"), st.sampled_from("NS")), max_size=14)
_PROGRAMMES = st.fixed_dictionaries(
    {
        "programme": st.just("drawn"),
        "one_per": st.sampled_from(["household", "household", "student"]),
        "sharing": st.fixed_dictionaries(
            {"same_hour": st.sampled_from(["allow", "another"])}, optional={"most": st.integers(1, 4)}
        ),
        "lessons": st.just([_MORNING, _NOON, _EVENING]),
        "areas": st.sampled_from([[], [{"area": "S"}, {"area": "N"}]]),
    }
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "home"
    with open_registry(Home(folder), None, "lan"):
        return folder


@settings(max_examples=30)
@given(children=_CHILDREN, programme=_PROGRAMMES, first=st.integers(0, 4), order=st.randoms(use_true_random=False))
def test_enough_units_serve_all_and_no_more(
    empty: Path, children: list[tuple[str, str, str]], programme: dict[str, Json], first: int, order: Any
) -> None:
    """With few units and then with many: nobody gets two, no household more than it needs, and nobody is left out."""
    if programme["one_per"] == "student":
        programme.pop("sharing")
    keys = [f"S{number:09}" for number in range(len(children))]
    order.shuffle(keys)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(shutil.copytree(empty, Path(folder) / "home")))
        with open_registry(home, None, "lan") as registry:
            apply(registry, programme)
            _write(registry, [_student(key, *child) for key, child in zip(keys, children, strict=True)])
            _write(registry, [event for number in range(first) for event in _unit(number)])
            few = assign.auto(registry, DAY)
            assert len(few.matches) <= first
            _no_more_than_due(registry, programme, few)
            _write(registry, [event for number in range(first, len(children) + 2) for event in _unit(number)])
            rest = assign.auto(registry, DAY)
            _no_more_than_due(registry, programme, rest)
            with snapshot(registry.engine) as conn:
                gaps = list(listed(conn, current(conn), f"{DAY}T12:00:00.000Z", Scope(reason="no_device")))
            assert gaps == []
            assert assign.auto(registry, DAY).matches == ()


def _no_more_than_due(registry: Registry, programme: dict[str, Json], plan: assign.Plan) -> None:
    students = [match.student for match in plan.matches]
    assert len(set(students)) == len(students)
    with snapshot(registry.engine) as conn:
        found = current(conn)
        # the order in which children of a household were given theirs may need one more than the best order would
        allowed = 1 if found.another else 0
        assert all(len(one.units) <= one.due + allowed for one in doubles(conn, found, Scope())), programme


def _student(key: str, household: str, grade: str, area: str) -> Happening:
    fields: dict[str, Json] = {"household": household, "grade": grade, "area": area, "connection": "line"}
    return "student.set", key, {"v": 1, "fields": fields, "ids": {}}


def _unit(number: int) -> list[Happening]:
    key = f"android:U{number:03}"
    device: dict[str, Json] = {"platform": "android", "serial": f"U{number:03}", "maker": "m", "model": "x"}
    where: dict[str, Json] = {"batch": "B", "place": "", "state": "at_bench", "student": None}
    ran: dict[str, Json] = dict.fromkeys(("imei", "port", "digest", "error", "next_action", "allowed", "version"), "")
    ran |= {"maker": "m", "model": "x", "profile": "p", "verdict": "verified", "steps": 0, "left_on": [], "items": []}
    ran |= {"started": f"{DAY}T08:00:00.000Z", "ended": f"{DAY}T08:00:00.000Z", "stops": []}
    return [
        ("unit.received", key, {"v": 1, **device, "version": "", "imei": "", **where}),
        ("unit.run", key, {"v": 1, **ran}),
    ]


def _write(registry: Registry, happened: list[Happening]) -> None:
    with transaction(registry.engine) as conn:
        if happened:
            registry.ledger.append_many(conn, happened)


@pytest.mark.parametrize(
    ("sharing", "grades", "devices"),
    [
        ({}, "1111", 1),
        ({"most": 3}, "1111", 2),
        ({"same_hour": "another"}, "1199", 2),
        ({"same_hour": "another"}, "1234", 3),
        ({"same_hour": "another"}, "1414", 2),
        ({"same_hour": "another", "most": 2}, "9999", 2),
        ({}, "", 0),
    ],
)
def test_needed(sharing: dict[str, Json], grades: str, devices: int) -> None:
    lessons = [_MORNING, _NOON, _EVENING]
    found = of({"programme": "x", "one_per": "household", "sharing": sharing, "lessons": lessons})
    assert needed(found, list(grades)) == devices


def test_a_household_of_forty() -> None:
    """Forty children at one address are no mistake; a limit gives them as many devices as they need."""
    most = of({"programme": "x", "one_per": "household", "sharing": {"most": 4}})
    assert needed(most, ["5"] * 40) == 10
