"""Received = the sum of all places; what is not explained; counts; losses and faults that stand out."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from fleet.account.custody import losses
from fleet.account.custody import steps as custody_steps
from fleet.account.custody.balance import Balance, balance
from fleet.account.custody.count import count
from fleet.account.custody.receive import Lot, receive
from fleet.account.custody.receive_rows import Listed
from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import counts
from fleet.units import Registry, open_registry
from tests.account.custody_making import STUDENTS, assert_replays, enrol, furnish, take_in
from tests.fleet.making import SQLITE, identity, report, ticking
from tests.fleets import Fleet

ACCEPTED = Acceptance("guardian", {"device": 1}, "good", allowed="never made ready")
NOW = "2025-06-01T00:00:00.000Z"


def _balance(registry: Registry, now: str = NOW, **said: str) -> Balance:
    with snapshot(registry.engine) as conn:
        return balance(conn, now, **said)  # type: ignore[arg-type]


def _odd(found: Balance) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.kind: (one.units, one.examples) for one in found.unexplained}


def _tags(first: int, last: int) -> list[str]:
    return [f"A-{number:04d}" for number in range(first, last + 1)]


def test_what_nobody_can_explain(registry: Registry) -> None:
    furnish(registry)
    receive(registry, Lot("B-1", "STORE", "VNPT", announced=5), [Listed(0, "PAPER-1", maker="x")], all_of_them=True)
    registry.record(report(identity("SEEN-1")))
    take_in(registry, _tags(1, 3), batch="B-2")
    for tag in _tags(1, 3):
        registry.record(report(identity(f"SN{tag.replace('-', '')}")))
    custody_steps.do(registry, "send", _tags(1, 1), {"place": "LE-LOI"})
    custody_steps.do(registry, "lose", _tags(2, 2), {"search": "store", "evidence": "none"})
    registry.record(report(identity("SNA0002")))
    count(registry, "STORE", [], apply=True)
    assert _odd(_balance(registry)) == {
        "announced": (4, ()),
        "never_seen": (1, ("PAPER-1",)),
        "nowhere": (1, ("SEEN-1",)),
        "in_transit": (1, ("A-0001",)),
        "missing": (2, ("PAPER-1", "A-0003")),
        "seen_since": (1, ("A-0002",)),
        "unlisted": (1, ("SEEN-1",)),
    }
    found = _balance(registry)
    assert found.received == 5
    assert found.by_state == {"at_bench": 1, "in_transit": 1, "lost": 1, "stock": 2}
    assert _odd(_balance(registry, now="2025-03-02T00:00:00.000Z")).keys() == _odd(found).keys() - {"in_transit"}


def test_what_is_not_explained_of_a_place_is_about_the_units_of_its_sum(registry: Registry) -> None:
    """A-0001 lay at LE-LOI and is in repair; A-0002 and A-0003 lie there; A-0004 and A-0005 are on their way to it."""
    furnish(registry)
    take_in(registry, _tags(1, 5))
    custody_steps.do(registry, "send", _tags(2, 5), {"place": "LE-LOI"})
    custody_steps.do(registry, "arrive", _tags(2, 3), {})
    custody_steps.do(registry, "move", _tags(1, 1), {"place": "LE-LOI"})
    custody_steps.do(registry, "repair", _tags(1, 1), {"place": "WS", "fault": "screen", "why": "screen"})
    count(registry, "LE-LOI", _tags(2, 2), apply=True)
    found = _balance(registry, place="LE-LOI")
    assert (found.received, found.by_state, found.coming) == (3, {"at_school": 2, "in_repair": 1}, 2)
    assert _odd(found) == {"never_seen": (3, ("A-0001", "A-0002", "A-0003")), "missing": (1, ("A-0003",))}
    registry.record(report(identity("SNA0004")))
    assert "seen_since" not in _odd(_balance(registry, place="LE-LOI"))
    custody_steps.do(registry, "lose", _tags(2, 2), {"search": "school", "evidence": "none"})
    registry.record(report(identity("SNA0002")))
    assert _odd(_balance(registry, place="LE-LOI"))["seen_since"] == (1, ("A-0002",))
    until = "2025-05-31T00:00:00.000Z"
    assert _odd(_balance(registry, until=until, place="LE-LOI"))["never_seen"] == (2, ("A-0001", "A-0003"))


def test_two_benches_said_two_things(home: Home, database_url: str) -> None:
    """One hands a unit over while the other, which was offline, moves it: what the later one said is kept, and told."""
    with open_registry(home, None, "lan", clock=ticking("2025-01-01T00:00:00.000Z")) as registry:
        furnish(registry)
        take_in(registry, _tags(1, 1))
        hand_over(registry, "A-0001", STUDENTS[0], ACCEPTED)
        with transaction(registry.engine) as conn:
            said = {"step": "move", "state": "at_school", "place": "LE-LOI", "student": None}
            registry.ledger.append(conn, "unit.custody", "android:SNA0001", {"v": 1, **said})
        assert _odd(_balance(registry))["accepted"] == (1, ("A-0001",))
        custody_steps.do(registry, "repair", ["A-0001"], {"place": "WS", "fault": "screen", "why": "screen"})
        assert "accepted" not in _odd(_balance(registry))


def test_more_than_was_announced_is_odd_too(registry: Registry) -> None:
    furnish(registry, ())
    rows = [Listed(0, f"SN-{number}", maker="x") for number in range(3)]
    receive(registry, Lot("B-1", "STORE", "VNPT", announced=2), rows, all_of_them=True)
    [odd] = [one for one in _balance(registry).unexplained if one.kind == "announced"]
    assert (odd.units, odd.of) == (-1, "B-1")


def test_any_day_that_was(home: Home, database_url: str) -> None:
    """Each day's balance is the same whenever it is asked for."""
    days = ["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04", "2025-01-05"]
    told = []
    for day, act in zip(days, (_first_day, _second_day, _third_day, _fourth_day, _fifth_day), strict=True):
        with open_registry(home, None, "lan", clock=ticking(f"{day}T08:00:00.000Z")) as registry:
            act(registry)
            told.append(_balance(registry, now=f"{day}T23:59:59.000Z"))
    with open_registry(home, None, "lan") as registry:
        for day, before in zip(days, told, strict=True):
            then = _balance(registry, until=f"{day}T23:59:59.000Z")
            assert (then.lines, then.received) == (before.lines, before.received)
            assert _odd(then) == {kind: odd for kind, odd in _odd(before).items() if kind != "seen_since"}
        there = _balance(registry, until=f"{days[3]}T23:59:59.000Z", place="LE-LOI")
        assert (there.received, there.coming) == (2, 1)
        assert [(line.state, line.place, line.units) for line in there.lines] == [
            ("in_repair", "WS", 1),
            ("with_student", "LE-LOI", 1),
        ]
        assert_replays(registry)


def _first_day(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, _tags(1, 4))


def _second_day(registry: Registry) -> None:
    custody_steps.do(registry, "move", _tags(1, 2), {"place": "LE-LOI"})
    custody_steps.do(registry, "send", _tags(3, 3), {"place": "LE-LOI"})
    count(registry, "LE-LOI", ["A-0001", "A-0004", "NOT-OURS"], apply=True)


def _third_day(registry: Registry) -> None:
    hand_over(registry, "A-0001", STUDENTS[0], ACCEPTED)
    count(registry, "LE-LOI", ["A-0002"], apply=True)


def _fourth_day(registry: Registry) -> None:
    custody_steps.do(registry, "repair", ["A-0002"], {"place": "WS", "fault": "screen", "why": "screen"})
    custody_steps.do(registry, "lose", ["A-0004"], {"search": "store", "evidence": "report"})


def _fifth_day(registry: Registry) -> None:
    custody_steps.do(registry, "arrive", ["A-0003"], {})
    custody_steps.do(registry, "retire", ["A-0002"], {"why": "worn"})


def test_a_count_says_what_differs_and_moves_nothing(registry: Registry) -> None:
    furnish(registry)
    take_in(registry, _tags(1, 3))
    take_in(registry, ["B-0001"], place="LE-LOI")
    scanned = ["A-0001", "a-0001", "SNA0001", "B-0001", "LABEL"]
    planned = count(registry, "store", scanned, apply=False)
    assert "missing" not in _odd(_balance(registry))
    found = count(registry, "store", scanned, apply=True)
    assert (planned.recorded, found.recorded) == (False, True)
    assert (found.expected, found.found, found.variance) == (3, 1, -1)
    assert [one.tag for one in found.missing] == ["A-0002", "A-0003"]
    assert [(one.tag, one.place) for one in found.unexpected] == [("B-0001", "LE-LOI")]
    assert found.unknown == ("No unit has the tag or serial 'LABEL'.",)
    with snapshot(registry.engine) as conn:
        row = conn.execute(select(counts)).one()
    assert tuple(row)[2:] == (3, 1, 2, 1)
    assert _odd(_balance(registry))["missing"] == (2, ("A-0002", "A-0003"))
    count(registry, "LE-LOI", ["A-0002"], apply=True)
    assert _odd(_balance(registry))["missing"][1] == ("A-0003", "B-0001")
    custody_steps.do(registry, "lose", ["A-0003"], {"search": "all", "evidence": "counted twice"})
    assert _odd(_balance(registry))["missing"][1] == ("B-0001",)
    assert_replays(registry)


def test_who_loses_again(registry: Registry) -> None:
    """One student twice, two children of one household once each; one loss alone is none of these."""
    furnish(registry, ())
    with transaction(registry.engine) as conn:
        for student, household in (("S000000001", ""), ("S000000002", "h"), ("S000000003", "h"), ("S000000004", "k")):
            enrol(conn, registry, student, household=household)
    take_in(registry, _tags(1, 5))
    for tag, student in zip(_tags(1, 5), (*_students(1, 1), *_students(1, 4)), strict=True):
        hand_over(registry, tag, student, ACCEPTED)
        custody_steps.do(registry, "lose", [tag], {"search": "home", "evidence": "none"})
    custody_steps.do(registry, "find", ["A-0002"], {"place": "STORE"})
    with snapshot(registry.engine) as conn:
        found = losses.repeats(conn)
    assert [(one.of, one.students, one.losses) for one in found] == [
        ("student", ("S000000001",), 2),
        ("household", ("S000000002", "S000000003"), 2),
    ]


def _students(first: int, last: int) -> Iterable[str]:
    return (f"S{number:09d}" for number in range(first, last + 1))


def test_one_fault_of_one_model_stands_out_and_small_numbers_do_not(registry: Registry) -> None:
    furnish(registry, ())
    take_in(registry, _tags(1, 30), model="Bad")
    take_in(registry, _tags(31, 90), model="Good", batch="B-2")
    take_in(registry, _tags(91, 92), model="Few", batch="B-2")
    for tags, fault in (
        (_tags(1, 8), "charging port"),
        (_tags(31, 31), "charging port"),
        (_tags(9, 12), "screen"),
        (_tags(32, 38), "screen"),
        (_tags(91, 92), "battery"),
    ):
        custody_steps.do(registry, "repair", tags, {"place": "WS", "fault": fault, "why": fault})
    custody_steps.do(registry, "repaired", _tags(1, 1), {"place": "STORE", "done": "new port"})
    custody_steps.do(registry, "repair", _tags(1, 1), {"place": "WS", "fault": "charging port", "why": "charging port"})
    with snapshot(registry.engine) as conn:
        found = losses.faults(conn)
    assert {(one.of, one.name, one.fault) for one in found if one.above} == {
        ("model", "Bad", "charging port"),
        ("batch", "VNPT-1", "charging port"),
    }
    first = next(one for one in found if one.of == "model")
    assert (first.units, first.total, first.rest_units, first.rest_total) == (8, 30, 1, 62)
    few = next(one for one in found if one.name == "Few")
    assert (few.units, few.total, few.above) == (2, 2, False)


@SQLITE
def test_commands(home: Home, registry: Registry) -> None:
    furnish(registry)
    take_in(registry, _tags(1, 3))
    fleet = Fleet(home.path, 1, env={"TZ": "Asia/Ho_Chi_Minh"})
    done = fleet("balance", "--on", "2025-03-01")
    assert "3 units received = 3 stock" in done.out
    [line] = fleet("balance", "--place", "store", "--json").lines
    assert (line["event"], line["place"], line["received"], line["by_state"]) == ("balance", "STORE", 3, {"stock": 3})
    done = fleet("count", "STORE", "A-0001..A-0002", "--json")
    assert (done.code, done.lines[0]["variance"], done.lines[0]["recorded"]) == (1, -1, False)
    done = fleet("move", "A-0001..A-0003", "--to", "LE-LOI", "--json")
    assert [(line["shown"], line["was"], line["state"]) for line in done.lines] == [
        (tag, "stock", "at_school") for tag in _tags(1, 3)
    ]
    done = fleet("lost", "A-0001", "--search", "school")
    assert (done.code, "--evidence" in done.err) == (2, True)
