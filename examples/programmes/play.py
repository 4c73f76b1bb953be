"""Run a programme from its steps.yaml with nothing but public commands, then ask its questions.

    python examples/programmes/play.py zhengzhou-2020

Every command is shown before it runs, in the folder of the programme; ``$MADE`` stands for the folder of generated
files. The questions at the end are those that the tool has to answer of such a programme with one command each.
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
from pathlib import Path
from typing import IO, Any

import yaml

HERE = Path(__file__).parent
FLEET = Path(sys.executable).with_name("fleet")


@dataclass(frozen=True)
class Command:
    """``say``: what it is for. ``run``: as it is typed in the folder of the programme. ``stdin``: a file there that is
    read as by a scanner. ``code``: its exit code. ``answer``: of a question, texts that have to be in what it prints.
    """

    say: str
    run: str
    stdin: str = ""
    code: int = 0
    answer: tuple[str, ...] = ()

    def words(self, made: Path) -> list[str]:
        """Its arguments; the first is the program."""
        first, *rest = [word.replace("$MADE", str(made)) for word in shlex.split(self.run)]
        return [{"fleet": str(FLEET), "python": sys.executable}[first], *rest]

    def scanned(self, folder: Path, made: Path) -> Path | None:
        """The file that is its standard input."""
        return folder / self.stdin.replace("$MADE", str(made)) if self.stdin else None


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
    return tuple(Command(**{**one, "answer": tuple(one.get("answer", ()))}) for one in found)


def run(
    command: Command, programme: Programme, made: Path, env: Mapping[str, str], **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``options`` are of :func:`subprocess.run`."""
    file = command.scanned(programme.folder, made)
    stdin: IO[bytes] | int = file.open("rb") if file else subprocess.DEVNULL
    try:
        return subprocess.run(
            command.words(made), cwd=programme.folder, env=env, stdin=stdin, text=True, check=False, **options
        )
    finally:
        if not isinstance(stdin, int):
            stdin.close()


def main() -> int:
    """Play the programme that is named, in a home of its own that is gone afterwards (or FLEET_HOME)."""
    programme = read(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="programme-") as folder:
        made = Path(folder)
        env = {"FLEET_HOME": str(made / "home"), **os.environ}
        bench = _bench(programme) if programme.bench else None
        try:
            return _play(programme, made, {**env, **(_devices(bench) if bench else {})})
        finally:
            if bench:
                bench.send_signal(signal.SIGINT)
                bench.wait(timeout=30)


def _play(programme: Programme, made: Path, env: Mapping[str, str]) -> int:
    for command in (*programme.steps, *programme.questions):
        print(f"\n# {command.say}\n$ {command.run}{f' < {command.stdin}' if command.stdin else ''}", flush=True)
        if (code := run(command, programme, made, env).returncode) != command.code:
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
