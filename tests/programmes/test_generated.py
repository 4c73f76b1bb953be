"""The three large programmes, made small: every question's answer against what their files say."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programmes.playing import Played, played, rows
from tests.programmes.truth import Truth, read

SCALE = 0.012
NAMES = ("lanling-2020", "ca-mau-2021", "hai-phong-2021")
REASONS = (
    *("no_device", "refused", "not_handed_over", "never_seen", "lost", "in_repair", "broken"),
    *("no_plan", "plan_over", "no_app", "no_connection"),
)


@dataclass
class Case:
    """``numbers``: whose pseudonym is which; ``order``: what the programme puts first."""

    play: Played
    truth: Truth
    told: dict[str, Any]
    numbers: dict[str, str]

    def rank(self, number: str) -> tuple[int, int]:
        person = self.truth.people[number]
        return self.told["areas"].index(person["area"]), list(self.told["categories"]).index(person["category"])

    def gaps(self) -> dict[str, dict[str, int]]:
        """As fleet tells them: number to reasons, with the days since when they hold."""
        lines = self.play.fleet("gaps", "--all", "--json").lines
        return {
            self.numbers[one["student"]]: {name: _days(since) for name, since in one["reasons"].items()}
            for one in lines
        }


def _days(since: str) -> int:
    """Days back from now; what was some milliseconds more is no day more."""
    return round((datetime.fromisoformat(since) - datetime.now(UTC)) / timedelta(days=1))


def case(name: str, home: Path, adb_port: int, scale: float) -> Case:
    play = played(name, home, adb_port, scale)
    told = yaml.safe_load((play.programme.folder / "world.yaml").read_text(encoding="utf-8"))
    truth = read(play.made, told)
    numbers = {row["student"]: row["number"] for row in rows(play.made / "keys.csv")}
    for number in truth.later:
        numbers[_key(play, truth.people[number])] = number
    assigned = play.fleet(
        "unit", "list", "--where", "state=stock and assigned!=none", "--limit", "5000", "--json"
    ).lines
    truth.assign([(one["tag"], numbers[one["assigned"]]) for one in assigned if one["event"] == "unit_line"])
    return Case(play, truth, told, numbers)


def _key(play: Played, person: dict[str, str]) -> str:
    """The pseudonym of a student who came later."""
    [found] = play.fleet("student", "find", person["name"], "--school", person["school"], "--json").lines
    mine = (one for one in found["students"] if one["class_name"] == person["class_name"])
    keys: list[str] = [one["student"].replace("-", "") for one in mine]
    assert len(keys) == 1, found
    return keys[0]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those that were played already, by name."""
    return {}


@pytest.fixture(params=NAMES)
def made(
    request: pytest.FixtureRequest, cases: dict[str, Case], adb_server: int, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    """Each of the three; played once."""
    if request.param not in cases:
        cases[request.param] = case(request.param, tmp_path_factory.mktemp(request.param), adb_server, SCALE)
    return cases[request.param]


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("made", [name], indirect=True)


def test_who_is_left_out_and_why(made: Case) -> None:
    wanted = made.truth.gaps()
    assert made.gaps() == wanted
    first = Counter(next(name for name in REASONS if name in why) for why in wanted.values())
    answer = made.play.ask("fleet gaps --by reason")
    assert {one["key"]: one["unserved"] for one in answer} == first
    assert {one["enrolled"] for one in answer} == {len(made.truth.enrolled)}
    assert len(first) >= 5


def test_status(made: Case) -> None:
    [answer] = made.play.ask("fleet status")
    donated = len(made.truth.units) + sum(1 for _ in _unseen(made))
    states = Counter(unit.state for unit in made.truth.units.values())
    states["stock"] += donated - len(made.truth.units)
    assert (answer["units"], answer["by_state"]) == (donated, states)


def _unseen(made: Case) -> Iterator[str]:
    """Units of the donors' list that no bench has seen."""
    file = made.play.made / made.told["files"]["donor"]
    if file.suffix == ".csv":
        with file.open(encoding=made.told["encoding"], newline="") as stream:
            tags = [row[0] for row in csv.reader(stream, delimiter=made.told["delimiter"])][1:]
    else:
        import openpyxl

        tags = [str(row[0]) for row in openpyxl.load_workbook(file).worksheets[0].values][1:]
    yield from (tag for tag in tags if tag not in made.truth.units)


@only("lanling-2020")
def test_the_distribution_table_and_what_changed(made: Case) -> None:
    truth, since = made.truth, -30
    answer = {one["key"]: one for one in made.play.ask("fleet report table --by school")}
    gaps, people = truth.gaps(), truth.people
    wanted = {
        "enrolled": Counter(people[one]["school"] for one in truth.enrolled),
        "left": Counter(people[one]["school"] for one in truth.left),
        "not_served": Counter(people[one]["school"] for one in gaps),
        "with_device": Counter(people[u.holder]["school"] for u in truth.units.values() if u.holder),
        "came": Counter(people[one]["school"] for one in truth.later),
        "went": Counter(people[one]["school"] for one, day in truth.left.items() if day >= since),
        "handed_over": Counter(people[one]["school"] for day, one in truth.handed_over if day >= since),
        "lost": Counter(people[one]["school"] for one, day in truth.lost.items() if day >= since),
    }
    for figure, numbers in wanted.items():
        assert {school: one[figure] for school, one in answer.items() if one[figure]} == numbers, figure
    assert wanted["handed_over"]
    assert any(day == 0 for day in truth.left.values())  # the list said so, and nobody before


@only("lanling-2020")
def test_the_table_by_stage_and_by_status(made: Case) -> None:
    stages = {"小学": range(1, 7), "初中": range(7, 10), "高中": range(10, 13)}
    truth = made.truth
    grades = Counter(int(truth.people[one]["grade"]) for one in truth.enrolled)
    answer = {one["key"]: one["enrolled"] for one in made.play.ask("fleet report table --by stage")}
    assert answer == {stage: sum(grades[grade] for grade in these) for stage, these in stages.items()}
    by_status = {one["key"]: one for one in made.play.ask("fleet report table --by status")}
    assert by_status["enrolled"]["enrolled"] == len(truth.enrolled)
    assert by_status["left"]["left"] == len(truth.left) > 0


@only("lanling-2020")
def test_a_teachers_own_list(made: Case) -> None:
    truth = made.truth
    *answer, last = made.play.ask("fleet report visits")
    mine = [one for one in truth.enrolled if truth.people[one]["teacher"] == "T-0010"]
    wanted = {one: set(truth.reasons(one)) for one in mine if truth.reasons(one)}
    assert {made.numbers[one["student"]]: set(one["reasons"]) for one in answer} == wanted
    assert (last["students"], last["visits"]) == (len(mine), len(wanted))
    named = made.play.ask("fleet report visits", "--names", "visits of this week")[:-1]
    assert {one["name"] for one in named} == {truth.people[one]["name"] for one in wanted}


@only("lanling-2020")
def test_an_areas_open_problems_and_their_age(made: Case) -> None:
    truth = made.truth
    [answer] = made.play.ask("fleet report area")
    here = {one: why for one, why in truth.gaps().items() if truth.people[one]["area"] == answer["key"]}
    first = {one: next(name for name in REASONS if name in why) for one, why in here.items()}
    assert {name: answer["figures"][name] for name in REASONS if answer["figures"][name]} == Counter(first.values())
    oldest = {name: max(-here[one][name] for one in here if first[one] == name) for name in set(first.values())}
    assert {name: days for name, (days, _) in answer["ages"].items()} == oldest
    assert answer["officer"] == "兰陵片区责任岗"
    assert not any(person["name"] in str(answer) for person in truth.people.values())


@only("ca-mau-2021")
def test_how_far_each_target_is_by_district_and_category(made: Case) -> None:
    truth = made.truth
    [answer] = made.play.ask("fleet programme progress")
    found = {(one["what"], one["area"], one["category"]): one for one in answer["targets"]}
    given = {
        "devices": truth.handed_over,
        "sims": [(one.given, one.student) for one in truth.sims.values() if one.given is not None],
    }
    back = {"devices": truth.in_repair, "sims": []}
    for what, number in (("devices", 4500), ("sims", 7500)):
        whole = found[what, "", ""]
        done = len(given[what]) - len(back[what])
        assert (whole["number"], whole["done"]) == (number, done)
        recent = sum(day > -28 for day, _ in given[what]) - sum(day > -28 for day, _ in back[what])
        assert whole["per_week"] == pytest.approx(recent / 4, abs=0.01)
        if whole["expected"]:
            days = (datetime.fromisoformat(whole["expected"]) - datetime.fromisoformat(answer["day"])).days
            assert days == pytest.approx((number - done) / recent * 28, abs=1.5)
        for by, at in (("area", 1), ("category", 2)):
            wanted = Counter(truth.people[who][by] for _, who in given[what])
            wanted.subtract(truth.people[who][by] for _, who in back[what])
            parts = {key[at]: one["done"] for key, one in found.items() if key[0] == what and key[at]}
            assert {name: done for name, done in parts.items() if done} == +wanted
    assert found["schools", "", ""]["number"] == len({truth.people[one]["school"] for one in truth.enrolled})


@only("ca-mau-2021")
def test_who_is_eligible_and_still_without(made: Case) -> None:
    wanted = {one for one, why in made.truth.gaps().items() if "no_device" in why}
    answer = made.play.ask("fleet gaps --reason no_device", "--all")
    assert {made.numbers[one["student"]] for one in answer} == wanted
    ranks = [made.rank(made.numbers[one["student"]]) for one in answer]
    assert ranks == sorted(ranks)


@only("ca-mau-2021")
def test_who_got_two(made: Case) -> None:
    truth = made.truth
    twice = {row["student"] for row in rows(made.play.made / "story.csv") if row["what"] == "hand-over-too"}
    answer = made.play.ask("fleet gaps --two")
    wanted = sorted(sorted(truth.family(one)) for one in twice)
    assert sorted(sorted(made.numbers[key] for key in one["students"]) for one in answer) == wanted
    assert len(twice) == made.told["twice"]


@only("ca-mau-2021")
def test_which_plans_end_in_thirty_days(made: Case) -> None:
    sims = made.truth.sims
    wanted = {iccid: one.given for iccid, one in sims.items() if one.given is not None and -90 < one.given <= -60}
    wanted = {iccid: day for iccid, day in wanted.items() if sims[iccid].state == "handed_over"}
    answer = made.play.ask("fleet data-plans --ends-in")
    assert {one["sim"]["iccid"]: _days(one["sim"]["ends_at"]) - 90 for one in answer} == wanted
    assert wanted


@only("hai-phong-2021")
def test_the_priority_order_is_the_same_every_time(made: Case) -> None:
    first, second = (made.play.ask("fleet assign --auto") for _ in range(2))
    strip = [[{k: v for k, v in one.items() if k != "at"} for one in lines] for lines in (first, second)]
    assert strip[0] == strip[1]
    due = sorted(made.rank(one) for one in made.truth.due())
    matches = [one for one in first if one["event"] == "assign"]
    assert [made.rank(made.numbers[one["student"]]) for one in matches] == due[: len(made.truth.ready)]
    assert {one["shown"] for one in matches} <= set(made.truth.ready)


@only("hai-phong-2021")
def test_each_sims_clock_runs_from_its_own_hand_over(made: Case) -> None:
    answer = [one["sim"] for one in made.play.ask("fleet sim list")]
    wanted = {iccid: one.given for iccid, one in made.truth.sims.items() if one.state == "handed_over"}
    assert {one["iccid"]: _days(one["accepted_at"]) for one in answer} == wanted
    assert {one["iccid"]: _days(one["ends_at"]) - 90 for one in answer} == wanted
    assert len(set(wanted.values())) > 10


@only("hai-phong-2021")
def test_one_report_per_level_and_the_records_under_each_figure(made: Case) -> None:
    truth, gaps = made.truth, made.truth.gaps()
    [city] = made.play.ask("fleet report programme")
    assert (city["figures"]["enrolled"], city["figures"]["not_served"]) == (len(truth.enrolled), len(gaps))
    for level, by in (("area", "area"), ("school", "school")):
        [report] = made.play.ask(f"fleet report {level}")
        here = {one for one in truth.enrolled if truth.people[one][by] == report["key"]}
        assert (report["figures"]["enrolled"], report["figures"]["not_served"]) == (len(here), len(here & gaps.keys()))
    unserved = {row["key"]: row["unserved"] for row in city["rows"] if row["unserved"]}
    assert unserved == Counter(truth.people[one]["area"] for one in gaps)
    for figure in ("enrolled", "served", "no_device", "broken"):
        traced = made.play.fleet("report", "programme", "--trace", figure, "--json").lines
        assert len(traced) == len({one["record"] for one in traced}) == city["figures"][figure]
    names = {person["name"] for person in truth.people.values()}
    for level in ("programme", "area"):
        shown = made.play.show(f"fleet report {level}")
        assert not any(name in shown for name in names)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_lanling_at_its_real_size(adb_server: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = case("lanling-2020", tmp_path_factory.mktemp("real"), adb_server, 1.0)
    assert len(made.truth.people) - len(made.truth.later) == 3621
    schools = Counter(row["code"].partition("-")[0] for row in rows(made.play.made / "schools.csv"))
    assert schools == {"TOWN": 15, "WEAK": 87}
    assert made.gaps() == made.truth.gaps()
