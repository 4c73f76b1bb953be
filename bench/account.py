"""The account of a whole country: a generated registry, and how long each question takes against its anchor.

    .venv/bin/python -m bench.account [--units N] [--at FOLDER] [--times N] [--only status gaps …] [--database URL]

``--units 1000000`` is the size that the marks are meant for: 1,200,000 students, 1,000,000 SIMs, 6,300,000 events; it
takes about an hour to make, so keep it with ``--at``. The fewer units, the worse the lines look, as the counts that
are allowed for shrink and what every process takes does not.

Every line is the median of ratios to its mark, taken turn by turn in this run. "Start" is a bare ``python -c "import
click, rich.table, sqlalchemy"``, "shell" the ``sqlite3`` (or ``psql``) shell with the same counts over the same tables:

- status: the start and twice the shell; and no slower with three times the history;
- gaps and unit show: the start and 100 ms;
- roster import: four times ``sqlite3 .import`` of the same file, and 500 MB of memory;
- check-ins: three times what the engine takes for the same rows.

It fails when a mark is missed. With ``--database`` (an empty PostgreSQL database, or one that this bench filled) the
history and the import of rosters are left out, and the check-ins need a superuser of the server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.million.checkins import rates
from bench.million.measure import FLEET, START, Marks, Turns, Words, cost, turns
from bench.million.questions import questions
from bench.million.registry import Made, made
from bench.million.world import World

AROUND = 0.100
MEMORY = 500
"""MB."""


@dataclass(frozen=True)
class Bench:
    """``at`` is where generated registries are kept; ``times``: how often each question is asked; ``processor``:
    whether its time is what counts."""

    at: Path
    world: World
    database: str
    times: int
    processor: bool
    marks: Marks

    @cached_property
    def registry(self) -> Made:
        return made(self.at, self.world.units, database=self.database)

    def fleet(self, *words: str) -> Words:
        return (FLEET, *self.registry.arguments, *words)

    def turns(self, commands: Mapping[str, Words], times: int | None = None) -> Turns:
        return turns(commands, times or self.times, codes=(0, 1), processor=self.processor)

    def shell(self, sql: str) -> Words:
        if self.registry.database:
            return ("psql", self.registry.database, "-qAtX", "-c", sql)
        return ("sqlite3", self.registry.home / "registry.db", sql)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=30_000)
    parser.add_argument("--at", type=Path, help="where generated registries are kept; else they are made for this run")
    parser.add_argument("--times", type=int, default=5, help="turns of each question")
    parser.add_argument("--processor", action="store_true", help="count its time, not the clock's: on a busy computer")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--database", default="", help="an empty PostgreSQL database, or one that this bench filled")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="schoolbag-account-") as folder:
        at = wanted.at or Path(folder)
        bench = Bench(at, World(wanted.units), wanted.database, wanted.times, wanted.processor, Marks())
        for name in wanted.only:
            if not (wanted.database and name in ("history", "roster")):
                PARTS[name](bench)
    print(f"{len(bench.marks.missed)} missed")
    return 1 if bench.marks.missed else 0


def status(bench: Bench) -> None:
    for question in questions(bench.world):
        commands = {"start": START, "shell": bench.shell(question.sql), "fleet": bench.fleet(*question.words)}
        found = bench.turns(commands)
        ratio = found.ratio(lambda turn: turn["fleet"] / (turn["start"] + 2 * turn["shell"]))
        bench.marks.tell(question.shown, ratio, 1, found.told())


def history(bench: Bench) -> None:
    """Two registries of a fifth of the units: what is now is the same, what was before is three times as much."""
    units = max(2000, bench.world.units // 5)
    short, long = made(bench.at, units), made(bench.at, units, years=3)
    for words in (("status",), ("status", "--by", "school"), ("status", "--where", "state=with_student")):
        commands = {name: (FLEET, *one.arguments, *words) for name, one in (("short", short), ("long", long))}
        found = bench.turns(commands, bench.times * 2)
        ratio = found.ratio(lambda turn: turn["long"] / turn["short"])
        bench.marks.tell(f"fleet {' '.join(words)}, history three times as long", ratio, 1.1, found.told())


def gaps(bench: Bench) -> None:
    world = bench.world
    _soon(bench, {"fleet gaps": ("gaps",), "fleet gaps --school": ("gaps", "--school", world.schools[3])})
    for by in ("reason", "school", "area"):
        _told(bench, "gaps", "--by", by)


def unit(bench: Bench) -> None:
    world = bench.world
    for number in (world.units // 3, world.units - 1):
        _soon(bench, {f"fleet unit show, unit {number}": ("unit", "show", world.serial_of(number))})


def others(bench: Bench) -> None:
    for words in (("data-plans",), ("report", "table"), ("report", "programme"), ("balance",), ("unit", "list")):
        _told(bench, *words)


def _soon(bench: Bench, asked: Mapping[str, Sequence[str]]) -> None:
    for what, words in asked.items():
        found = bench.turns({"start": START, "fleet": bench.fleet(*words)})
        ratio = found.ratio(lambda turn: turn["fleet"] / (turn["start"] + AROUND))
        bench.marks.tell(what, ratio, 1, found.told())


def _told(bench: Bench, *words: str) -> None:
    """Without a mark."""
    found = bench.turns({"start": START, "fleet": bench.fleet(*words)}, min(bench.times, 3))
    ratio = found.ratio(lambda turn: turn["fleet"] / turn["start"])
    bench.marks.tell(f"fleet {' '.join(words)}, to the start", ratio, None, found.told())


def roster(bench: Bench) -> None:
    rows = bench.world.units
    with tempfile.TemporaryDirectory(prefix="schoolbag-roster-") as name:
        folder = Path(name)
        file = folder / "roster.csv"
        World(rows).write_roster(file, rows)
        shell = ("sqlite3", folder / "list.db", "-cmd", ".mode csv", f".import {file} roster")
        asked = (FLEET, "--home", folder / "home", "roster", "import", file)
        steps = {"dry run": asked, "--apply": (*asked, "--apply"), "the same again": (*asked, "--apply")}
        for what, words in steps.items():
            (folder / "list.db").unlink(missing_ok=True)
            theirs, ours = cost(shell), cost(words)
            took, least = (one.processor if bench.processor else one.seconds for one in (ours, theirs))
            bench.marks.tell(
                f"roster of {rows} rows, {what}, to .import", took / least, 4, f"{took:.1f} s to {least:.2f} s"
            )
            bench.marks.tell("  memory", ours.memory / MEMORY, 1, f"{ours.memory:.0f} MB")


def check_ins(bench: Bench) -> None:
    found = rates(bench.registry, max(1000, bench.world.units // 50), processor=bench.processor)
    how = f"{found.ours:.0f} per second, the engine {found.engine:.0f}"
    bench.marks.tell("check-ins, engine to ours", found.engine / found.ours, 3, how)


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "status": status,
    "history": history,
    "gaps": gaps,
    "unit": unit,
    "others": others,
    "roster": roster,
    "check-ins": check_ins,
}


if __name__ == "__main__":
    sys.exit(main())
