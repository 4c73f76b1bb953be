"""A phone gets its owner on the bench, with no internet, by a real run over the real adb."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from profiles.errors import SchoolbagError
from provision.agents import headwind
from provision.model import Report, Verdict
from provision.owned import Heard
from provision.run import Mode
from tests.provision.owner.conftest import SECRET, Phone, outcome, results
from tests.virtual.mdm import Asked

Give = Callable[..., Phone]

OWNER = """
owner: {agent: headwind, file: headwind.apk, secret: !secret agent, server: "https://agents.example.org"}
"""
PROFILE = f"""
restrictions: {{install_apps: deny, factory_reset: {{deny: true, required: true}}, sms: deny, calls: allow}}
{OWNER}
"""


def told(phone: Phone) -> str:
    """All that people and logs were told."""
    return " ".join(str(event) for event in phone.events)


@pytest.mark.parametrize(
    "preset", ["samsung-9", "pixel-11", "xiaomi-11-ready", "pixel-13", "oppo-13-ready", "pixel-15"]
)
def test_a_fresh_phone_is_owned_and_its_rules_are_read_back(preset: str, phone: Give) -> None:
    one = phone(preset)
    profile = one.profile(PROFILE)
    one.serve(profile)

    report = one.run(profile)

    assert report.verdict is Verdict.VERIFIED, [(o.item.id, o.why, o.next_action) for o in report.outcomes]
    assert set(results(report)) >= {"owner.agent", "owner.owner", "owner.sync", "restrictions.factory_reset"}
    state = one.state()
    assert set(state["policy_restrictions"]) == {"no_factory_reset", "no_install_apps", "no_sms"}
    assert state["settings"]["global"].get("verifier_verify_adb_installs") == "1"


def test_the_second_run_does_nothing(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)

    again = one.run(profile)

    assert (again.verdict, again.steps, again.stops) == (Verdict.VERIFIED, 0, ())


def test_files_of_the_profile_are_there_and_known_to_the_agent(phone: Give) -> None:
    one = phone()
    (one.folder / "book").mkdir()
    (one.folder / "book" / "bài 1.txt").write_text("một")
    profile = one.profile("content: [{id: book, from: book, to: Learning/book}]\n" + PROFILE)
    one.serve(profile)

    assert one.run(profile).verdict is Verdict.VERIFIED
    assert list(one.state()["agent"]["files"]) == ["/Learning/book/bài 1.txt"]
    assert (one.run(profile).verdict, one.run(profile).steps) == (Verdict.VERIFIED, 0)


def test_nothing_is_left_on_the_phone_or_on_the_cable_and_no_number_is_told(
    phone: Give, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)

    assert one.registry
    assert one.registry.numbers == ["number-1"]
    said = one.device.link.shell(
        "ls -a /data/local/tmp; ls /sdcard/Android/data/com.hmdm.launcher/files"
    ).stdout.decode()
    assert "init.json" not in said
    assert "enrolment" not in said
    assert one.device.link.reverse_list() == ()
    shown = told(one) + caplog.text
    assert "com.hmdm.launcher" in shown
    assert "number-1" not in shown
    assert SECRET not in shown


def test_a_plan_says_what_would_be_done_and_does_nothing(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)

    report = one.run(profile, Mode.PLAN)

    assert report.verdict is Verdict.PLANNED
    assert one.state()["owner"] is None
    assert one.registry
    assert one.registry.numbers == []


def test_where_files_are_refused_in_the_agents_folder_it_is_copied_there(phone: Give) -> None:
    one = phone("pixel-13", app_dirs_by_copy=True)
    profile = one.profile(PROFILE)
    one.serve(profile)

    assert one.run(profile).verdict is Verdict.VERIFIED


def test_where_the_shell_has_no_way_in_it_is_told_what_to_do(phone: Give) -> None:
    one = phone("pixel-13", {"deny_app_dirs": True})
    profile = one.profile(PROFILE)
    one.serve(profile)

    report = one.run(profile)

    sync = outcome(report, "owner.sync")
    assert (str(sync.result), report.verdict) == ("failed", Verdict.FAILED)
    assert sync.why == "This phone does not let the computer put a file into the agent's folder."
    assert "testdpc" in sync.next_action
    assert one.device.link.reverse_list() == ()


def test_an_agent_that_is_not_answered_fails_within_its_time_and_the_next_run_mends_it(
    phone: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.android.enrolling._SLICES", 2)
    monkeypatch.setattr("provision.android.enrolling._SLICES_KNOWN", 3)
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.server.answer = lambda asked: (404, b"") if "configuration" in asked.path else None

    failed = one.run(profile)
    assert outcome(failed, "owner.sync").why.startswith("The agent did not come to ask")
    assert outcome(failed, "restrictions.sms").why == "no_sms is not in force"

    one.server.answer = one.usual
    mended = one.run(profile)
    assert mended.verdict is Verdict.VERIFIED
    assert one.registry
    assert one.registry.numbers == ["number-1"], "it had its number, and was only asked again"


def test_a_changed_profile_reaches_a_phone_that_is_still_at_the_bench(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    changed = one.profile(PROFILE.replace("sms: deny", "sms: allow, bluetooth: deny"))
    one.serve(changed)

    report = one.run(changed)

    assert report.verdict is Verdict.VERIFIED
    assert set(one.state()["policy_restrictions"]) == {"no_factory_reset", "no_install_apps", "no_bluetooth"}


def test_a_phone_that_asks_at_home_is_not_changed_at_the_bench(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    assert one.registry
    one.registry.home = True
    changed = one.profile(PROFILE.replace("sms: deny", "bluetooth: deny"))

    report = one.run(changed)

    sync = outcome(report, "owner.sync")
    assert str(sync.result) == "failed"
    assert "fleet push RELEASE --via agent" in sync.next_action
    assert len(one.registry.numbers) == 1


def test_an_app_that_the_owner_forbids_us_to_install_says_so(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    app = "apps: [{id: t, android: {package: com.afwsamples.testdpc, file: testdpc.apk}}]\n"

    report = one.run(one.profile(app + PROFILE))

    forbidden = outcome(report, "apps.t")
    assert str(forbidden.result) == "failed"
    assert forbidden.why == "it is not on this phone, and the phone's owner forbids installing apps"


FILTERED = f"""
network: {{filter_dns: family.example}}
sim: {{roaming: off}}
restrictions: {{change_private_dns: deny, data_roaming: deny}}
{OWNER}
"""


def test_what_a_rule_keeps_from_being_changed_is_set_before_it_and_holds_with_it(phone: Give) -> None:
    one = phone("pixel-15")
    profile = one.profile(FILTERED)
    one.serve(profile)

    report = one.run(profile)

    assert report.verdict is Verdict.VERIFIED, [(o.item.id, o.why, o.next_action) for o in report.outcomes]
    assert str(outcome(report, "network.filter_dns").item.strength) == "B"
    assert str(outcome(report, "sim.roaming").item.strength) == "B"


def test_what_a_rule_keeps_is_changed_by_way_of_a_profile_that_allows_it(phone: Give) -> None:
    one = phone("pixel-15")
    first, other = one.profile(FILTERED), FILTERED.replace("family", "school")
    one.serve(first)
    one.run(first)

    kept = outcome(one.run(one.profile(other)), "network.filter_dns")
    assert str(kept.result) == "failed"
    assert "Run with a profile that allows it first" in kept.next_action

    allowing = one.profile(other.replace("change_private_dns: deny, ", ""))
    one.serve(allowing)
    allowed = one.run(allowing)
    assert allowed.verdict is Verdict.VERIFIED, [(o.item.id, o.why, o.next_action) for o in allowed.outcomes]
    again = one.profile(other)
    one.serve(again)
    assert one.run(again).verdict is Verdict.VERIFIED
    assert one.state()["settings"]["global"]["private_dns_specifier"] == "school.example"


def test_debugging_is_not_barred_at_the_bench(phone: Give) -> None:
    one = phone()
    profile = one.profile("restrictions: {sms: deny, debugging: deny}\n" + OWNER)
    one.serve(profile)

    report = one.run(profile)

    assert report.verdict is Verdict.PARTIAL
    assert "once it has seen the phone there" in outcome(report, "restrictions.debugging").why
    assert one.state()["policy_restrictions"] == ["no_sms"]


def test_verify_says_what_is_not_in_force_any_more(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    one.bench.send({"do": "remove_owner", "serial": one.serial})

    report = one.run(profile, Mode.VERIFY)

    assert report.verdict is Verdict.FAILED
    assert str(outcome(report, "owner.owner").result) == "failed"
    assert str(outcome(report, "restrictions.sms").result) == "failed"


def test_the_address_of_the_bench_is_the_same_on_every_phone(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)

    assert one.state()["agent"]["server"] == headwind.BENCH
    assert json.dumps(one.server.config)


def test_a_phone_that_was_reset_at_home_is_enrolled_anew(phone: Give) -> None:
    one = phone()
    profile = one.profile(OWNER)
    one.serve(profile)
    assert one.run(profile).verdict is Verdict.VERIFIED
    one.bench.send({"do": "reset", "serial": one.serial, "how": "recovery"})
    one.bench.send({"do": "plug", "serial": one.serial})
    one.again()
    assert one.state()["owner"] is None

    begun = time.monotonic()
    report = one.run(profile)

    assert report.verdict is Verdict.VERIFIED, [(o.item.id, o.why) for o in report.outcomes]
    assert one.registry
    assert one.registry.numbers == ["number-1", "number-2"]
    assert time.monotonic() - begun < 25, "its old number was not waited for"


def test_a_registry_that_gives_no_number_fails_this_item_alone(phone: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: object) -> str:
        raise SchoolbagError("The registry is busy.", "Run again.")

    monkeypatch.setattr("tests.provision.owner.conftest.Registry._number", busy)
    one = phone()
    profile = one.profile(OWNER)
    one.serve(profile)

    report = one.run(profile)

    sync = outcome(report, "owner.sync")
    assert (str(sync.result), sync.why, sync.next_action) == ("failed", "The registry is busy.", "Run again.")
    assert str(outcome(report, "owner.owner").result) == "verified"
    assert one.device.link.reverse_list() == ()


@pytest.fixture
def deaf(phone: Give) -> Phone:
    """A phone whose agent is never answered."""
    one = phone()
    one.serve(one.profile(PROFILE))
    one.server.answer = lambda asked: (404, b"") if "configuration" in asked.path else None
    return one


def in_the_middle(one: Phone, then: Callable[[], object]) -> Report:
    """Run, and do that as soon as the agent has asked for the first time."""
    asked = threading.Event()
    refuse = one.server.answer

    def told(what: Asked) -> Any:
        if "configuration" in what.path:
            asked.set()
        return refuse(what)

    one.server.answer = told
    profile = one.profile(PROFILE)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(one.run, profile)
        assert asked.wait(20)
        then()
        return running.result(20)


def test_who_stops_waits_for_nothing_and_the_way_through_the_cable_is_closed(deaf: Phone) -> None:
    report = in_the_middle(deaf, deaf.device.stop)

    assert report.verdict is Verdict.FAILED
    assert "Stopped" in report.error
    deaf.again()
    assert deaf.device.link.reverse_list() == ()
    said = deaf.device.link.shell("ls /sdcard/Android/data/com.hmdm.launcher/files").stdout.decode()
    assert "init.json" not in said


def test_a_pulled_cable_ends_the_run_and_the_next_one_finishes_it(deaf: Phone) -> None:
    report = in_the_middle(deaf, lambda: deaf.bench.send({"do": "unplug", "serial": deaf.serial}))
    assert report.lost

    deaf.bench.send({"do": "plug", "serial": deaf.serial})
    deaf.server.answer = deaf.usual
    deaf.again()
    assert "init.json" in left_behind(deaf)

    assert deaf.run(deaf.profile(PROFILE)).verdict is Verdict.VERIFIED
    assert deaf.registry
    assert deaf.registry.numbers == ["number-1"], "it had read it"
    assert "init.json" not in left_behind(deaf)


def left_behind(one: Phone) -> str:
    return one.device.link.shell(f"ls {headwind.FOLDER}").stdout.decode()


def test_a_file_with_a_number_that_lies_about_is_taken_away_even_if_all_else_is_done(phone: Give) -> None:
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    one.device.link.push(b"{}", headwind.ENROLMENT)

    report = one.run(profile)

    assert (report.verdict, report.steps) == (Verdict.VERIFIED, 1)
    assert "init.json" not in left_behind(one)


def test_a_number_that_was_heard_is_not_given_up_while_its_agent_is_silent(
    phone: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.android.enrolling._SLICES", 2)
    one = phone()
    profile = one.profile(PROFILE)
    one.serve(profile)
    one.run(profile)
    changed = one.profile(PROFILE.replace("sms: deny", "bluetooth: deny"))
    one.serve(changed)
    one.server.answer = lambda asked: (404, b"") if "configuration" in asked.path else None

    failed = outcome(one.run(changed), "owner.sync")

    assert failed.why == "The agent did not come to ask what the phone should be."
    assert "recovery menu" in failed.next_action
    assert "from Settings" not in failed.next_action
    assert one.registry
    assert one.registry.numbers == ["number-1"]
    one.server.answer = one.usual
    assert one.run(changed).verdict is Verdict.VERIFIED
    assert one.registry.numbers == ["number-1"]


def test_an_agent_that_fetches_files_is_not_given_up(phone: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.android.enrolling._SLICES", 2)
    said = [Heard.ANSWERED, Heard.FETCHING, Heard.ANSWERED, Heard.FETCHING, Heard.ANSWERED, Heard.TOLD]
    monkeypatch.setattr("tests.provision.owner.conftest.Registry._wait", lambda *_: said.pop(0))
    one = phone()
    profile = one.profile(OWNER)
    one.serve(profile)

    one.run(profile)

    assert said == []


def test_an_agent_that_does_not_finish_is_told_as_that(phone: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.android.enrolling._SLICES", 2)
    monkeypatch.setattr("tests.provision.owner.conftest.Registry._wait", lambda *_: Heard.ANSWERED)
    one = phone()
    profile = one.profile(OWNER)
    one.serve(profile)
    one.server.answer = lambda asked: (404, b"") if "configuration" in asked.path else None

    sync = outcome(one.run(profile), "owner.sync")

    assert sync.why == "The agent was answered what the phone should be, but has not told that it finished."
    assert one.device.link.reverse_list() == ()
