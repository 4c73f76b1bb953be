"""17 tablets and 40 SIMs in Weifang, at their real size and on virtual tablets."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from tests.programmes.playing import Played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def weifang(on_a_bench: Callable[[str], Played]) -> Played:
    return on_a_bench("weifang-kuiwen-2020")


def scanned(file: Path) -> dict[str, str]:
    """Serial or ICCID to pseudonym."""
    codes = [line for line in file.read_text(encoding="utf-8").split() if line != "guardian"]
    codes = [code for code in codes if not code.startswith("FLEET:")]
    return {code: student.replace("-", "") for student, code in zip(codes[::2], codes[1::2], strict=True)}


def words_after(play: Played, begin: str, option: str = "") -> list[str]:
    """What the step that begins so says, behind an option."""
    [words] = [shlex.split(step.run) for step in play.programme.steps if step.run.startswith(begin)]
    return words[words.index(option) + 1 :] if option else words


def cards(play: Played) -> dict[str, tuple[str, int]]:
    """The operator's list: ICCID to quota and days."""
    _, head, *rows = openpyxl.load_workbook(play.programme.folder / "sims.xlsx").worksheets[0].values
    at = [head.index(name) for name in ("ICCID", "套餐", "有效期")]
    return {str(row[at[0]]): (str(row[at[1]]), int(str(row[at[2]]))) for row in rows}


def test_where_is_each_tablet(weifang: Played) -> None:
    folder = weifang.programme.folder
    couriered = (folder / "couriered.txt").read_text(encoding="utf-8").split()
    arrived = scanned(folder / "tablets.scan")
    lines = [one for one in weifang.ask("fleet unit list") if one["event"] == "unit_line"]
    answer = {one["serial"]: (one["state"], one["holder"]) for one in lines}
    assert answer == {
        serial: ("with_student", arrived[serial]) if serial in arrived else ("in_transit", None) for serial in couriered
    }
    assert (len(couriered), len(arrived)) == (17, 15)
    assert all(one["verdict"] in ("verified", "partial") for one in lines)


def test_where_is_each_sim(weifang: Played) -> None:
    handed = scanned(weifang.programme.folder / "sims.scan")
    refused = words_after(weifang, "python ../carrier.py answer", "--refuse")
    unused = words_after(weifang, "python ../carrier.py usage", "--not")
    answer = {one["sim"]["iccid"]: one["sim"] for one in weifang.ask("fleet sim list", "--limit", "50")}
    wanted = {
        iccid: "received" if iccid not in handed else "handed_over" if iccid in unused else "in_use"
        for iccid in cards(weifang)
    }
    assert {iccid: one["state"] for iccid, one in answer.items()} == wanted
    activated = {iccid for iccid, one in answer.items() if one["activated_at"]}
    assert activated == handed.keys() - set(refused)
    assert {iccid: one["student"] for iccid, one in answer.items() if one["student"]} == handed
    assert (len(wanted), len(handed)) == (40, 38)


def test_which_tablets_were_not_seen_since_they_arrived(weifang: Played) -> None:
    seen = words_after(weifang, "fleet verify", "--profile")[1:]
    wanted = scanned(weifang.programme.folder / "tablets.scan").keys() - set(seen)
    serials = {one["tag"]: one["serial"] for one in weifang.ask("fleet unit list") if one["event"] == "unit_line"}
    answer = weifang.ask("fleet gaps --reason never_seen", "--all")
    assert {serials[one["unit"]] for one in answer} == wanted
    assert len(wanted) == 2


def test_who_is_away_on_which_plan_until_when(weifang: Played) -> None:
    _, _, head, *rows = openpyxl.load_workbook(weifang.programme.folder / "roster.xlsx").worksheets[0].values
    away = [row for row in rows if row[head.index("区县")] == "湖北省"]
    keys = set()
    for row in away:
        [found] = weifang.fleet("student", "find", str(row[head.index("姓名")]), "--json").lines
        keys |= {one["student"].replace("-", "") for one in found["students"]}
    handed = scanned(weifang.programme.folder / "sims.scan")
    wanted = {iccid: (student, *cards(weifang)[iccid]) for iccid, student in handed.items() if student in keys}
    answer = {one["sim"]["iccid"]: one["sim"] for one in weifang.ask("fleet sim list --where")}
    assert {iccid: (one["student"], one["quota"], one["days"]) for iccid, one in answer.items()} == wanted
    assert [plan[1:] for plan in wanted.values()] == [("30 GB/month", 120)] * 4
    for one in answer.values():
        runs = datetime.fromisoformat(one["ends_at"]) - datetime.fromisoformat(one["accepted_at"])
        assert runs == timedelta(days=120)
    shown = weifang.show("fleet sim list --where")
    assert all(one["ends_at"][:10] in shown for one in answer.values())
