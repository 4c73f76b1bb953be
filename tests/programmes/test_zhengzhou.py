"""21 families in Zhengzhou, at their real size and on virtual devices: what the lists say has to come out again."""

from __future__ import annotations

import csv
import io
import shlex
from collections import defaultdict
from collections.abc import Callable

import openpyxl
import pytest

from tests.programmes.playing import Played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def zhengzhou(on_a_bench: Callable[[str], Played]) -> Played:
    return on_a_bench("zhengzhou-2020")


def families(play: Played) -> dict[str, list[dict[str, str]]]:
    """The children of the hotline's list by the phone of the family, online as the teams found them."""
    with (play.programme.folder / "roster.csv").open(encoding="gb18030", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row[0] == "序号" or row[0].isdigit()]
    sheet = openpyxl.load_workbook(play.programme.folder / "visits.xlsx").worksheets[0]
    _, seen_head, *seen = sheet.values
    online = {row[seen_head.index("学生姓名")]: row[seen_head.index("家庭网络")] for row in seen}
    found = defaultdict(list)
    for row in rows:
        child = dict(zip(head, row, strict=True))
        found[child["联系电话"]].append({**child, "家庭网络": str(online.get(child["学生姓名"], child["家庭网络"]))})
    return found


def key(play: Played, name: str) -> str:
    [found] = play.fleet("student", "find", name, "--json").lines
    [one] = found["students"]
    return str(one["student"]).replace("-", "")


def hand_overs(play: Played, team: int) -> dict[str, str]:
    """Tag to pseudonym, as the team's scanner read them."""
    lines = (play.programme.folder / f"team-{team}.scan").read_text(encoding="utf-8").split("\n")
    codes = [line for line in lines if line and not line.startswith("FLEET:")]
    return {tag: student.replace("-", "") for student, tag in zip(codes[::2], codes[1::2], strict=True)}


def steps(play: Played, *begin: str) -> list[list[str]]:
    """The words of the steps that begin so."""
    words = [shlex.split(step.run) for step in play.programme.steps]
    return [one[len(begin) :] for one in words if tuple(one[: len(begin)]) == begin]


def test_is_every_family_online_and_by_what(zhengzhou: Played) -> None:
    at_home = [children[0]["家庭网络"] for children in families(zhengzhou).values()]
    assert len(at_home) == 21
    given = len(steps(zhengzhou, "fleet", "sim", "insert"))
    wanted = {"line": at_home.count("宽带"), "own_sim": at_home.count("流量"), "our_sim": given}
    answer = {one["key"]: one["families"] for one in zhengzhou.ask("fleet gaps --by online")}
    assert answer == {**wanted, "none": 21 - sum(wanted.values())}
    assert answer["none"] == 1
    [left_out] = zhengzhou.fleet("gaps", "--reason", "no_connection", "--all", "--json").lines
    assert left_out["student"] == key(zhengzhou, "路远航")


def test_who_shares_one_device_at_the_same_hour(zhengzhou: Played) -> None:
    given = {student for team in range(1, 5) for student in hand_overs(zhengzhou, team).values()}
    wanted = []
    for children in families(zhengzhou).values():
        primary = ["一二三四五六七八九".index(child["年级"][0]) < 6 for child in children]
        if len(children) > 1 and len(set(primary)) == 1:
            keys = {key(zhengzhou, child["学生姓名"]) for child in children}
            wanted += [keys] if len(keys & given) < len(keys) else []
    assert len(wanted) == 1
    assert [set(one["students"]) for one in zhengzhou.ask("fleet gaps --same-hour")] == wanted


def test_which_team_handed_over_which_box_and_whom_the_family_calls(zhengzhou: Played) -> None:
    calls = {words[0]: words[words.index("--name") + 1] for words in steps(zhengzhou, "fleet", "place", "add")}
    shown = csv.DictReader(io.StringIO(zhengzhou.show("fleet unit list")))
    answer = {row["tag"]: (row["place"], row["place_name"], row["holder"]) for row in shown}
    wanted = {
        tag: (f"TEAM-{team}", calls[f"TEAM-{team}"], student)
        for team in range(1, 5)
        for tag, student in hand_overs(zhengzhou, team).items()
    }
    assert answer == wanted
    assert len(wanted) == 23
    assert len({call for _, call, _ in wanted.values()}) == 4


def test_which_lesson_apps_each_device_is_missing(zhengzhou: Played) -> None:
    _, head, *rows = openpyxl.load_workbook(zhengzhou.programme.folder / "donor.xlsx").worksheets[0].values
    old = {row[head.index("标签")] for row in rows if row[head.index("型号")] == "SM-J730G"}  # no 64-bit system
    answer = {one["unit"]: one["apps"] for one in zhengzhou.ask("fleet gaps --reason no_app", "--all")}
    assert answer == {tag: ["classroom"] for tag in old}
    assert len(rows) == 23
    assert "a lesson app is missing: classroom" in zhengzhou.show("fleet gaps --reason no_app")


def test_who_is_left_out(zhengzhou: Played) -> None:
    answer = {one["key"]: one["unserved"] for one in zhengzhou.ask("fleet gaps --by reason")}
    assert answer == {"no_device": 1, "no_app": 3, "no_connection": 1}
    [status] = zhengzhou.ask("fleet status")
    assert status["by_state"] == {"with_student": 23}
    assert status["alarms"] == [one for one in status["alarms"] if one["name"] != "sim_missing"]
