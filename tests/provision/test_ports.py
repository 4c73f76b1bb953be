"""Verdicts on ports: cases as files, what no event may do to it, and a healthy bench that is left in peace."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.ports import Ports
from provision.progress import Progress

CASES = Path(__file__).parents[1] / "data" / "ports"
_BEGUN = datetime(2026, 11, 22, 8, tzinfo=UTC)
_EVERY = 0.5


def _at(seconds: float) -> str:
    return (_BEGUN + timedelta(seconds=seconds)).isoformat()


def _spelt_out(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events that a short form stands for."""
    if "send" in row:
        address, begin, rate = row["send"], row["from"], float(row["rate"])
        yield {"event": "device", "address": address, "at": begin}
        yield {"event": "step", "address": address, "at": begin, "item": "apps.a"}
        for number in range(int((row["to"] - begin) / _EVERY) + 1):
            passed = number * _EVERY
            sent = int(passed * rate)
            yield {"event": "bytes", "address": address, "at": begin + passed, "item": "apps.a", "sent": sent}
        yield {"event": "report", "address": address, "at": row["to"], "verdict": "verified", "lost": False}
    elif "lose" in row:
        yield {"event": "device", "address": row["lose"], "at": row["at"]}
        yield {"event": "gone", "address": row["lose"], "at": row["at"] + 10}
        yield {"event": "report", "address": row["lose"], "at": row["at"] + 10.5, "verdict": "failed", "lost": False}
    elif "visit" in row:
        yield {"event": "waiting", "address": row["visit"], "at": row["at"]}
        yield {"event": "gone", "address": row["visit"], "at": row["at"] + 1}
    else:
        yield dict(row)


def _progress(row: Mapping[str, Any], devices: Mapping[str, Mapping[str, str]]) -> Progress:
    fields = dict(row)
    event, at, address = fields.pop("event"), _at(fields.pop("at")), fields.pop("address", "")
    device = devices.get(address, {})
    if event in ("device", "waiting", "gone"):
        fields["port"] = device["port"]
    return Progress(event, address, device.get("serial", ""), device.get("unit"), fields, at)


def _heard(rows: list[dict[str, Any]], devices: Mapping[str, Mapping[str, str]]) -> tuple[Ports, list[Progress]]:
    told: list[Progress] = []
    ports = Ports(told.append)
    for row in rows:
        ports.emit(_progress(row, devices))
    return ports, told


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = yaml.safe_load(path.read_text("utf-8"))
    rows = sorted((event for row in case["events"] for event in _spelt_out(row)), key=lambda row: row["at"])

    found = _heard(rows, case["devices"])[0].verdicts()

    wanted = case["verdicts"]
    assert [(one.port, one.kind) for one in found] == [(one["port"], one["kind"]) for one in wanted]
    for one, fields in zip(found, wanted, strict=True):
        assert {key: one.fields()[key] for key in fields} == fields


def test_a_verdict_is_told_while_it_happens_once_and_again_when_the_culprit_is_known() -> None:
    case = yaml.safe_load((CASES / "slow-with-two-phones.yaml").read_text("utf-8"))
    rows = sorted((event for row in case["events"] for event in _spelt_out(row)), key=lambda row: row["at"])

    _, told = _heard(rows, case["devices"])

    assert [(news.event, news.address, news.fields["port"], news.fields["blame"]) for news in told] == [
        ("port", "", "1-2.3", ""),
        ("port", "", "1-2.3", "port"),
    ]


def test_a_clock_set_back_begins_anew() -> None:
    case = yaml.safe_load((CASES / "slow-with-one-phone.yaml").read_text("utf-8"))
    rows = sorted((event for row in case["events"] for event in _spelt_out(row)), key=lambda row: row["at"])
    early = {"event": "server", "at": 100_000}

    assert _heard([early, *rows], case["devices"])[0].verdicts() == _heard(rows, case["devices"])[0].verdicts() != ()


@st.composite
def healthy_benches(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    """Phones of any number on several buses, up to twice as slow as another, at any times, then taken away."""
    rows: list[dict[str, Any]] = []
    devices = {}
    for number in range(draw(st.integers(1, 40))):
        bus, name = draw(st.integers(1, 3)), f"a{number}"
        devices[name] = {"serial": f"S{number}", "port": draw(st.sampled_from([f"{bus}-{number}", ""]))}
        begin = draw(st.floats(0, 60))
        rate = draw(st.floats(10e6, 20e6))
        rows += _spelt_out({"send": name, "from": begin, "to": begin + draw(st.integers(1, 12)), "rate": rate})
        rows.append({"event": "gone", "address": name, "at": 100 + draw(st.floats(0, 60))})
    return sorted(rows, key=lambda row: row["at"]), devices


@given(healthy_benches())
@settings(max_examples=25)
def test_a_healthy_bench_is_left_in_peace(bench: tuple[list[dict[str, Any]], dict[str, dict[str, str]]]) -> None:
    ports, told = _heard(*bench)

    assert (ports.verdicts(), told) == ((), [])


def _shuffled(rows: list[dict[str, Any]], dice: random.Random) -> Iterator[dict[str, Any]]:
    """Those of one address stay in their order."""
    turns = [row.get("address", "") for row in rows]
    dice.shuffle(turns)
    queues = {turn: iter([row for row in rows if row.get("address", "") == turn]) for turn in set(turns)}
    return (next(queues[turn]) for turn in turns)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
@given(st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_the_order_of_devices_does_not_matter(path: Path, dice: random.Random) -> None:
    case = yaml.safe_load(path.read_text("utf-8"))
    rows = sorted((event for row in case["events"] for event in _spelt_out(row)), key=lambda row: row["at"])

    shuffled = list(_shuffled(rows, dice))
    assert _heard(shuffled, case["devices"])[0].verdicts() == _heard(rows, case["devices"])[0].verdicts()


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400)
progresses = st.builds(
    Progress,
    st.sampled_from(["device", "step", "bytes", "done", "gone", "waiting", "server", "report", "port", "later"]),
    st.sampled_from(["", "a1", "a2"]),
    st.sampled_from(["", "S1", "S2"]),
    st.none() | st.just("A-0001"),
    st.dictionaries(
        st.sampled_from(["port", "item", "sent", "verdict", "lost"]),
        anything | st.sampled_from(["1-2", "1-2.3", "-", "failed"]) | st.floats(0, 1e9),
    ),
    st.floats(0, 5000).map(_at) | st.sampled_from(["", "yesterday", "0001-01-01T00:00:00+23:59", "9999-12-31"]),
)


@given(st.lists(progresses, max_size=40))
@settings(max_examples=150)
def test_no_event_stops_it(events: list[Progress]) -> None:
    told: list[Progress] = []
    ports = Ports(told.append)
    for event in events:
        ports.emit(event)

    assert {news.event for news in told} <= {"port"}
    assert all(verdict.what and verdict.next_action for verdict in ports.verdicts())
