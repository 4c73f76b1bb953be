"""Case files: what is known, and what gaps, assignment and progress have to say of it. Copy one to add one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.account.assign import matching as assign
from fleet.account.assign.why import why
from fleet.account.programme.gaps import listed
from fleet.account.programme.gaps_counts import counted
from fleet.account.programme.gaps_shares import doubles, same_hour
from fleet.account.programme.in_force import current
from fleet.account.programme.progress import progress
from fleet.account.programme.scope import Scope
from fleet.db import snapshot
from fleet.home import Home
from fleet.units import open_registry
from tests.account.custody_making import assert_replays
from tests.account.programme_making import Clock, World, at, cases, key, read


@pytest.fixture
def made(tmp_path: Path, home: Home, database_url: str, request: pytest.FixtureRequest) -> Iterator[World]:
    clock = Clock()
    case = read(request.param)
    with open_registry(home, None, "lan", clock=clock) as registry:
        world = World(registry, clock, case)
        world.make(tmp_path)
        clock.day = case["day"]
        yield world


_each = pytest.mark.parametrize("made", cases(), indirect=True, ids=lambda file: file.stem)


@_each
def test_case(made: World) -> None:
    case = made.case
    told: dict[str, Callable[[World, Any], None]] = {
        "gaps": _gaps,
        "served": _served,
        "counts": _counts,
        "two": _two,
        "same_hour": _same_hour,
        "progress": _progress,
        "why": _why,
    }
    known = {"about", "day", "programme", "places", "students", "units", "sims", "assign", *told}
    assert set(case) <= known, f"unknown: {set(case) - known}"
    for name, check in told.items():
        if name in case:
            check(made, case[name])
    if "assign" in case:
        _assign(made, case["assign"])
    assert_replays(made.registry)


def _gaps(made: World, wanted: dict[str, list[str]]) -> None:
    with snapshot(made.registry.engine) as conn:
        found = {gap.student: list(gap.reasons) for gap in listed(conn, current(conn), at(made.case["day"]), Scope())}
    assert {name: found.pop(key(name)) for name in wanted if key(name) in found} == wanted
    assert not found


def _served(made: World, wanted: list[str]) -> None:
    with snapshot(made.registry.engine) as conn:
        gaps = {gap.student for gap in listed(conn, current(conn), at(made.case["day"]), Scope())}
    assert not gaps & {key(name) for name in wanted}


def _counts(made: World, wanted: dict[str, dict[str, str]]) -> None:
    with snapshot(made.registry.engine) as conn:
        for by, rows in wanted.items():
            found = counted(conn, current(conn), at(made.case["day"]), by, Scope())
            assert [(row.key, f"{row.unserved}/{row.enrolled}") for row in found] == list(rows.items())


def _two(made: World, wanted: list[dict[str, Any]]) -> None:
    with snapshot(made.registry.engine) as conn:
        found = doubles(conn, current(conn), Scope())
    assert [(list(one.students), list(one.units), str(one.due)) for one in found] == [
        ([key(name) for name in one["students"]], one["units"], one["due"]) for one in wanted
    ]


def _same_hour(made: World, wanted: list[dict[str, Any]]) -> None:
    with snapshot(made.registry.engine) as conn:
        found = same_hour(conn, current(conn), Scope())
    assert [(list(one.students), list(one.units), str(one.due)) for one in found] == [
        ([key(name) for name in one["students"]], one["units"], one["due"]) for one in wanted
    ]


def _progress(made: World, wanted: list[dict[str, str]]) -> None:
    with snapshot(made.registry.engine) as conn:
        found = progress(conn, at(made.case["day"])).targets
    assert len(found) == len(wanted)
    for one, told in zip(found, wanted, strict=True):
        values = {"done": f"{one.done}/{one.number}", "expected": str(one.expected), "verdict": one.verdict}
        values |= {"what": one.what, "overdue": str(one.overdue).lower()}
        assert told.items() <= values.items(), values


def _why(made: World, wanted: dict[str, dict[str, Any]]) -> None:
    for name, told in wanted.items():
        with snapshot(made.registry.engine) as conn:
            found = why(conn, key(name), made.case["day"], made.registry.ignored, {})
        given = found.now.shown if found.now else ""
        assert (given, list(found.reasons)) == (told.get("now", ""), told.get("reasons", [])), name
        if "ahead" in told:
            assert str(found.ahead) == told["ahead"]


def _assign(made: World, wanted: dict[str, str]) -> None:
    """As the plan says, so it is done; and then there is nothing left to do."""
    day, registry = made.case["day"], made.registry
    with snapshot(registry.engine) as conn:
        planned = assign.plan(conn, current(conn), day, registry.ignored, {})
    assert [(one.shown, one.student) for one in planned.matches] == [(tag, key(who)) for tag, who in wanted.items()]
    assert assign.auto(registry, day) == planned
    assert assign.auto(registry, day).matches == ()
