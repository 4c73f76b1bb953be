"""What keeps a phone from getting its owner, on virtual phones: accounts, users, switches, somebody else's owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.provision.owner.conftest import Phone, outcome
from tests.provision.owner.test_headwind import OWNER, PROFILE

Give = Callable[..., Phone]


@pytest.mark.parametrize(
    ("preset", "state", "item", "says"),
    [
        ("xiaomi-11", {}, "owner.owner", "USB debugging (Security settings)"),
        ("pixel-13", {"accounts": [{"name": "a@example.org", "type": "com.google"}]}, "owner.owner", "1 × com.google"),
        ("phone-two-users", {}, "owner.owner", "users"),
        ("pixel-13", {"owner_precondition": 99}, "owner.owner", "condition 99"),
        ("pixel-13", {"paired_watch": True}, "owner.owner", "watch"),
        ("tablet-7", {}, "owner.owner", "headwind takes Android 8"),
    ],
)
def test_what_keeps_android_from_taking_an_owner_is_named_with_what_to_do(
    preset: str, state: dict[str, object], item: str, says: str, phone: Give
) -> None:
    one = phone(preset, **state)
    profile = one.profile(OWNER)
    one.serve(profile)

    report = one.run(profile, allow="a test of what comes behind the gate")

    found = outcome(report, item)
    assert str(found.result) in {"failed", "impossible"}
    assert says in found.why
    assert found.next_action
    assert one.state()["owner"] is None
    assert not one.heard, "an agent that owns nothing is not enrolled"


def test_the_gate_stops_before_an_account_is_met(phone: Give) -> None:
    one = phone("phone-with-account")
    profile = one.profile(PROFILE)

    report = one.run(profile)

    assert [stop.kind for stop in report.stops] == ["account"]
    assert report.steps == 0


def test_somebody_elses_owner_of_the_same_name_stops_the_run(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    changed = one.profile(PROFILE.replace("sms: deny", "sms: allow"))
    assert one.registry
    one.registry.numbers.clear()

    report = one.run(changed)

    assert [stop.kind for stop in report.stops] == ["owner"]
