"""Units that a rule of health calls unfit are not given to anybody, and are named with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.account.desk.hand_over import Acceptance, hand_over
from fleet.errors import AccountError, CustodyError
from fleet.home import Home
from provision.model import Health, Verdict
from tests.account.programme_making import World, key
from tests.account.test_gaps_commands import fleet, lines, made, small
from tests.fleet.making import facts, identity, report

__all__ = ["made", "small"]

WORN = "battery worn by more than 40 %"
ANN = f"S-{key('Ann')[1:]}"


@pytest.fixture
def worn(small: World) -> World:
    """A-1 is ready but for its battery."""
    measure(small, "A-1", Health(battery_worn=55))
    return small


def measure(world: World, serial: str, health: Health) -> None:
    who = identity(serial)
    found = replace(facts(who), health=health)
    world.registry.record(report(who, facts=found, outcomes=(), verdict=Verdict.VERIFIED, ended=world.clock()), who)


def test_it_is_kept_back_and_named(worn: World, home: Home) -> None:
    planned = lines(home, "assign", "--auto")
    assert [(line["event"], line["shown"]) for line in planned[:-1]] == [("assign", "A-2"), ("unfit", "A-1")]
    assert (planned[1]["reasons"], planned[1]["place"]) == ([WORN], "STORE")
    assert (planned[-1]["ready"], planned[-1]["unfit"]) == (1, 1)
    assert f"Not given to anybody: A-1: {WORN}." in fleet(home, "assign", "--auto").output
    assert [line["shown"] for line in lines(home, "assign", "--auto", "--apply")[:-1]] == ["A-2", "A-1"]


def test_who_asks_why_is_told_of_them(worn: World, home: Home) -> None:
    measure(worn, "A-2", Health(battery_worn=70))
    why = " ".join(fleet(home, "assign", "--why", ANN).output.split())
    assert "No unit is ready. 2 units kept back as unfit." in why


def test_every_reason_is_told(worn: World, home: Home) -> None:
    (home.path / "health.yaml").write_text(
        "old: {where: model = SM-A105F, severity: note, unfit: true,\n"
        '  meaning: {en: "of the first batch", zh: "a", vi: "a"}, next: {en: "a", zh: "a", vi: "a"}}\n'
    )
    kept = {line["shown"]: line["reasons"] for line in lines(home, "assign", "--auto") if line["event"] == "unfit"}
    assert kept == {"A-1": [WORN, "of the first batch"], "A-2": ["of the first batch"]}


def test_whoever_laid_the_rule_off_gives_it_out(worn: World, home: Home) -> None:
    (home.path / "health.yaml").write_text("battery_worn: {unfit: false}\n")
    assert [line["shown"] for line in lines(home, "assign", "--auto")[:-1]] == ["A-1", "A-2"]


def test_a_battery_that_was_changed_counts_again(worn: World, home: Home) -> None:
    measure(worn, "A-1", Health(battery_worn=3))
    assert [line["event"] for line in lines(home, "assign", "--auto")[:-1]] == ["assign", "assign"]


def test_by_hand_it_takes_a_reason(worn: World, home: Home) -> None:
    with pytest.raises(AccountError, match=WORN):
        fleet(home, "assign", "A-1", ANN)
    with pytest.raises(CustodyError, match=WORN):
        hand_over(worn.registry, "A-1", ANN, Acceptance("guardian", {"charger": 1}, "good", False, {}, ""))
    assert WORN in fleet(home, "assign", "A-1", ANN, "--allow", "always on the cable").output
