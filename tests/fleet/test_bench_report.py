"""``fleet report bench``: cases as folders of logs, what no log may do to it, and the command itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.bench_report import BenchReport, report
from fleet.run_logs import Event, Skipped, logs, parse
from tests.fleets import Fleet

CASES = Path(__file__).parents[1] / "data" / "bench_report"
NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)


def told(folder: Path, since: datetime | None = None, now: datetime = NOW) -> tuple[BenchReport, Skipped]:
    skipped = Skipped()
    return report(logs(folder, since, now, skipped)), skipped


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_case(case: str) -> None:
    expect = yaml.safe_load((CASES / case / "expect.yaml").read_text("utf-8"))

    found, skipped = told(CASES / case, expect.get("since"), expect["now"])

    plain: dict[str, Any] = json.loads(json.dumps(asdict(found)))
    assert {key: plain[key] for key in expect["report"]} == expect["report"]
    assert vars(skipped) == expect["skipped"]


def test_a_folder_without_logs_is_no_work(tmp_path: Path) -> None:
    found, _ = told(tmp_path / "runs")

    assert (found.runs, found.units, found.per_hour) == (0, {}, None)


def test_a_line_that_never_ends_is_one_broken_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x" * (3 << 20) + b'\n{"v":1,"event":"summary"}\n' + b"\0" * (1 << 20))

    _, skipped = told(tmp_path)

    assert skipped == Skipped(broken=2)


def test_logs_older_than_the_day_are_not_opened(tmp_path: Path) -> None:
    old = tmp_path / "a.jsonl"
    old.write_text("broken\n")

    _, skipped = told(tmp_path, since=datetime.now(UTC) + timedelta(days=1))

    assert skipped == Skipped()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()) | values
names = st.sampled_from(["device", "step", "bytes", "done", "item", "report", "summary", "later"]) | values
numbers = st.integers(0, 10**400) | st.floats(min_value=0) | values
fields = st.fixed_dictionaries(
    {"v": st.just(1) | values, "event": names, "at": times},
    optional={
        "address": st.sampled_from(["a", "b"]) | values,
        "serial": st.sampled_from(["S1", ""]) | values,
        "port": st.sampled_from(["1-2.3", "1-4", "-", "x-1"]) | values,
        "mode": st.sampled_from(["verify", "provision"]) | values,
        "verdict": st.sampled_from(["verified", "failed", "planned"]) | values,
        "item": st.just("apps.a") | values,
        "sent": numbers,
        "seconds": numbers,
        "error": values,
        "result": st.just("failed") | values,
    },
)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.binary(max_size=30) | fields.map(lambda tree: json.dumps(tree).encode()), max_size=12), max_size=3
    )
)
def test_no_line_stops_it(written: list[list[bytes]]) -> None:
    skipped = Skipped()

    def read(log: list[bytes]) -> Iterator[Event]:
        return (event for line in log if (event := parse(line, NOW, skipped)))

    found = report(read(log) for log in written)

    assert json.loads(json.dumps(asdict(found)))
    assert all(not row.share or 0 <= row.share <= 1 for row in found.slowest)
    assert found.worked >= 0
    assert found.runs <= len(written)
    assert sum(vars(skipped).values()) <= sum(map(len, written))


def test_the_command(tmp_path: Path) -> None:
    runs = tmp_path / "home" / "runs"
    runs.mkdir(parents=True)
    for path in (CASES / "day").glob("*.jsonl"):
        (runs / path.name).write_bytes(path.read_bytes())
    fleet = Fleet(tmp_path / "home", 1, {"TZ": "Asia/Ho_Chi_Minh"})

    shown, line = fleet("report", "bench", "--left", "8"), fleet("report", "bench", "--left", "8", "--json").lines[0]

    assert shown.code == 0, shown.err
    assert "3 units in 3 runs: 1 partial, 2 verified" in shown.out
    assert "4.0 units per hour (45 min 0 s of work" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert line["per_hour"] == 4.0
    finish = datetime.fromisoformat(line["finish"])
    assert abs(finish - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert f"done at {finish.astimezone(UTC) + timedelta(hours=7):%Y-%m-%d %H:%M}" in shown.out


def test_days_are_local_and_wrong_ones_are_told(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "home", 1, {"TZ": "Asia/Ho_Chi_Minh"})

    since = fleet("report", "bench", "--since", "2026-11-22", "--json").lines[0]["since"]
    wrong = fleet("report", "bench", "--since", "soon")

    assert since == "2026-11-22T00:00:00+07:00"
    assert (wrong.code, "2026-11-22, or today" in wrong.err) == (2, True)
    assert "No run was found" in fleet("report", "bench", "--since", "today").out
    assert not (tmp_path / "home").exists()
