"""A slow link and a cable that does not hold, on real transfers: ``fleet watch`` names their ports."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.test_watch import Watching
from tests.benches import Bench
from tests.fleets import Fleet

StartBench = Callable[[dict[str, Any]], Bench]

_SLOW = 400_000
_BUS = 12_000_000
_SIZE = 30_000_000


def test_a_slow_and_a_flapping_port_are_named(fleet: Fleet, virtual_bench: StartBench, tmp_path: Path) -> None:
    """Of four phones one has a slow link, and one leaves again and again in the middle of its content."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "film.bin").write_bytes(bytes(_SIZE))
    profile = tmp_path / "films.yaml"
    profile.write_text("profile: films\ncontent:\n  - {id: films, from: films, to: Films}\n", "utf-8")
    pull = {"kind": "unplug", "after_bytes": 2_000_000, "replug_after": 0.5, "times": 0}
    faults = [[], [{"kind": "slow_link", "rate": _SLOW}], [], [pull]]
    bench = virtual_bench(
        {
            "bus": {"hub": {"rate": _BUS}},
            "devices": [{"preset": "pixel-13", "link": "hub", "faults": fault} for fault in faults],
        }
    )
    process: subprocess.Popen[str] = fleet.start("watch", "--json", "--profile", profile)
    watch = Watching(process, fleet.home)
    try:
        for kind in ("slow", "flapping"):
            watch.wait_for(lambda row, kind=kind: row["event"] == "port" and row["kind"] == kind)  # type: ignore[misc]
        watch.end()
    finally:
        watch.close()

    found = {(row["port"], row["kind"]) for row in watch.lines if row["event"] == "port"}
    assert found == {(bench.devices[1].address, "slow"), (bench.devices[3].address, "flapping")}
    report = fleet("report", "bench", "--json").lines[0]
    assert {(row["port"], row["kind"]) for row in report["ports"]} == found
