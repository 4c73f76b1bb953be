"""TestDPC as the owner: told over USB, rule by rule, and no server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from provision.model import Verdict
from tests.provision.owner.conftest import Phone, outcome, results

Give = Callable[..., Phone]

PROFILE = """
apps: [{id: agent, android: {package: com.hmdm.launcher, file: headwind.apk}}]
restrictions: {install_apps: deny, factory_reset: deny, sms: deny, calls: allow}
owner: {agent: testdpc, file: testdpc.apk}
"""


@pytest.mark.parametrize("preset", ["samsung-9", "pixel-11", "pixel-15"])
def test_it_is_told_each_rule_and_they_are_read_back(preset: str, phone: Give) -> None:
    one = phone(preset)

    report = one.run(one.profile(PROFILE))

    assert report.verdict is Verdict.VERIFIED, [(o.item.id, o.why, o.next_action) for o in report.outcomes]
    assert set(one.state()["policy_restrictions"]) == {"no_factory_reset", "no_install_apps", "no_sms"}
    assert "owner.sync" not in results(report)
    assert str(outcome(report, "restrictions.sms").item.strength) == "C"
    assert str(outcome(report, "owner.owner").item.strength) == "C"
    assert not one.heard


def test_apps_come_before_the_rule_that_forbids_them(phone: Give) -> None:
    one = phone()

    report = one.run(one.profile(PROFILE))

    assert str(outcome(report, "apps.agent").result) == "verified"


def test_a_rule_that_is_taken_out_is_lifted(phone: Give) -> None:
    one = phone()
    one.run(one.profile(PROFILE))
    assert one.registry
    one.registry.numbers.append("ours")  # what the registry keeps of it is fleet's to test

    report = one.run(one.profile(PROFILE.replace("sms: deny", "sms: allow")))

    assert report.verdict is Verdict.VERIFIED
    assert set(one.state()["policy_restrictions"]) == {"no_factory_reset", "no_install_apps"}


def test_the_user_undoes_all_on_its_screen_and_the_next_run_says_and_mends_it(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.run(profile)
    assert one.registry
    one.registry.numbers.append("ours")
    one.device.link.shell("dumpsys activity --user 0 service com.afwsamples.testdpc set-user-restriction no_sms false")

    report = one.run(profile)

    assert report.verdict is Verdict.VERIFIED
    assert outcome(report, "restrictions.sms").changed
