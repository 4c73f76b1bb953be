"""From a donor's iPhone to one of ours, by ``fleet provision --erase`` with virtual iPhones, and what comes between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet import supervision
from fleet.home import Home
from provision.ios.keybag import Keybag, create
from tests.bench.test_watch import Watching
from tests.benches import Bench
from tests.fleets import Done, Fleet

DONOR: Mapping[str, Any] = {"trust": 0, "reboot_seconds": 0.3, "setup_ends": 0.1}
"""Its Setup Assistant ends in the middle of what we do to it, as soon as it is told to be skipped."""
ESIM = {**DONOR, "sim": {"operator": "45204", "esim": True, "number": "+84 98 123 45 67"}}
HELLO = {**DONOR, "activated": False, "set_up": False}
"""As its last owner, or a run that was cut off, left it: erased."""

SUPERVISION = ("supervision.erased", "supervision.activated", "supervision.supervised")
PROFILE = """\
profile: story
identity: {name: "Story {tag}", language: vi, skip_setup: all}
restrictions: {install_apps: deny}
"""


@pytest.fixture(scope="module")
def ours() -> Keybag:
    return create("Schoolbag Hanoi")


@dataclass
class Story:
    """A bench of virtual iPhones and the program beside it."""

    fleet: Fleet
    bench: Bench
    profile: Path

    def provision(self, *words: str) -> Done:
        return self.fleet.provision("--tags", "ST", *words, profile=self.profile)

    def serial(self, at: int = 0) -> str:
        return self.bench.devices[at].serial

    def state(self, at: int = 0) -> dict[str, Any]:
        return self.bench.state(self.serial(at))

    def results(self, done: Done, at: int = 0) -> list[str]:
        items = done.items(self.serial(at))
        return [items[name]["result"] for name in SUPERVISION if name in items]

    def report(self, done: Done, at: int = 0) -> dict[str, Any]:
        (found,) = (row for row in done.reports() if row["serial"] == self.serial(at))
        return found

    def server(self, *, on: bool) -> None:
        self.bench.send({"do": "activation_server", "on": on})

    def keybag(self, bag: Keybag) -> None:
        """From now on the bench has this one."""
        with contextlib.suppress(FileNotFoundError):
            supervision.file_of(Home(self.fleet.home)).unlink()
        supervision.keep(Home(self.fleet.home), bag)


Tell = Callable[..., Story]


@pytest.fixture
def story(virtual_iphones: Callable[[Mapping[str, Any]], Bench], fleet: Fleet, tmp_path: Path, ours: Keybag) -> Tell:
    """``story(DONOR, ("iphone-findmy", DONOR))``: iPhones in these states; ``keybag`` is that of the bench."""

    def tell(*phones: Any, keybag: Keybag | None = ours) -> Story:
        pairs = [phone if isinstance(phone, tuple) else ("iphone-17", phone) for phone in phones]
        bench = virtual_iphones({"devices": [{"preset": name, "state": dict(state)} for name, state in pairs]})
        fleet.env["FLEET_ACTIVATION_SERVER"] = bench.activation_server
        profile = tmp_path / "story.yaml"
        profile.write_text(PROFILE, encoding="utf-8")
        told = Story(fleet, bench, profile)
        if keybag:
            told.keybag(keybag)
        return told

    return tell


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What of it is not as before, whatever it was asked meanwhile."""
    kept = ("erased", "activation", "set_up", "supervised", "profiles", "waiting", "cloud", "files", "find_my")
    of_owner = {name: (before["values"][""][name], after["values"][""][name]) for name in ("DeviceName", "TimeZone")}
    return [key for key in kept if before[key] != after[key]] + [name for name, (a, b) in of_owner.items() if a != b]


def test_a_mixed_box(story: Tell) -> None:
    """A donor's phone, one that says Hello, three that are somebody's, a full one: each gets what it may, once."""
    told = story(
        ESIM,
        HELLO,
        ("iphone-findmy", DONOR),
        ("iphone-supervised-other", DONOR),
        {**HELLO, "activation_lock": True},
        ("iphone-full", DONOR),
    )
    before = [told.state(at) for at in range(6)]
    done = told.provision("--erase")
    assert done.code == 1
    reports = [told.report(done, at) for at in range(6)]
    good = [True, True, False, False, False, True]
    assert [row["verdict"] for row in reports] == ["verified" if is_good else "failed" for is_good in good]
    assert [bool(row["error"] and row["next_action"]) for row in reports] == [not is_good for is_good in good]

    donor, hello, find_my, other, locked, full = (told.state(at) for at in range(6))
    assert (full["erased"], full["supervised"]) == (1, True), "that it was full, its erasing has mended"
    assert told.results(done) == ["verified"] * 3
    assert (donor["erased"], donor["supervised"], donor["activation"]) == (1, True, "Activated")
    assert donor["cloud"]["OrganizationName"] == "Schoolbag Hanoi"
    assert "Siri" in donor["cloud"]["SkipSetup"]
    assert donor["set_up"], "the Setup Assistant had ended by then, and nothing needed a tap"
    (configuration,) = donor["profiles"].values()
    assert configuration["silent"]
    assert donor["restrictions"]["allowUIAppInstallation"] is False
    iccid = "IntegratedCircuitCardIdentity"
    assert donor["values"][""][iccid] == before[0]["values"][""][iccid], "the data plan of the eSIM was kept"

    assert told.results(done, 1) == ["verified"] * 3
    assert (hello["erased"], hello["supervised"]) == (0, True), "what was erased is not erased again"

    assert not changed(before[2], find_my)
    assert "needs its owner" in told.report(done, 2)["error"]
    assert not changed(before[3], other)
    assert other["cloud"]["OrganizationName"] in told.report(done, 3)["error"]
    assert not changed(before[4], locked), "whose it is was known before custody was taken"
    assert "needs its owner" in reports[4]["error"]
    assert "iCloud.com/find" in reports[4]["next_action"]

    again = told.fleet("provision", told.serial(), "--erase", "--json", "--profile", told.profile)
    assert (again.code, again.summary["steps"], told.state()["erased"]) == (0, 0, 1)
    assert "still there" in again.items()["supervision.erased"]["why"], "it says that nothing was wiped"


def test_without_internet_nothing_is_erased_and_both_wait(story: Tell) -> None:
    told = story(DONOR, HELLO)
    before = [told.state(at) for at in range(2)]
    told.server(on=False)
    done = told.provision("--erase")
    assert done.code == 1
    assert not changed(before[0], told.state(0))
    assert "needs internet" in done.items(told.serial(0))["supervision.erased"]["why"]
    assert "needs internet" in told.report(done, 0)["error"], "the whole of it failed for that"
    waits = told.report(done, 1)
    assert not changed(before[1], told.state(1))
    assert "needs internet" in waits["error"]
    assert waits["next_action"]
    (unit,) = told.fleet("unit", "show", told.serial(1), "--json").lines
    assert unit["facts"]["locks"]["activation"] == "Unactivated", "it is shown as such until it is"

    told.server(on=True)
    done = told.provision("--erase")
    assert done.code == 0, done.out
    assert [told.state(at)["erased"] for at in range(2)] == [1, 0]
    assert [told.state(at)["supervised"] for at in range(2)] == [True, True]


def test_power_lost_after_the_erasing(story: Tell) -> None:
    """The computer dies while the phone is away. It has forgotten the computer, which still has its pair record."""
    told = story({**DONOR, "reboot_seconds": 3600})
    running = told.fleet.start(
        "provision", "--all", "--erase", "--json", "--tags", "ST", "--profile", str(told.profile)
    )
    try:
        told.bench.wait_for(lambda event: event["event"] == "erased")
    finally:
        running.kill()
        running.communicate(timeout=60)
    told.bench.send({"do": "plug", "serial": told.serial()})
    assert (told.state()["erased"], told.state()["activation"]) == (1, "Unactivated")

    done = told.provision("--erase")
    assert done.code == 0, done.out
    assert told.results(done) == ["verified"] * 3
    state = told.state()
    assert (state["erased"], state["supervised"], len(state["profiles"])) == (1, True, 1)


@pytest.mark.slow
def test_one_that_comes_back_from_a_student_is_wiped_by_an_explicit_word(story: Tell) -> None:
    """Find My is asked as of any other; it is ours again in the end, and erased once."""
    told = story(DONOR)
    assert told.provision("--erase").code == 0
    told.bench.send({"do": "sign_in", "serial": told.serial()})
    before = told.state()
    assert told.provision("--erase", "--again").code == 1
    assert not changed(before, told.state())
    told.bench.send({"do": "sign_out", "serial": told.serial()})
    plan = told.fleet("provision", told.serial(), "--erase", "--again", "--plan", "--profile", told.profile)
    assert "erase everything" in plan.out
    done = told.provision("--erase", "--again")
    assert (done.code, told.results(done)) == (0, ["verified"] * 3), done.out
    state = told.state()
    assert (state["erased"], state["supervised"], len(state["profiles"])) == (2, True, 1)
    assert told.fleet("provision", "--all", "--again", "--profile", told.profile).code == 2, "it means nothing alone"


def test_a_plan_says_what_will_be(story: Tell) -> None:
    """Also what an intake has against it; and nothing of it is recorded."""
    told = story(DONOR, ("iphone-findmy", DONOR))
    before = [told.state(at) for at in range(2)]
    planned = {report["serial"]: report for report in told.provision("--erase", "--plan").reports()}
    donor, find_my = (planned[told.serial(at)] for at in range(2))
    states = {item["item"]: item["state"] for item in donor["plan"]}
    assert [states[name] for name in SUPERVISION] == ["step"] * 3
    assert [name for name, state in states.items() if state == "cannot"] == ["identity.name"], "it has no tag"
    assert states["restrictions.install_apps"] == "step", "what takes supervision will have it"
    assert find_my["stops"] == ["intake", "find_my"]
    assert not [at for at in range(2) if changed(before[at], told.state(at))]
    assert told.fleet("status", "--json").lines[0]["units"] == 0


def test_pulled_between_the_look_and_the_erasing(story: Tell) -> None:
    """Plugged in again while the activation server is asked: it is not the one that was looked at, and is let be."""
    told = story(DONOR)
    before = told.state()
    told.bench.send({"do": "activation_server", "delay": 1.5})
    started = told.fleet.start("provision", "--all", "--erase", "--json", "--profile", str(told.profile))
    running = Watching(started, told.fleet.home)
    try:
        running.wait_for(lambda row: row["event"] == "step" and row["item"] == "supervision.erased")
        for order in ("unplug", "plug"):
            told.bench.send({"do": order, "serial": told.serial()})
        running.wait_for(lambda row: row["event"] == "summary")
        assert running.end(0)[0] == 1
    finally:
        running.close()
    (report,) = (row for row in running.lines if row["event"] == "report")
    assert "unplugged" in report["error"], "while the server is asked, or in the step before that"
    assert not changed(before, told.state())


def test_without_a_keybag_nothing_is_erased(story: Tell) -> None:
    told = story(DONOR, keybag=None)
    before = told.state()
    done = told.provision("--erase")
    assert done.code == 1
    assert "fleet supervision init" in done.items()["supervision.erased"]["next_action"]
    assert not changed(before, told.state()), "nor is anything else done"


def test_one_that_took_a_configuration_is_erased_first_and_obeys_no_other_keybag(story: Tell) -> None:
    """It is in the Setup Assistant, but takes no second configuration (14002): that is known before it is tried."""
    told = story({**HELLO, "activated": True, "cloud": {"IsSupervised": False, "OrganizationName": "Somebody"}})
    done = told.provision("--erase")
    assert done.code == 0, done.out
    supervised = told.state()
    assert (supervised["erased"], supervised["supervised"]) == (1, True)

    told.keybag(create("Schoolbag Hanoi"))
    done = told.provision("--erase")
    assert done.code == 1
    assert "Schoolbag Hanoi" in told.report(done)["error"]
    assert not changed(supervised, told.state())
