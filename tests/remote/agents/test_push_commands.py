"""``fleet push --via agent`` as people run it: the plan, what is refused, how it stands, going back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fleet.account.filters.leaves import WAITS
from fleet.db import transaction
from fleet.home import Home, Options
from fleet.remote.agents.records import enrol
from fleet.remote.pushes.commands import push as group
from fleet.remote.releases.store import Store
from fleet.units import Registry, open_registry
from fleet.values import Json
from tests.fleets import Fleet
from tests.remote.agents.at_home import contact, unit
from tests.remote.agents.phones import profile
from tests.remote.making import built
from tests.remote.making import profile as without_owner

Run = Callable[..., Result]
MB = 1_000_000


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with releases 1 and 2 of a profile with an agent, of which the book differs, and 3, which has no agent."""
    folder = tmp_path_factory.mktemp("built")
    fleet = Fleet(folder / "home", 1)
    assert fleet("release", "key", "init").code == 0
    for number, book in enumerate(("short", "x" * 12 * MB), 1):
        profile(folder / str(number), book=book)
        assert built(fleet, folder / str(number) / "small.yaml", note=str(number)) == number
    assert built(fleet, without_owner(folder / "three"), note="three") == 3
    return folder / "home"


@pytest.fixture
def hub(home: Home, releases: Path) -> Iterator[Registry]:
    """Three units with the agent and release 1, one of them with a SIM; one that left its bench without an agent."""
    shutil.copytree(releases, home.path, symlinks=True)
    digest = Store(home).signed(1).manifest.profiles["small"]
    told = {"agent": "headwind", "profile": "small", "digest": digest, "server": "http://localhost:9"}
    with open_registry(home, None, "lan") as registry:
        keys = [unit(registry, number) for number in range(1, 5)]
        with transaction(registry.engine) as conn:
            for key in keys[:3]:
                enrol(conn, registry.ledger, key, **told)
            fields: dict[str, Json] = {"quota": "20 MB/day", "state": "in_use", "unit": keys[0], "carrier": "viettel"}
            sim = "8984048000012345671"
            registry.ledger.append(conn, "sim.set", sim, {"v": 1, "step": "receive", "fields": {**fields, "days": 90}})
        yield registry


@pytest.fixture
def run(hub: Registry) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(group, words, obj=Options(home=hub.home.path))

    return invoke


def _line(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output or done.exception
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return found


@pytest.mark.usefixtures("hub")
def test_the_plan_says_units_settings_megabytes_and_what_waits(run: Run) -> None:
    found = _line(run("2", "--via", "agent", "--waves", "1,100%", "--plan", "--json"))
    assert [wave["units"] for wave in found["waves"]] == [1, 2]
    total = {name: sum(wave[name] for wave in found["waves"]) for name in ("bytes", "known", "above")}
    assert total == {"bytes": 3 * 12 * MB, "known": 1, "above": 1}
    assert sum(wave["settings"]["content"] for wave in found["waves"]) == 3
    assert sum(wave["waits"]["Learning/book.txt"] for wave in found["waves"]) == 3, "no quota is known of two"
    assert (found["without_agent"], found["left_out"]) == (1, [])
    said = run("2", "--via", "agent", "--plan").output
    assert "Release 2 to 3 units at home: 36.0 MB in all." in " ".join(said.split())
    assert "book.txt waits for Wi-Fi at 3 units. All else that these units are to fetch" in " ".join(said.split())
    assert "Not reached: 1 unit that left the bench without an agent" in " ".join(said.split())


def test_who_waits_for_wifi_has_not_got_it_yet(run: Run, hub: Registry) -> None:
    digest = Store(hub.home).signed(2).manifest.profiles["small"]
    for number, drift in enumerate(([f"{WAITS}file Learning/book.txt is another one"], [], ["app x is not there"]), 1):
        contact(hub, f"android:SN{number}", fetched=digest, fetched_at=timedelta(hours=1), drift=json.dumps(drift))
    (wave,) = _line(run("2", "--via", "agent", "--plan", "--json"))["waves"]
    assert (wave["bytes"], wave["settings"], wave["waits"]) == (12 * MB, {}, {"Learning/book.txt": 1})


@pytest.mark.parametrize(
    "words", [["--workers"], ["--sites", "district-5"], ["--no-bring"], ["--plan", "--workers", "--no-bring"]]
)
def test_what_is_for_sites_alone_is_refused(run: Run, words: list[str]) -> None:
    done = run("2", "--via", "agent", *words)
    assert done.exit_code == 2
    assert "that is for sites" in done.output


def test_a_profile_without_an_agent_is_given_to_nobody(run: Run) -> None:
    for words in (["--plan"], []):
        done = run("3", "--via", "agent", *words)
        assert "The profile small has no agent that asks a server" in str(done.exception)


def test_a_push_is_seen_paused_and_gone_back_from(run: Run, hub: Registry) -> None:
    begun = _line(run("1", "--via", "agent", "--json"))
    assert (begun["push"], begun["via"], begun["state"], begun["rules"]["thresholds"]) == (
        "push-1",
        "agent",
        "running",
        ["f" * 64],
    )
    second = _line(run("2", "--via", "agent", "--waves", "1,100%", "--hours", "00:00-23:59", "--json"))
    assert second["rules"]["zones"] == {"small": "Asia/Ho_Chi_Minh"}
    assert _line(run("status", "push-1", "--json"))["why"] == "replaced by push-2"
    digest = Store(hub.home).signed(2).manifest.profiles["small"]
    for number in (1, 2, 3):
        contact(hub, f"android:SN{number}", fetched=digest, fetched_at=timedelta(hours=1))
    shown = " ".join(run("status").output.split())
    assert "push-2, release 2, via agents: running" in shown
    units = _line(run("status", "--units", "--json"))["units"]
    assert {one["tag"]: one["stand"] for one in units} == {"A-1": "fetched", "A-2": "fetched", "A-3": "fetched"}
    assert run("pause").exit_code == 0
    assert _line(run("status", "--json"))["state"] == "paused"
    assert run("resume").exit_code == 0
    assert run("abort", "push-2").exit_code == 0
    back = _line(run("rollback", "--via", "agent", "--json"))
    assert (back["release"], back["rules"]["older"]) == (1, True)
    assert [one["via"] for one in _line(run("list", "--json"))["pushes"]] == ["agent"] * 3


def test_a_push_whose_filter_cannot_be_asked_any_more_is_paused_and_says_so(run: Run, hub: Registry) -> None:
    rules = hub.home.path / "health.yaml"
    words = "{en: a, zh: a, vi: a}"
    rules.write_text(f"own:\n  meaning: {words}\n  where: state=with_student\n  severity: note\n  next: {words}\n")
    assert run("2", "--via", "agent", "--where", "alarm=own").exit_code == 0
    rules.unlink()
    found = _line(run("status", "--json"))
    assert (found["state"], found["waves"]) == ("paused", [])
    assert "no alarm is called 'own'" in found["why"]


def test_wait_stays_until_it_is_over(run: Run, hub: Registry) -> None:
    digest = Store(hub.home).signed(2).manifest.profiles["small"]
    for number in (1, 2, 3):
        told = dict.fromkeys(("fetched_at", "confirmed_at", "told_at"), timedelta(0))
        contact(hub, f"android:SN{number}", fetched=digest, confirmed=digest, **told)
    found = _line(run("2", "--via", "agent", "--waves", "1,100%", "--wait", "--json"))
    assert (found["state"], [wave["confirmed"] for wave in found["waves"]]) == ("done", [1, 2])


def test_where_nobody_has_an_agent_it_is_said_by_number(run: Run) -> None:
    done = run("2", "--via", "agent", "--where", "tag=A-4")
    assert "No unit that is meant has an agent" in str(done.exception)
    assert "1 unit left the bench without one" in getattr(done.exception, "next_action", "")
