"""A programme that was played through the real command line, and the questions that are then asked of it."""

from __future__ import annotations

import csv
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.programmes.play import Command, Player, Programme, read
from tests.fleets import Fleet


@dataclass
class Played:
    """``made``: the folder of files that were made on the way. ``scale`` is of generated programmes."""

    programme: Programme
    made: Path
    fleet: Fleet
    scale: float

    def play(self) -> None:
        """Every step, each with the exit code that it should have."""
        self.made.mkdir(parents=True, exist_ok=True)
        for step in self.programme.steps:
            done = self._run(step)
            assert done.returncode == step.code, f"{step.run}\n{done.stdout}\n{done.stderr}"

    def ask(self, command: str, *more: str) -> list[dict[str, Any]]:
        """What the question that begins with ``command`` is answered, as lines of JSON."""
        done = self._run(self._question(command), *more, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def show(self, command: str) -> str:
        """The same as people see it."""
        done = self._run(self._question(command))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _question(self, command: str) -> Command:
        """The one that is this command, else the one that begins with it."""
        [found] = [one for one in self.programme.questions if one.run == command] or [
            one for one in self.programme.questions if one.run.startswith(f"{command} ")
        ]
        return found

    def _run(self, command: Command, *more: str) -> subprocess.CompletedProcess[str]:
        player = Player(self.programme, self.made, {**self.fleet.environment(), "COLUMNS": "200"}, self.scale)
        return player.run(command, *more, capture_output=True, timeout=900)


def played(name: str, home: Path, adb_port: int, scale: float = 1.0) -> Played:
    """The programme, played to its end."""
    found = Played(read(name), home / "made", Fleet(home / "home", adb_port), scale)
    found.play()
    return found


def rows(file: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    """A CSV file with its header in the first line."""
    with file.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream))
