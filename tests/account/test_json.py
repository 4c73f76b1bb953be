"""What the commands of the account print with ``--json`` is on the page that says so, and no command is left out."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import select

import cli
from fleet.account.people.unit_pins import own_pins
from fleet.db import snapshot, transaction
from fleet.home import Home
from fleet.models import sim_requests, students
from fleet.remote.agents import records
from fleet.units import open_registry
from profiles.errors import SchoolbagError
from provision.model import Health
from tests.fleet.making import facts, identity, report
from tests.fleets import ROOT

CASE = yaml.safe_load((ROOT / "tests" / "data" / "json" / "account.yaml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "json.md").read_text("utf-8")
ALWAYS = {"v", "event", "at"}
NUMBERS_BY_NAME = {
    *("by_state", "by_verdict", "places", "counts", "steps", "runs", "sims", "kit", "missing", "lacking", "usage"),
    *("statuses", "problems", "counted", "ends", "first", "families", "figures", "ages", "reasons", "columns"),
    *("returned_kit", "checks", "body", "accounts", "units"),
}
"""Fields whose keys are data (states, pieces, months), where they are objects."""


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that has ``--json``."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*path, name))
    elif any("--json" in option.opts for option in group.params):
        yield path


def sections() -> dict[str, set[str]]:
    """What stands between backticks, by the heading above it."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: set(re.findall(r"`([a-z_]+)`", part)) for part in parts}


def keys(value: Any, name: str = "") -> Iterator[str]:
    """The names of all fields in what was printed, those inside of others too."""
    if isinstance(value, Mapping):
        if name in NUMBERS_BY_NAME:
            return
        yield from value
        for inner, what in value.items():
            yield from keys(what, inner)
    elif isinstance(value, list):
        for what in value:
            if isinstance(what, Mapping):
                yield from keys(dict(what))


class Story:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.names: dict[str, str] = {}
        self.printed: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.chdir(folder)
        for name, text in CASE["files"].items():
            (folder / name).write_text(text, encoding="utf-8")

    def tell(self) -> None:
        for step in CASE["story"]:
            if "run" in step:
                self.run(step)
                continue
            with open_registry(self.home, None, "lan") as registry:
                for serial in step.get("bench", ()):
                    who = identity(serial)
                    health = Health(battery_worn=step.get("worn"))
                    registry.record(report(who, facts=replace(facts(who), health=health)))
                if "agent" in step:
                    told = {"agent": "headwind", "profile": "p", "digest": "d", "server": "https://home.example"}
                    with transaction(registry.engine) as conn:
                        records.enrol(conn, registry.ledger, f"android:{step['agent']}", **told)
                if "pin" in step:
                    own_pins(registry)(identity(step["pin"]), True)

    def run(self, step: Mapping[str, Any]) -> None:
        words = self.filled(step["run"])
        home = {"FLEET_HOME": str(self.home.path)}
        done = CliRunner().invoke(cli.root, [*words, "--json"], input=step.get("types", ""), env=home)
        code = done.exception.exit_code if isinstance(done.exception, SchoolbagError) else done.exit_code
        assert code == step.get("ends", 0), (words, done.output, done.exception)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.printed += [(" ".join(words), line) for line in found]

    def filled(self, words: str) -> list[str]:
        if "{" in words or "answer.csv" in words:
            self.look()
        for name, value in self.names.items():
            words = words.replace(f"{{{name}}}", value)
        return shlex.split(words)

    def look(self) -> None:
        """Pseudonyms and numbers that are made anew each time."""
        with open_registry(self.home, None, "lan") as registry, snapshot(registry.engine) as conn:
            found = conn.execute(select(students.c.student, students.c.teacher).order_by(students.c.class_name)).all()
            asked = conn.scalars(select(sim_requests.c.request)).all()
        self.names = {str(place): row.student for place, row in enumerate(found)} | {"teacher": found[0].teacher}
        rows = "".join(f"{request},done\n" for request in asked)
        (self.folder / "answer.csv").write_text(f"request,status\n{rows}nobody,done\n", encoding="utf-8")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        story = Story(tmp_path_factory.mktemp("json"), monkeypatch)
        story.tell()
    return story.printed


def test_every_field_is_on_the_page(printed: list[tuple[str, dict[str, Any]]]) -> None:
    said = sections()
    missing = []
    for words, line in printed:
        about = [names for names in said.values() if line["event"] in names]
        known = set().union(*about) if about else set()
        if unsaid := sorted(set(keys(line)) - known - ALWAYS):
            missing.append((words, line["event"], unsaid))
    assert not missing, "\n".join(map(str, missing))


def test_every_command_of_the_account_is_in_the_story() -> None:
    ours = {path for path in commands(cli.root) if path[0] in cli.SECTIONS["Account"]}
    told = [shlex.split(step["run"].partition("{")[0].partition('"')[0]) for step in CASE["story"] if "run" in step]
    run = {path for words in told for path in ours if tuple(words[: len(path)]) == path or path == tuple(words[2:4])}
    assert sorted(ours - run) == []
