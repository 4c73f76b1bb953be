"""fleet status, fleet unit list and fleet report audit, as people, scripts and monitoring see them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from rich.cells import cell_len
from sqlalchemy import Connection, event, func, select

from fleet.account.custody.machine import State
from fleet.account.people.vault import Person, the_vault
from fleet.account.reports.audit_commands import report
from fleet.account.status import health_rules
from fleet.account.status import known as filter_known
from fleet.account.status.by import DIMENSIONS, by
from fleet.account.status.commands import status
from fleet.account.status.counts import status as read_status
from fleet.account.status.health_rules import FILE, rules_of
from fleet.db import snapshot, transaction
from fleet.errors import FileError
from fleet.home import Home, Options
from fleet.models import events, health_now, sims
from fleet.unit_commands import unit
from fleet.units import Registry, open_registry
from profiles.errors import ProfileError
from profiles.strict_yaml import parse as parse_yaml
from profiles.strict_yaml import read as read_yaml
from tests.account.status_making import NOW, Clock, at, furnish
from tests.fleet.making import SQLITE
from tests.fleets import FLEET

DATA = Path(__file__).parents[1] / "data" / "health_rules"
COMMANDS: dict[str, click.Command] = {"status": status, "unit": unit, "report": report}


@pytest.fixture
def furnished(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The six units, and a clock of the commands that stands where theirs does."""
    monkeypatch.setattr("provision.progress.now", lambda: NOW)
    clock = Clock()
    with open_registry(home, None, "lan", clock=clock) as registry:
        furnish(registry, clock)
        yield registry


def fleet(home: Home, *words: str | Path) -> Result:
    name, *rest = map(str, words)
    done = CliRunner().invoke(COMMANDS[name], rest, obj=Options(home=home.path, actor="lan"))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def lines(home: Home, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fleet(home, *words, "--json").output.splitlines()]


def test_at_a_glance(furnished: Registry, home: Home) -> None:
    [found] = lines(home, "status", "--since", "2d")
    assert found["units"] == sum(found["by_state"].values()) == sum(found["by_verdict"].values()) == 6
    assert found["by_state"]["with_student"] == 2
    assert found["places"] == {"LE-LOI": 3, "BENCH": 2, "STORE": 1}
    alarms = {one["name"]: (one["units"], one["severity"]) for one in found["alarms"]}
    assert alarms == {
        "plan_ended": (1, "critical"),
        "battery_worn": (1, "warning"),
        "failed": (1, "warning"),
        "idle": (2, "warning"),
        "plan_ends": (1, "warning"),
        "sim_missing": (1, "warning"),
        "storage_full": (1, "warning"),
        "ios_old": (1, "note"),
        "outdated": (1, "note"),
        "patch_old": (1, "note"),
    }
    assert found["changes"] == {"steps": {}, "runs": {"partial": 1}, "sims": {"ended": 1, "in_use": 2}}
    assert lines(home, "status", "--since", "2025-11-01")[0]["changes"]["steps"] == {"receive": 6}


def test_a_screen_of_80_by_24(furnished: Registry, home: Home) -> None:
    printed = fleet(home, "status").output
    assert max(cell_len(line) for line in printed.splitlines()) <= 80
    assert "\x1b" not in printed
    assert "data plan has ended (critical)" in " ".join(printed.split())
    assert "Have the battery changed" in printed
    assert "电池损耗超过 40%" in fleet(home, "status", "--lang", "zh").output


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_table_adds_up(furnished: Registry, home: Home, dimension: str) -> None:
    groups = lines(home, "status", "--by", dimension)
    wanted = 2 if dimension == "holder" else 6
    assert sum(group["units"] for group in groups) == wanted
    assert all(sum(group["by_state"].values()) == group["units"] for group in groups)
    table = list(csv.DictReader(io.StringIO(fleet(home, "status", "--by", dimension, "--csv").output)))
    assert [row["units"] for row in table] == [str(group["units"]) for group in groups]
    assert max(cell_len(line) for line in fleet(home, "status", "--by", dimension).output.splitlines()) <= 80


def test_tables_of_a_filter(furnished: Registry, home: Home) -> None:
    where = "alarm=battery_worn or alarm=plan_ends"
    assert {group["value"]: group["units"] for group in lines(home, "status", "--by", "model", "--where", where)} == {
        "samsung SM-A105F": 1,
        "samsung SM-T220": 1,
    }
    by_school = lines(home, "status", "--by", "school")
    assert [(group["value"], group["name"], group["units"]) for group in by_school] == [
        ("LE-LOI", "Le-Loi", 3),
        ("", "", 3),
    ]
    [found] = lines(home, "status", "--where", "place=STORE")
    assert (found["units"], [one["name"] for one in found["alarms"]], found["recent"]) == (1, ["idle"], [])


def test_monitoring(furnished: Registry, home: Home) -> None:
    done = fleet(home, "status", "--check")
    assert done.exit_code == 2
    assert re.fullmatch(r"FLEET CRITICAL - 6 units: 1 data plan has ended;[^|]* \| units=6( \w+=\d+)+\n", done.output)
    assert fleet(home, "status", "--check", "--where", "tag=A-3").exit_code == 1
    done = fleet(home, "status", "--check", "--where", "tag=A-4")
    assert (done.exit_code, done.output) == (0, "FLEET OK - 1 units: no alarm | units=1\n")
    (home.path / "health.yaml").write_text("plan_ended: {least: 50 %}\n")
    assert fleet(home, "status", "--check").exit_code == 1


def test_monitoring_of_what_cannot_be_read(home: Home) -> None:
    home.make()
    home.database_file.write_bytes(b"nonsense" * 1000)
    done = fleet(home, "status", "--check")
    assert done.exit_code == 2
    assert done.output.startswith("FLEET CRITICAL - ")
    assert len(done.output.splitlines()) == 1


_SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? -?\d+')


def test_metrics(furnished: Registry, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "fleet.prom"
    file.write_text("old")
    assert fleet(home, "status", "--metrics", file).output == ""
    text = file.read_text("utf-8")
    assert text.endswith("\n")
    assert all(
        line.startswith(("# HELP fleet_", "# TYPE fleet_")) or _SAMPLE.fullmatch(line) for line in text.splitlines()
    )
    assert 'fleet_units{state="with_student"} 2\n' in text
    assert 'fleet_units{state="retired"} 0\n' in text
    assert 'fleet_last_run_units{verdict="failed"} 1\n' in text
    assert len(re.findall("^fleet_units", text, re.MULTILINE)) == len(State)
    assert 'fleet_alarm_units{alarm="no_tag",severity="note"} 0\n' in text
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith("prom") or path.name.startswith(".")] == [
        "fleet.prom"
    ]


def test_only_a_file_is_replaced_by_metrics(furnished: Registry, home: Home, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to it").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link to it"):
        with pytest.raises(FileError, match="is no regular file"):
            fleet(home, "status", "--metrics", tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link to it").is_symlink()
    (tmp_path / "real.prom").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real.prom")
    assert fleet(home, "status", "--metrics", tmp_path / "link").output == ""
    assert "fleet_units{" in (tmp_path / "real.prom").read_text("utf-8")
    assert (tmp_path / "link").is_symlink()


def test_answers_that_exclude_each_other(home: Home) -> None:
    for words in (
        ("--csv",),
        ("--check", "--json"),
        ("--metrics", "x", "--by", "model"),
        ("--check", "--metrics", "x"),
    ):
        assert fleet(home, "status", *words).exit_code == 2


@SQLITE
def test_watch_on_a_terminal_and_off_it(furnished: Registry, home: Home, tmp_path: Path) -> None:
    ours = {
        **os.environ,
        "FLEET_HOME": str(home.path),
        "TERM": "xterm",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "LINES": "24",
    }
    master, slave = pty.openpty()
    watching = subprocess.Popen(
        [FLEET, "status", "--watch", "--every", "1"], env=ours, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = b""
    deadline = time.monotonic() + 60
    while b"BENCH" not in seen and time.monotonic() < deadline:
        seen += os.read(master, 4096)
    watching.send_signal(signal.SIGINT)
    while True:
        try:
            if not os.read(master, 4096):
                break
        except OSError:
            break
    assert watching.wait(60) == 130
    os.close(master)
    assert b"6 units" in seen
    out = tmp_path / "out"
    with out.open("wb") as file:
        lined = subprocess.Popen(
            [FLEET, "status", "--watch", "--every", "1", "--json"], env=ours, stdout=file, stderr=file
        )
        while out.stat().st_size < 1500 and time.monotonic() < deadline + 30:
            time.sleep(0.1)
        lined.send_signal(signal.SIGINT)
        assert lined.wait(60) == 130
    assert json.loads(out.read_text().splitlines()[0])["units"] == 6


def test_units_page_by_page(furnished: Registry, home: Home) -> None:
    seen, after = [], ""
    while True:
        *page, last = lines(home, "unit", "list", "--limit", "2", "--after", after)
        assert len(page) <= 2
        seen += [line["tag"] for line in page]
        if last["after"] is None:
            break
        after = last["after"]
    assert seen == ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6"]
    assert "--after android:SN2 shows the next page" in fleet(home, "unit", "list", "--limit", "2").output
    table = list(csv.DictReader(io.StringIO(fleet(home, "unit", "list", "--csv", "--where", "place=LE-LOI").output)))
    assert [(row["tag"], row["holder"]) for row in table] == [("A-1", "S000000001"), ("A-2", "S000000002"), ("A-3", "")]


def test_a_unit_with_all_that_is_known(furnished: Registry, home: Home) -> None:
    [found] = lines(home, "unit", "show", "A-2")
    assert found["custody"]["holder"] == "S000000002"
    assert found["custody"]["place_name"] == "Le-Loi"
    assert [one["name"] for one in found["alarms"]] == ["plan_ended", "sim_missing"]
    assert len(found["sims"]) == 2
    printed = " ".join(fleet(home, "unit", "show", "A-2").output.split())
    for words in (
        "LE-LOI, Le-Loi, Quận 1",
        "S-000000002",
        "not in it since",
        "its SIM is not in it any more",
        "received with batch B-1",
    ):
        assert words in printed


def test_rules_of_a_home(home: Home) -> None:
    home.make()
    assert rules_of(home)["battery_worn"].limit == 40
    own = home.path / "health.yaml"
    own.write_text("battery_worn: {limit: 25}\nno_tag: {severity: off}\n")
    found = rules_of(home)
    assert found["battery_worn"].filter.endswith("battery_worn > 25")
    assert "no_tag" not in found
    assert rules_of(home) == found
    own.unlink()
    assert rules_of(home)["no_tag"].severity == "note"


@pytest.mark.parametrize("case", yaml.safe_load((DATA / "mistakes.yaml").read_text("utf-8")))
def test_mistakes_in_rules(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = health_rules.laid_over(read_yaml(FILE), {})
    with pytest.raises(ProfileError) as caught:
        health_rules.laid_over(parse_yaml(case["file"].encode(), tmp_path / "health.yaml"), base)
    for words in case["says"]:
        assert words in str(caught.value)


def test_what_auditors_ask_for(furnished: Registry, home: Home, tmp_path: Path) -> None:
    with transaction(furnished.engine) as conn:
        furnished.ledger.append(conn, "unit.custody", "android:SN1", _taken("S000000001"))
        the_vault(home, conn).put(conn, "S000000001", Person(name="=Lê Thị Hoa"))
    out = tmp_path / "audit.csv"
    assert "6 rows" in fleet(home, "report", "audit", "--out", out).output
    rows = {row["tag"]: row for row in csv.DictReader(io.StringIO(out.read_text("utf-8-sig")))}
    assert (rows["A-1"]["person"], rows["A-1"]["loaned"], rows["A-1"]["operator"]) == (
        "S-000000001",
        at(-1)[:10],
        "viettel",
    )
    assert rows["A-5"]["person"] == ""
    reads = select(func.count()).select_from(events).where(events.c.kind == "vault.read")
    with snapshot(furnished.engine) as conn:
        assert conn.scalar(reads) == 0
    fleet(home, "report", "audit", "--out", out, "--names", "audit of 2026")
    rows = {row["tag"]: row for row in csv.DictReader(io.StringIO(out.read_text("utf-8-sig")))}
    assert rows["A-1"]["person"] == "'=Lê Thị Hoa"
    with snapshot(furnished.engine) as conn:
        assert conn.scalar(reads) == 1
    assert fleet(home, "report", "audit", "--out", out, "--names", " ").exit_code == 2


def _taken(student: str) -> dict[str, Any]:
    where = {"step": "hand_over", "state": "with_student", "place": "LE-LOI", "student": student}
    return {"v": 1, **where, "taken_by": "guardian", "kit": {"charger": 1}, "condition": "good", "checks": {}}


@SQLITE
def test_nothing_reads_the_ledger_or_walks_the_units(furnished: Registry) -> None:
    """So that it does not slow down as history grows, nor read a million rows where an index will do."""
    asked: list[tuple[str, Any]] = []
    event.listen(furnished.engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
    with snapshot(furnished.engine) as conn:
        rules = rules_of(furnished.home)
        within = filter_known.asked(conn, rules, None, NOW)
        read_status(conn, rules, within, at(-1))
        for dimension in DIMENSIONS:
            by(conn, within, dimension)
        plans = _plans(conn, [one for one in asked if one[0].startswith(("SELECT", "WITH"))])
    assert len(plans) > 20
    assert not [
        plan for plan in plans if re.match(r"(SCAN|SEARCH) (events|holdings|units|custody|health_now|sims)$", plan)
    ]
    assert not [plan for plan in plans if "events" in plan]


def _plans(conn: Connection, queries: list[tuple[str, Any]]) -> list[str]:
    return [row[3] for query, values in queries for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)]


def test_a_sim_that_a_bench_does_not_find(registry: Registry, home: Home) -> None:
    from dataclasses import replace

    from provision.model import Cellular, SimCard
    from tests.fleet.making import facts, identity
    from tests.fleet.making import report as made

    who = identity()
    registry.record(made(who))
    iccid = facts(who).cellular.cards[0].iccid
    with transaction(registry.engine) as conn:
        from fleet import iccid as numbers
        from fleet.sim_reading import changed, unsettled

        kept = numbers.normal(iccid)
        registry.ledger.append(conn, *changed("receive", kept, {"carrier": "viettel", "state": "received"}))
        registry.ledger.append_many(conn, list(unsettled(conn)))
    missed = select(sims.c.missed_at)
    for card, gone in ((SimCard(0, "ABSENT", "", "", ""), True), (facts(who).cellular.cards[0], False)):
        registry.record(made(who, facts=replace(facts(who), cellular=Cellular((card,), ""))))
        with snapshot(registry.engine) as conn:
            assert (conn.scalar(missed) is not None) == gone
            assert conn.scalar(select(func.count()).select_from(health_now)) == 1
