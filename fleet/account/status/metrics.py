"""The status as a file for the text-file collector of Prometheus' node exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from fleet.account.custody.machine import State
from fleet.account.sheets import csv_out
from fleet.account.status.counts import Status
from fleet.account.status.health_rules import Rules

_VERDICTS = ("failed", "none", "partial", "verified")
_Sample = tuple[Mapping[str, str], int]


def write(file: Path, found: Status, rules: Rules, at: str) -> None:
    """Put the numbers into ``file``, at once. What no unit is or has is 0, so that a graph has no gaps. FileError."""
    with csv_out.replaced(file, mode=0o644, marked=False) as out:
        out.write(text(found, rules, at))


def text(found: Status, rules: Rules, at: str) -> str:
    """The exposition format, version 0.0.4."""
    had = {one.name: one.units for one in found.alarms}
    alarms = [({"alarm": name, "severity": rule.severity}, had.get(name, 0)) for name, rule in sorted(rules.items())]
    verdicts = [({"verdict": name}, found.by_verdict.get(name, 0)) for name in _VERDICTS]
    states = [({"state": name}, found.by_state.get(name, 0)) for name in sorted(State)]
    moment = round(datetime.fromisoformat(at).timestamp())
    lines = (
        *_metric("fleet_units", "Units by state.", states),
        *_metric("fleet_last_run_units", "Units by the verdict of their last run.", verdicts),
        *_metric("fleet_alarm_units", "Units by alarm of the health rules.", alarms),
        *_metric("fleet_status_timestamp_seconds", "When these numbers were counted.", [({}, moment)]),
    )
    return "".join(f"{line}\n" for line in lines)


def _metric(name: str, about: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for labels, number in samples:
        said = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
        yield f"{name}{{{said}}} {number}" if said else f"{name} {number}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
