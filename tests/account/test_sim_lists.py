"""The operator's list, as the real command takes it over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openpyxl import Workbook

import cli
from fleet.errors import FileError
from fleet.home import Home
from tests.account.sim_making import DATA, cases, number, write

LISTS = sorted(path.name for path in (DATA / "lists").glob("*.yaml"))


def run(home: Home, *words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli.root, ["--home", str(home.path), *map(str, words)], catch_exceptions=False)
    return done.exit_code, done.output


def told(home: Home, *words: str | Path) -> dict[str, Any]:
    _, out = run(home, *words, "--json")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def all_sims(home: Home) -> dict[str, dict[str, Any]]:
    _, out = run(home, "sim", "list", "--json")
    return {line["sim"]["iccid"]: line["sim"] for line in map(json.loads, out.splitlines())}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.usefixtures("database_url")
def test_lists(home: Home, tmp_path: Path, name: str) -> None:
    case = cases(f"lists/{name}")
    carrier = case.get("carrier", "viettel")
    if "before" in case:
        before = write(tmp_path, case, "before")
        options = case.get("before_options", [])
        run(home, "sim", "import", before, "--carrier", case.get("before_carrier", carrier), "--apply", *options)
    words = ("sim", "import", write(tmp_path, case), "--carrier", carrier, *case.get("options", []))
    planned, done, again = told(home, *words), told(home, *words, "--apply"), told(home, *words, "--apply")
    counted = {name: case.get(name, 0) for name in ("new", "changed", "unchanged")}
    assert {name: planned[name] for name in counted} == counted
    assert planned["refused"] == done["refused"] == again["refused"]
    if "unread" in case:
        assert done["unread"] == case["unread"]
    refused = {one["row"]: one["why"] for one in done["refused"]}
    assert refused.keys() == case.get("refused", {}).keys()
    for row, why in case.get("refused", {}).items():
        assert why in refused[row], (row, refused[row])
    assert (again["new"], again["changed"]) == (0, 0)
    assert again["unchanged"] == sum(counted.values())
    for iccid, wanted in case.get("sims", {}).items():
        sim = json.loads(run(home, "sim", "show", iccid, "--json")[1])["sim"]
        assert {name: sim[name] for name in wanted} == wanted


def test_nothing_is_written_without_apply(home: Home, tmp_path: Path) -> None:
    case = cases("lists/vietnamese.yaml")
    code, out = run(home, "sim", "import", write(tmp_path, case), "--carrier", "viettel")
    assert code == 0
    assert "--apply" in out
    assert not home.path.exists()


def test_of_a_workbook_numbers_that_excel_has_rounded(home: Home, tmp_path: Path) -> None:
    """Written as numbers, they have lost their last digits for good; as text they are whole."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["ICCID", "MSISDN"])
    for n in range(1, 21):
        sheet.append([int(number(n)), 980_000_000 + n])
    sheet.append([number(30), 980_000_030])
    file = tmp_path / "sims.xlsx"
    book.save(file)
    done = told(home, "sim", "import", file, "--carrier", "viettel", "--apply")
    assert done["new"] == 1
    assert len(done["refused"]) == 20
    assert list(all_sims(home)) == [number(30)]


def test_a_file_without_the_headings_is_told_what_it_has(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("Danh sách,,\nThẻ,Ngày,Gói\n1,2,3\n", encoding="utf-8")
    with pytest.raises(FileError, match="has no row with the headings iccid: it begins with Thẻ, Ngày, Gói") as found:
        run(home, "sim", "import", file, "--carrier", "viettel")
    assert "fleet/account/sims/words.yaml" in str(found.value)


def test_a_chosen_operator_or_place_that_is_not(home: Home, tmp_path: Path) -> None:
    file = write(tmp_path, cases("lists/vietnamese.yaml"))
    for words in (
        ("--carrier", "vietel"),
        ("--carrier", "viettel", "--place", "NOWHERE"),
        ("--carrier", "viettel", "--plan", "x"),
    ):
        with pytest.raises(Exception, match=r"not known|No place|not understood"):
            run(home, "sim", "import", file, *words)


def test_a_file_without_headings(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(Exception, match="no row with the headings iccid"):
        run(home, "sim", "import", file, "--carrier", "viettel")


def test_a_number_moves_on_when_its_sim_has_ended(home: Home, tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(f"ICCID,MSISDN\n{number(1)},0980000001\n")
    second.write_text(f"ICCID,MSISDN\n{number(2)},0980000001\n")
    run(home, "sim", "import", first, "--carrier", "viettel", "--apply")
    assert len(told(home, "sim", "import", second, "--carrier", "viettel", "--apply")["refused"]) == 1
    run(home, "sim", "end", number(1))
    done = told(home, "sim", "import", second, "--carrier", "viettel", "--apply")
    assert (done["new"], done["freed"], done["refused"]) == (1, 1, [])
    found = all_sims(home)
    assert (found[number(1)]["msisdn"], found[number(2)]["msisdn"]) == (None, "+84980000001")
