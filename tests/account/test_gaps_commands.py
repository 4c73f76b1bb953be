"""Programme, assignment, gaps and reports as people and scripts use them, over one small case."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fleet.account.assign.commands import assign, unassign
from fleet.account.people.vault import Person, the_vault
from fleet.account.programme.commands import programme
from fleet.account.programme.gaps_commands import gaps
from fleet.account.reports.commands import report
from fleet.db import snapshot, transaction
from fleet.errors import AccountError
from fleet.home import Home, Options
from fleet.ledger import Verified, verify
from fleet.models import events
from fleet.units import open_registry
from fleet.values import Json
from tests.account.programme_making import Clock, World, key
from tests.fleets import FLEET

COMMANDS = {"assign": assign, "unassign": unassign, "gaps": gaps, "programme": programme, "report": report}
PROGRAMME = """
programme: small
one_per: student
areas: [{area: South, officer: desk 3}, {area: North}]
categories: [{category: orphan}, {category: poor}]
stages: [{stage: primary, grades: 1-5}, {stage: lower, grades: 6-9}]
phases:
  - {phase: one, from: 2021-01-01, to: 2021-12-31, targets: [{what: devices, number: 4, by: 2021-12-31}]}
"""
SMALL = {
    "day": "2021-10-20",
    "programme": PROGRAMME,
    "places": {
        "STORE": {"kind": "store"},
        "LE-LOI": {"kind": "school", "area": "South"},
        "HAI-BA": {"kind": "school", "area": "North"},
    },
    "students": {
        "Ann": {"school": "LE-LOI", "area": "South", "category": "poor", "grade": "3", "teacher": "T-1"},
        "Bao": {"school": "LE-LOI", "area": "South", "category": "orphan", "grade": "7", "teacher": "T-1"},
        "Cam": {"school": "HAI-BA", "area": "North", "category": "poor", "grade": "3", "teacher": "T-2"},
        "Dan": {"school": "HAI-BA", "area": "North", "category": "poor", "grade": "4", "connection": "line"},
        "Eva": {"school": "HAI-BA", "area": "North", "category": "poor", "grade": "4", "left": "2021-10-10"},
    },
    "units": {
        "A-1": {"place": "STORE"},
        "A-2": {"place": "STORE"},
        "A-3": {
            "place": "HAI-BA",
            "runs": [{}, {"day": "2021-10-05"}],
            "steps": [{"day": "2021-10-01", "step": "hand_over", "student": "Dan"}],
        },
    },
}


def test_nobody_is_enrolled(home: Home) -> None:
    """That is no success: nobody is served, either."""
    for words in ((), ("--by", "reason"), ("--by", "school")):
        told = CliRunner().invoke(gaps, words, obj=Options(home.path)).output
        assert told == "No student is enrolled.\n"


def test_a_list_of_which_only_the_first_lines_are_read(home: Home) -> None:
    """``fleet gaps --csv | head``: what is left over is ended before the registry is closed."""
    with open_registry(home, None, "lan") as registry, transaction(registry.engine) as conn:
        school: dict[str, Json] = {
            "v": 1,
            "fields": {"school": "LE-LOI", "area": "South", "category": "poor"},
            "ids": {},
        }
        registry.ledger.append_many(conn, (("student.set", f"S{n:09}", {**school}) for n in range(4000)))
    for words in (["gaps", "--csv"], ["gaps", "--json", "--all"]):
        with subprocess.Popen(
            [FLEET, "--home", home.path, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as done:
            assert done.stdout
            assert done.stderr
            assert done.stdout.readline()
            done.stdout.close()
            assert done.stderr.read() == b""


_NUMBERS = ("enrolled", "left", "with_device", "served", "not_served", "came", "went", "handed_over")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case in a folder of its own, to be copied."""
    folder, clock = tmp_path_factory.mktemp("small"), Clock()
    with open_registry(Home(folder / "home"), None, "lan", clock=clock) as registry:
        World(registry, clock, SMALL).make(folder)
    return folder


@pytest.fixture
def small(made: Path, home: Home) -> Iterator[World]:
    shutil.copytree(made / "home", home.path)
    clock = Clock("2021-10-20")
    with open_registry(home, None, "lan", clock=clock) as registry:
        yield World(registry, clock, SMALL)


def fleet(home: Home, *words: str) -> Result:
    name, *rest = words
    done = CliRunner().invoke(COMMANDS[name], rest, obj=Options(home=home.path, actor="lan"), env={"COLUMNS": "140"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def lines(home: Home, *words: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in fleet(home, *words, "--json").output.splitlines()]
    assert all(line["v"] == 1 and line["at"].endswith("Z") for line in found)
    return found


def test_gaps(small: World, home: Home) -> None:
    found = lines(home, "gaps")
    assert [(line["student"], line["first"]) for line in found[:-1]] == [
        (key("Bao"), "no_device"),
        (key("Ann"), "no_device"),
        (key("Cam"), "no_device"),
    ]
    assert list(found[0]["reasons"]) == ["no_device", "no_connection"]
    assert (found[-1]["event"], found[-1]["more"]) == ("page", False)
    assert [line["student"] for line in lines(home, "gaps", "--school", "hai-ba")[:-1]] == [key("Cam")]
    assert lines(home, "gaps", "--reason", "never_seen")[:-1] == []
    assert "no device" in fleet(home, "gaps").output
    assert fleet(home, "gaps", "--page", "2").output == "There are no more.\n"


def test_counts(small: World, home: Home) -> None:
    rows = lines(home, "gaps", "--by", "area")
    assert [(row["key"], row["enrolled"], row["unserved"]) for row in rows] == [("South", 2, 2), ("North", 2, 1)]
    assert "3 of 4 enrolled students are not served." in fleet(home, "gaps", "--by", "reason").output
    table = list(csv.reader(io.StringIO(fleet(home, "gaps", "--by", "school", "--csv").output.lstrip("\ufeff"))))
    assert table[0][:3] == ["school", "enrolled", "not served"]
    assert {row[0]: row[1:3] for row in table[1:]} == {"HAI-BA": ["2", "1"], "LE-LOI": ["2", "2"]}


def test_names_are_of_one_school_and_recorded(small: World, home: Home) -> None:
    """Nothing above the school has a name; every one that is shown is an event."""
    with transaction(small.registry.engine) as conn:
        vault = the_vault(home, conn)
        vault.put(conn, key("Ann"), Person(name="=Phạm Văn An"))
    assert fleet(home, "gaps", "--area", "South", "--names", "visit").exit_code == 2
    for words in (
        ("gaps",),
        ("gaps", "--by", "school"),
        ("report", "programme"),
        ("report", "area", "South"),
        ("report", "school", "LE-LOI"),
        ("report", "table"),
    ):
        assert "Phạm" not in fleet(home, *words).output
        assert "Phạm" not in fleet(home, *words, "--json").output
    assert not _reads(small)
    assert "Phạm Văn An" in fleet(home, "gaps", "--school", "LE-LOI", "--names", "visit on Monday").output
    assert _reads(small) == [(key("Ann"), "visit on Monday")]  # of the others no name is kept
    listed = fleet(home, "gaps", "--school", "LE-LOI", "--names", "visit", "--csv").output
    assert "'=Phạm Văn An" in listed
    named = lines(home, "report", "visits", "--teacher", "T-1", "--names", "visit")
    assert [line.get("name") for line in named[:-1]] == ["=Phạm Văn An", None]
    with snapshot(small.registry.engine) as conn:
        assert isinstance(verify(conn), Verified)


def _reads(small: World) -> list[tuple[str, str]]:
    with snapshot(small.registry.engine) as conn:
        query = events.select().where(events.c.kind == "vault.read").order_by(events.c.subject)
        return [(row.subject, json.loads(row.body)["why"]) for row in conn.execute(query)]


@pytest.mark.parametrize(
    "words",
    [
        ("gaps", "--names", "x"),
        ("gaps", "--school", "LE-LOI", "--names", " "),
        ("gaps", "--by", "area", "--page", "2"),
        ("gaps", "--all"),
        ("gaps", "--csv", "--json"),
        ("gaps", "--reason", "no_devise"),
        ("gaps", "--two", "--reason", "lost"),
        ("assign",),
        ("assign", "A-1"),
        ("assign", "A-1", "S-1", "--auto"),
        ("assign", "--why", "S-1", "--apply"),
        ("report", "table", "--since", "yesterday"),
        ("report", "visits", "--teacher", "T-1", "--names", ""),
    ],
)
def test_usage(small: World, home: Home, words: tuple[str, ...]) -> None:
    done = fleet(home, *words)
    assert done.exit_code == 2, done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("gaps", "--school", "LE-LOY"), 'did you mean "LE-LOI"'),
        (("gaps", "--area", "Sout"), 'did you mean "South"'),
        (("report", "area", "Nort"), 'did you mean "North"'),
        (("report", "school", "STORE"), "No school has the code"),
        (("report", "programme", "--trace", "not_servd"), 'did you mean "not_served"'),
        (("assign", "A-1", "Sxx"), "no pseudonym"),
        (("assign", "--auto", "--place", "STOR"), 'did you mean "STORE"'),
    ],
)
def test_unknown_names(small: World, home: Home, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(AccountError) as error:
        fleet(home, *words)
    assert told in str(error.value)


def test_auto(small: World, home: Home) -> None:
    """Nothing is done without --apply; done twice, it is done once."""
    planned = lines(home, "assign", "--auto")
    assert [(line["shown"], line["student"]) for line in planned[:-1]] == [("A-1", key("Bao")), ("A-2", key("Ann"))]
    assert lines(home, "gaps")[0]["first"] == "no_device"
    assert "would be assigned" in fleet(home, "assign", "--auto").output
    done = lines(home, "assign", "--auto", "--apply")
    assert [line["unit"] for line in done[:-1]] == [line["unit"] for line in planned[:-1]]
    again = lines(home, "assign", "--auto", "--apply")
    assert (len(again), again[-1]["ready"]) == (1, 0)
    assert lines(home, "gaps")[0]["first"] == "not_handed_over"


def test_by_hand(small: World, home: Home) -> None:
    """The same guards; a reason is recorded, and does not make up for what cannot be."""
    s = {name: f"S-{key(name)[1:]}" for name in SMALL["students"]}
    assert "is meant for" in fleet(home, "assign", "A-1", s["Cam"].lower()).output
    assert "Nothing was changed" in fleet(home, "assign", "A-1", s["Cam"]).output
    for words, told in {
        ("assign", "A-1", s["Ann"]): "is meant for",
        ("assign", "A-2", s["Cam"]): "a unit is theirs already: A-1",
        ("assign", "A-2", s["Eva"]): "has left",
        ("assign", "A-3", s["Ann"]): "is meant for",
        ("assign", "A-2", s["Eva"], "--allow", "asked for"): "has left",
        ("unassign", "A-3"): "fleet return",
        ("unassign", "A-2"): "meant for nobody",
    }.items():
        with pytest.raises(AccountError) as error:
            fleet(home, *words)
        assert told in str(error.value)
    assert "Against" in fleet(home, "assign", "A-2", s["Cam"], "--allow", "the first one is slow").output
    [two] = lines(home, "gaps", "--two")
    assert (two["students"], two["units"], two["due"]) == ([key("Cam")], ["A-1", "A-2"], 1)
    with snapshot(small.registry.engine) as conn:
        bodies = [json.loads(row.body) for row in conn.execute(events.select().where(events.c.kind == "unit.assigned"))]
    assert [body["allowed"] for body in bodies] == ["", "the first one is slow"]
    assert "nobody's now" in fleet(home, "unassign", "A-2").output
    assert "number 1 of" in fleet(home, "assign", "--why", s["Bao"]).output


def test_programme(small: World, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "programme.yaml"
    file.write_text(PROGRAMME, encoding="utf-8")
    assert fleet(home, "programme", "check", str(file)).exit_code == 0
    told = fleet(home, "programme", "apply", str(file)).output
    assert "in force already" in told
    assert "counts as never seen at once" in told  # it does not say seen_within
    assert "desk 3" in fleet(home, "programme", "show").output
    assert lines(home, "programme", "show")[0]["programme"] == "small"
    [found] = lines(home, "programme", "progress", "--by", "area")
    assert [(one["area"], one["done"], one["number"]) for one in found["targets"]] == [
        *(("", 1, 4), ("South", 0, 2), ("North", 1, 2))
    ]
    assert "1 of 4 (25 %)" in fleet(home, "programme", "progress").output
    assert json.loads(fleet(home, "programme", "schema").output)["title"] == "Programme"
    file.write_text("programme: x\n", encoding="utf-8")
    done = fleet(home, "programme", "check", str(file), "--json")
    assert done.exit_code == 2
    assert json.loads(done.output)["problems"][0]["message"] == '"one_per" is missing'


@pytest.mark.parametrize("level", [("programme",), ("area", "South"), ("area", "North"), ("school", "HAI-BA")])
def test_every_figure_is_traced(small: World, home: Home, level: tuple[str, ...]) -> None:
    """As many records stand behind a figure as it says."""
    fleet(home, "assign", "--auto", "--apply")
    [found] = lines(home, "report", *level)
    for figure, number in found["figures"].items():
        assert len(lines(home, "report", *level, "--trace", figure)) == number, figure


def test_levels_add_up(small: World, home: Home) -> None:
    [whole] = lines(home, "report", "programme")
    areas = [lines(home, "report", "area", row["key"])[0] for row in whole["rows"]]
    schools = [lines(home, "report", "school", row["key"])[0] for area in areas for row in area["rows"]]
    for figure, number in whole["figures"].items():
        assert sum(area["figures"][figure] for area in areas) == number, figure
        assert sum(school["figures"][figure] for school in schools) == number, figure
    assert whole["figures"]["enrolled"] == 4
    assert (areas[0]["officer"], areas[0]["oldest"][0]["reason"]) == ("desk 3", "no_device")
    assert "Responsible: desk 3" in fleet(home, "report", "area", "South").output


def test_table(small: World, home: Home) -> None:
    rows = {row["key"]: row for row in lines(home, "report", "table", "--by", "stage", "--since", "2021-09-15")}
    assert list(rows) == ["primary", "lower"]
    wanted = {"enrolled": 3, "left": 1, "with_device": 1, "served": 1, "not_served": 2}
    assert wanted.items() <= rows["primary"].items()
    assert (rows["primary"]["handed_over"], rows["primary"]["came"], rows["primary"]["went"]) == (1, 0, 1)
    assert [row["key"] for row in lines(home, "report", "table", "--by", "status")] == ["enrolled", "left"]
    crossed = lines(home, "report", "table", "--by", "school,stage", "--since", "2021-09-15")
    assert {(row["key"], row["also"]): (row["enrolled"], row["served"]) for row in crossed} == {
        ("HAI-BA", "primary"): (2, 1),
        ("LE-LOI", "primary"): (1, 0),
        ("LE-LOI", "lower"): (1, 0),
    }
    assert [row["also"] for row in crossed] == ["primary", "primary", "lower"]  # as the programme has them
    total = {name: sum(row[name] for row in rows.values()) for name in next(iter(rows.values())) if name in _NUMBERS}
    assert {name: sum(row[name] for row in crossed) for name in total} == total
    by_category = lines(home, "report", "table", "--by", "category,status")
    assert [(row["key"], row["also"]) for row in by_category] == [
        ("orphan", "enrolled"),
        ("poor", "enrolled"),
        ("poor", "left"),
    ]
    for wrong in ("schol", "school,school", "school,stage,status"):
        assert fleet(home, "report", "table", "--by", wrong).exit_code == 2
    printed = fleet(home, "report", "table", "--since", "2021-10-01").output
    assert "HANDED OVER" in printed
    assert "in all" in printed


def test_visits(small: World, home: Home) -> None:
    found = lines(home, "report", "visits", "--teacher", "T-1")
    assert [line["student"] for line in found[:-1]] == [key("Ann"), key("Bao")]
    assert (found[-1]["students"], found[-1]["visits"]) == (2, 2)
    assert "T-1: 2 students, 2 to visit" in fleet(home, "report", "visits", "--teacher", "T-1").output
    assert "No enrolled student has the teacher" in fleet(home, "report", "visits", "--teacher", "T-9").output


def test_readers_make_nothing(home: Home) -> None:
    for words in (
        ("gaps",),
        ("gaps", "--by", "area"),
        ("assign", "--auto"),
        ("programme", "show"),
        ("report", "programme"),
    ):
        assert fleet(home, *words).exit_code == 0
    assert "No student is enrolled" in fleet(home, "gaps").output
    assert not home.path.exists()


def test_what_is_assigned_waits_since_it_was(small: World, home: Home) -> None:
    """However long the unit lay there before."""
    small.append("unit.assigned", "android:A-1", {"student": key("Ann"), "why": ""})
    [gap] = [one for one in lines(home, "gaps", "--all") if one.get("student") == key("Ann")]
    assert gap["reasons"]["not_handed_over"].startswith("2021-10-20")
