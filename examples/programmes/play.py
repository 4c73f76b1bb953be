"""Run a programme from its steps.yaml with nothing but public commands, then ask its questions.

    python examples/programmes/play.py zhengzhou-2020
    python examples/programmes/play.py lanling-2020 0.05

Every command is shown before it runs, in the folder of the programme. ``$MADE`` stands for a folder of files that are
made on the way, ``$SCALE`` for the size of a generated programme (1: the real one), ``$MONTH_AGO`` for that day. The
questions at the end are those that the tool has to answer of such a programme with one command each.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from string import Template
from typing import Any

import yaml

HERE = Path(__file__).parent
FLEET = Path(sys.executable).with_name("fleet")


@dataclass(frozen=True)
class Command:
    """``say``: what it is for. ``run``: as it is typed in the folder of the programme. ``stdin``: a file there that is
    read as by a scanner. ``code``: its exit code.
    """

    say: str
    run: str
    stdin: str = ""
    code: int = 0

    def words(self, made: Path, scale: float) -> list[str]:
        """Its arguments; the first is the program."""
        month_ago = date.today() - timedelta(days=30)
        values = {"MADE": str(made), "SCALE": str(scale), "MONTH_AGO": month_ago.isoformat()}
        first, *rest = [Template(word).substitute(values) for word in shlex.split(self.run)]
        return [{"fleet": str(FLEET), "python": sys.executable}[first], *rest]


@dataclass(frozen=True)
class Programme:
    """``bench``: the virtual devices, "" for none."""

    folder: Path
    bench: str
    steps: tuple[Command, ...]
    questions: tuple[Command, ...]


def read(name: str) -> Programme:
    """The programme in the folder of this name."""
    folder = HERE / name
    found = yaml.safe_load((folder / "steps.yaml").read_text(encoding="utf-8"))
    return Programme(folder, found.get("bench", ""), _commands(found["steps"]), _commands(found["questions"]))


def _commands(found: list[dict[str, Any]]) -> tuple[Command, ...]:
    return tuple(Command(**one) for one in found)


@dataclass(frozen=True)
class Player:
    """Runs the commands of a programme; ``made`` is the folder of files made on the way."""

    programme: Programme
    made: Path
    env: Mapping[str, str]
    scale: float = 1.0

    def run(self, command: Command, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end; ``more`` are further words, ``options`` those of :func:`subprocess.run`."""
        words = [*command.words(self.made, self.scale), *more]
        folder = self.programme.folder
        with (folder / command.stdin if command.stdin else Path(os.devnull)).open("rb") as stdin:
            return subprocess.run(
                words, cwd=folder, env=self.env, stdin=stdin, text=True, encoding="utf-8", check=False, **options
            )


def main() -> int:
    """Play the programme that is named, in a home of its own that is gone afterwards (or FLEET_HOME)."""
    name, *scale = sys.argv[1:]
    programme = read(name)
    with tempfile.TemporaryDirectory(prefix="programme-") as folder:
        made = Path(folder)
        env = {"FLEET_HOME": str(made / "home"), **os.environ}
        bench = _bench(programme) if programme.bench else None
        try:
            devices = _devices(bench) if bench else {}
            return _play(Player(programme, made, {**env, **devices}, float(scale[0]) if scale else 1.0))
        finally:
            if bench:
                bench.send_signal(signal.SIGINT)
                bench.wait(timeout=30)


def _play(player: Player) -> int:
    for command in (*player.programme.steps, *player.programme.questions):
        print(f"\n# {command.say}\n$ {command.run}{f' < {command.stdin}' if command.stdin else ''}", flush=True)
        if (code := player.run(command).returncode) != command.code:
            print(f"\nIt ended with {code} instead of {command.code}.", file=sys.stderr)
            return 1
    return 0


def _bench(programme: Programme) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FLEET, "virtual", "up", "--spec", programme.folder / programme.bench],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _devices(bench: subprocess.Popen[str]) -> dict[str, str]:
    """Where its devices are, for a command's environment."""
    assert bench.stdout is not None
    ready = json.loads(bench.stdout.readline())
    return {"ANDROID_ADB_SERVER_PORT": str(ready["adb_port"])}


if __name__ == "__main__":
    sys.exit(main())
