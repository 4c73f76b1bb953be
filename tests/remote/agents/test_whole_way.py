"""The whole way, with nothing but commands: a bench gives a phone its owner, it goes home, is changed from afar, is
locked, comes back to nobody."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.benches import Bench
from tests.fleets import Done, Fleet
from tests.virtual import agents
from tests.virtual.test_at_home import HOST, certificate

__all__ = ["certificate"]

SECRET = "of-our-own-build"
PROFILE = """
profile: pupil
content: [{id: book, from: book.txt, to: Learning}]
restrictions: {install_apps: deny, factory_reset: {deny: true, required: true}, debugging: deny%s}
owner: {agent: headwind, file: headwind.apk, secret: !secret agent, server: "https://%s"}
"""


class Field:
    """A bench, which is the hub, too, with one virtual phone."""

    def __init__(self, fleet: Fleet, bench: Bench, folder: Path) -> None:
        self.fleet = fleet
        self.bench = bench
        self.folder = folder
        self.serial = bench.devices[0].serial

    def say(self, *words: str | Path | int, code: int = 0) -> Done:
        done = self.fleet(*words)
        assert done.code == code, done.out + done.err
        return done

    def write(self, more: str = "", book: str = "Once upon a time.") -> Path:
        (self.folder / "book.txt").write_text(book)
        path = self.folder / "pupil.yaml"
        path.write_text(PROFILE % (more, HOST))
        return path

    def order(self, **order: Any) -> None:
        answer = self.bench.send({"serial": self.serial, **order})
        assert answer["event"] == "done", answer

    def state(self) -> dict[str, Any]:
        return self.bench.state(self.serial)

    def until(self, holds: Callable[[dict[str, Any]], object], *, kick: str = "") -> dict[str, Any]:
        end = time.monotonic() + 60
        while not holds(state := self.state()):
            assert time.monotonic() < end, state["agent"]
            if kick:
                self.order(do="agent", now=kick)
            time.sleep(0.3)
        return state

    @contextmanager
    def serving(self, certificate: tuple[Path, Path]) -> Iterator[str]:
        """``fleet serve``, and the phone's way to it."""
        cert, key = certificate
        process = self.fleet.start("serve", "--port", "0", "--cert", cert, "--key", key, "--json")
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["url"].rpartition(":")[2]
            self.order(do="internet", online=True, hosts={HOST: f"127.0.0.1:{port}"}, ca=str(cert))
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def at_home(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.say("unit", "show", self.serial, "--json").lines[-1]
        return shown


@pytest.fixture
def field(fleet: Fleet, virtual_bench: Callable[[Mapping[str, Any]], Bench], tmp_path: Path) -> Field:
    folder = tmp_path / "profile"
    folder.mkdir()
    shutil.copy(agents.build(tmp_path / "apk", "headwind", secret=SECRET), folder / "headwind.apk")
    fleet.env["FLEET_SECRET_AGENT"] = SECRET
    bench = virtual_bench({"devices": [{"preset": "pixel-13", "state": {"agent": {"speed": 300}}}]})
    return Field(fleet, bench, folder)


@pytest.mark.slow
def test_from_the_bench_to_home_and_back(field: Field, certificate: tuple[Path, Path]) -> None:
    profile = field.write()
    done = field.fleet.provision("--tags", "A", profile=profile)
    items = done.items()
    assert done.code == 0, json.dumps(items, indent=1)
    assert {name: items[name]["result"] for name in ("owner.agent", "owner.owner", "owner.sync")} == dict.fromkeys(
        ("owner.agent", "owner.owner", "owner.sync"), "verified"
    )
    assert (items["restrictions.factory_reset"]["result"], items["restrictions.factory_reset"]["strength"]) == (
        "verified",
        "B",
    )
    assert items["restrictions.debugging"]["result"] != "verified", "nobody has seen it at home"
    assert set(field.state()["policy_restrictions"]) == {"no_factory_reset", "no_install_apps"}
    assert field.fleet.provision(profile=profile).summary["steps"] == 0

    field.say("release", "key", "init")
    with field.serving(certificate):
        state = field.until(lambda state: "no_debugging_features" in state["policy_restrictions"], kick="update")
        assert state["agent"]["server"] == f"https://{HOST}"
        field.until(lambda state: not state["plugged"])

        field.write(more=", sms: deny", book="And they lived happily.")
        release = field.say("release", "build", profile, "--note", "two", "--json").lines[-1]["number"]
        plan = field.say("push", release, "--via", "agent", "--plan")
        assert "1" in plan.out
        field.say("push", release, "--via", "agent")
        field.until(lambda state: "no_sms" in state["policy_restrictions"], kick="update")
        field.order(do="agent", now="report")
        end = time.monotonic() + 60
        while (pushed := field.say("push", "status", "--json").lines[-1])["state"] != "done":
            assert time.monotonic() < end, (pushed, field.at_home())
            time.sleep(0.5)
        (unit,) = field.say("push", "status", "--units", "--all", "--json").lines[-1]["units"]
        assert unit["serial"] == field.serial
        at_home = field.say("unit", "show", "A-0001", "--json").lines[-1]["at_home"]
        assert (at_home["confirmed"], at_home["missing"], at_home["drift"]) == (at_home["wanted"]["digest"], [], [])

        field.say("unit", "lock", "A-0001", "--text", "Please call the school.", "--why", "the family asked for it")
        state = field.until(lambda state: state["agent"]["screen"]["lock"] == "Please call the school.", kick="update")
        field.say("unit", "unlock", "A-0001", "--why", "found")
        field.until(lambda state: state["agent"]["screen"]["lock"] is None, kick="update")

        field.say("unit", "wipe", "A-0001", "--why", "given up", code=2)
        field.say("unit", "wipe", "A-0001", "--again", "A-0001", "--why", "given up")
        field.until(lambda state: state["owner"] is None, kick="")
    shown = field.at_home()
    assert "wipe" in json.dumps(shown)
    assert field.say("ledger", "verify").code == 0


@pytest.mark.slow
def test_a_changed_profile_reaches_a_phone_that_is_still_at_the_bench(field: Field) -> None:
    assert field.fleet.provision("--tags", "A", profile=field.write()).code == 0
    number = field.state()["agent"]["number"]

    done = field.fleet.provision(profile=field.write(more=", sms: deny", book="And they lived happily."))

    items = done.items()
    assert done.code == 0, json.dumps(items, indent=1)
    assert {
        name: items[name]["result"] for name in ("owner.sync", "restrictions.sms", "content.book")
    } == dict.fromkeys(("owner.sync", "restrictions.sms", "content.book"), "verified")
    state = field.state()
    assert (state["agent"]["number"], "no_sms" in state["policy_restrictions"]) == (number, True)
    assert (
        field.fleet.provision(profile=field.write(more=", sms: deny", book="And they lived happily.")).summary["steps"]
        == 0
    )
    assert field.say("ledger", "verify").code == 0


def test_an_agent_of_another_build_is_told_as_that_and_keeps_its_number(field: Field) -> None:
    profile = field.write()
    field.fleet.env["FLEET_SECRET_AGENT"] = "of-another-build"
    sync = field.fleet.provision("--tags", "A", profile=profile).items()["owner.sync"]
    assert (sync["result"], sync["why"]) == (
        "failed",
        "The agent was built with another secret than this profile names.",
    )
    number = field.state()["agent"]["number"]

    field.fleet.env["FLEET_SECRET_AGENT"] = SECRET
    assert field.fleet.provision(profile=profile).items()["owner.sync"]["result"] == "verified"
    assert field.state()["agent"]["number"] == number
