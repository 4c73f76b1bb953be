"""The operator's usage files, the requests that go to it, and its answers: real files, the real commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

import cli
from fleet.home import Home
from fleet.units import Registry
from tests.account.sim_making import STUDENT, accept, cases, enrol, listed, number, read, row, step


def run(home: Home, *words: str | Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and the last JSON line."""
    given = ["--home", str(home.path), *map(str, words), "--json"]
    done = CliRunner().invoke(cli.root, given, catch_exceptions=False)
    return done.exit_code, json.loads(done.output.splitlines()[-1])


def test_usage(registry: Registry, home: Home, tmp_path: Path) -> None:
    listed(registry, 2)
    for n, case in enumerate(cases("usage.yaml")):
        file = tmp_path / f"{n}.csv"
        file.write_text(
            case["file"].replace("8984048000000000076", number(1)).replace("8984048000000000142", number(2))
        )
        words = ("sim", "usage", file, "--carrier", "viettel")
        _, planned = run(home, *words)
        code, done = run(home, *words, "--apply")
        assert planned["counted"] == done["counted"] == case["counted"]
        assert (done["unchanged"], done["through"], code) == (case["unchanged"], case["through"], 1)
        refused = {one["row"]: one["why"] for one in done["refused"]}
        assert refused.keys() == case["refused"].keys()
        assert all(why in refused[line] for line, why in case["refused"].items()), refused
        for iccid, used in zip((number(1), number(2)), case["used"].values(), strict=True):
            assert [row(registry, iccid)["used_bytes"] or 0, row(registry, iccid)["used_at"]] == used
        _, again = run(home, *words, "--apply")
        assert again["counted"] == 0
        assert again["unchanged"] == case["counted"] + case["unchanged"]


def test_a_sim_is_in_use_then_idle_then_in_use_again(registry: Registry, home: Home, tmp_path: Path) -> None:
    [iccid, other] = listed(registry, 2)
    enrol(registry, STUDENT)
    step(registry, "activate", [iccid, other])
    accept(registry, read(registry, "A", iccid), STUDENT, "2021-10-01T03:00:00.000Z")
    states = []
    for day, size in (("2021-09-30", 5), ("2021-10-02", 7), ("2021-11-30", 0), ("2021-12-01", 0), ("2021-12-02", 9)):
        file = tmp_path / f"{day}.csv"
        file.write_text(f"ICCID,day,bytes\n{iccid},{day},{size}\n")
        run(home, "sim", "usage", file, "--carrier", "viettel", "--apply")
        states.append(row(registry, iccid)["state"])
    assert states == ["handed_over", "in_use", "in_use", "idle", "in_use"]
    assert row(registry, other)["state"] == "activated"  # nobody has it yet: it cannot be idle


def test_requests_are_numbered_and_not_asked_twice(registry: Registry, home: Home, tmp_path: Path) -> None:
    iccids = listed(registry, 3)
    step(registry, "activate", iccids[:1])
    _, planned = run(home, "sim", "request", "activate", "--plan")
    assert (planned["lines"], planned["batch"]) == (2, None)
    file = tmp_path / "ask.csv"
    _, asked = run(home, "sim", "request", "activate", "--where", "carrier=viettel", "--out", file)
    assert (asked["lines"], asked["held_back"]) == (2, 0)
    with file.open(encoding="utf-8-sig") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["ICCID"] for line in lines] == iccids[1:]
    assert lines[0]["request"] == f"{asked['batch']}-000001"
    _, again = run(home, "sim", "request", "activate", "--out", tmp_path / "no.csv")
    assert (again["lines"], again["held_back"], again["file"]) == (0, 2, None)
    assert not (tmp_path / "no.csv").exists()
    _, ended = run(home, "sim", "request", "end", "--out", tmp_path / "end.xlsx")
    assert ended["batch"] != asked["batch"]
    book = load_workbook(tmp_path / "end.xlsx")
    cells = [[cell.value for cell in line] for line in book.worksheets[0].iter_rows(min_row=2)]
    assert cells == [[f"{ended['batch']}-000001", "end", iccids[0], "84980000001", "4 GB/day", "90", None]]
    _, anew = run(home, "sim", "request", "again", asked["batch"], "--out", tmp_path / "anew.csv")
    assert (tmp_path / "anew.csv").read_text("utf-8-sig") == file.read_text("utf-8-sig")
    assert anew["lines"] == 2


def test_a_file_that_is_there_stays_and_nothing_is_asked(registry: Registry, home: Home, tmp_path: Path) -> None:
    listed(registry, 1)
    file = tmp_path / "ask.csv"
    file.write_text("mine")
    for name in ("ask.csv", "ask.pdf", "no/ask.csv"):
        with pytest.raises(Exception, match=r"is there already|neither .csv nor|cannot be written"):
            run(home, "sim", "request", "activate", "--out", tmp_path / name)
    assert file.read_text() == "mine"
    assert run(home, "sim", "request", "activate", "--plan")[1]["lines"] == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_answers_come_back_row_by_row(registry: Registry, home: Home, tmp_path: Path) -> None:
    iccids = listed(registry, 7)
    _, asked = run(home, "sim", "request", "activate", "--out", tmp_path / "ask.csv")
    numbers = [f"{asked['batch']}-{n:06d}" for n in range(8)]
    for n, case in enumerate(cases("answers.yaml")):
        file = tmp_path / f"{n}.csv"
        file.write_text(case["file"].format(*numbers))
        code, planned = run(home, "sim", "answer", file)
        _, done = run(home, "sim", "answer", file, "--apply")
        assert planned["statuses"] == done["statuses"] == case["statuses"]
        assert (done["unchanged"], code) == (case["unchanged"], 1)
        for kind in ("problems", "refused"):
            told = {one["row"]: one["why"] for one in done[kind]}
            assert told.keys() == case[kind].keys(), told
            assert all(why in told[line] for line, why in case[kind].items()), told
    assert [row(registry, one)["state"] for one in iccids] == ["activated", *["received"] * 5, "activated"]
    _, free = run(home, "sim", "request", "activate", "--plan")
    assert (free["lines"], free["held_back"]) == (4, 1)  # what was answered may be asked again, what is open not


def test_renewed_plans_run_on(registry: Registry, home: Home, tmp_path: Path) -> None:
    [iccid] = listed(registry, 1)
    enrol(registry, STUDENT)
    step(registry, "activate", [iccid])
    [taken] = accept(registry, read(registry, "A", iccid), STUDENT, "2099-01-01T00:00:00.000Z")
    assert taken.ends_at == "2099-04-01T00:00:00.000Z"
    _, asked = run(home, "sim", "request", "renew", "--where", f"iccid={iccid}", "--out", tmp_path / "ask.csv")
    (tmp_path / "answer.csv").write_text(f"request,status\n{asked['batch']}-000001,done\n")
    run(home, "sim", "answer", tmp_path / "answer.csv", "--apply")
    assert row(registry, iccid)["ends_at"] == "2099-06-30T00:00:00.000Z"
    assert row(registry, iccid)["state"] == "handed_over"
