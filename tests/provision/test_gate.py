"""The gate: what could not be read stops a run as what was found does."""

from __future__ import annotations

import dataclasses

import pytest

from provision import gate
from provision.model import Facts, Identity, Locks, Unit
from provision.owned import Agent

PHONE = Identity("android", "S1", "google", "Pixel", "13", 33)
FREE = Locks(accounts={}, users=1)


def _kinds(locks: Locks) -> list[str]:
    return [stop.kind for stop in gate.stops(Facts(PHONE, locks=locks), Unit())]


IPHONE = Identity("ios", "S2", "Apple", "iPhone 12", "17.7.2", 17)
SIGNED_OUT = Locks(accounts={}, users=1, find_my=False, activation="Activated")


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, []),
        ({"find_my": None, "activation": "Unactivated"}, []),
        ({"accounts": None, "find_my": True}, ["find_my"]),
        ({"accounts": None, "find_my": None}, ["find_my"]),
        ({"owner": "Riverside School District"}, ["owner"]),
        ({"owner_known": False}, ["owner"]),
    ],
)
def test_an_iphone_waits_for_its_owner(change: dict[str, object], kinds: list[str]) -> None:
    locks = dataclasses.replace(SIGNED_OUT, **change)  # type: ignore[arg-type]
    stops = gate.stops(Facts(IPHONE, locks=locks), Unit())
    assert [stop.kind for stop in stops] == kinds
    assert all("needs its owner" in stop.what for stop in stops if stop.kind == "find_my")
    assert not any("Accounts" in stop.next_action for stop in stops), "no menus of Android's"


def test_a_phone_that_is_nobodys_is_let_through() -> None:
    assert _kinds(FREE) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"accounts": None}, "account"),
        ({"accounts": {"com.google": 1}}, "account"),
        ({"users": None}, "users"),
        ({"users": 2}, "users"),
        ({"owner": "a.b/.C"}, "owner"),
        ({"owner_known": False}, "owner"),
    ],
)
def test_each_thing_found_or_unread_is_a_stop_that_says_what_to_do(change: dict[str, object], kind: str) -> None:
    locks = dataclasses.replace(FREE, **change)  # type: ignore[arg-type]
    assert _kinds(locks) == [kind]
    assert all(stop.what and stop.next_action for stop in gate.stops(Facts(PHONE, locks=locks), Unit()))


OURS = Agent("com.hmdm.launcher", enrolled=True)
OWNER = "com.hmdm.launcher/.AdminReceiver"


@pytest.mark.parametrize(
    ("owner", "agent", "stops"),
    [
        (OWNER, OURS, []),
        ("com.hmdm.launcher/com.hmdm.launcher.AdminReceiver", OURS, []),
        (OWNER, None, ["owner"]),
        (OWNER, dataclasses.replace(OURS, enrolled=False), ["owner"]),
        (OWNER, Agent("com.afwsamples.testdpc", enrolled=True), ["owner"]),
        ("com.hmdm.launcher.other/.AdminReceiver", OURS, ["owner"]),
        (f"{OWNER} (profile)", OURS, ["owner"]),
    ],
)
def test_only_the_owner_that_we_set_ourselves_is_no_stop(owner: str, agent: Agent | None, stops: list[str]) -> None:
    locks = dataclasses.replace(FREE, owner=owner)

    assert [stop.kind for stop in gate.stops(Facts(PHONE, locks=locks), Unit(agent=agent))] == stops


def test_our_own_owner_opens_the_gate_to_nobody_elses_account() -> None:
    locks = Locks(accounts={"com.google": 1}, users=2, owner=OWNER)

    assert [stop.kind for stop in gate.stops(Facts(PHONE, locks=locks), Unit(agent=OURS))] == ["account", "users"]
