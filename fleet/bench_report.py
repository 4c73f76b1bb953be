"""What the run logs tell of a bench: units and their pace, slow steps, rates of ports, reasons of failures.

A unit counts once, with its last run. Only runs of ``provision`` count; plans and verifications take no unit further.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fleet.run_logs import Event
from provision import pace
from provision.pace import Slow, Span
from provision.port_events import Departure, Sending, Sent, Visits, bus_of
from provision.ports import PortVerdict, flapping

_MEASURED = 1.0
"""Seconds of sending from which on a rate means something."""

_GOOD = ("verified", "partial")


@dataclass(frozen=True)
class Flow:
    """Bytes that went through a port or a bus, and the bytes per second while some were sent, where that is known.

    ``losses``: devices that went away from a port while they were being worked on.
    """

    place: str
    size: int
    rate: float | None
    losses: int


@dataclass(frozen=True)
class Failure:
    """A reason why runs or items failed: on how many units, how often, and what to do."""

    why: str
    next_action: str
    units: int
    times: int


@dataclass(frozen=True)
class BenchReport:
    """``units`` by the verdict of their last run; ``per_hour``: verified and partial ones, over ``worked`` seconds."""

    runs: int
    units: dict[str, int]
    worked: float
    per_hour: float | None
    slowest: tuple[Slow, ...]
    flows: tuple[Flow, ...]
    ports: tuple[PortVerdict, ...]
    failures: tuple[Failure, ...]


def report(logs: Iterable[Iterable[Event]]) -> BenchReport:
    """The report of ``logs``, one per run. Memory grows with units and steps, not with lines."""
    told = _Told()
    for log in logs:
        told.take(log)
    return told.report()


@dataclass
class _Run:
    """A device in one log."""

    model: str = ""
    port: str = ""
    mode: str = "provision"
    begun: datetime | None = None


@dataclass
class _Sent:
    """Bytes of a place, and those of them that went out in the seconds measured. ``until``: measured so far."""

    size: float = 0
    timed: float = 0
    seconds: float = 0
    until: float = -math.inf

    def add(self, part: Sent) -> None:
        self.size += part.size
        if part.begin is None:
            return
        self.timed += part.size
        begin = max(part.begin, self.until)
        if part.end > begin:
            self.seconds += part.end - begin
            self.until = part.end

    def flow(self, place: str, losses: int) -> Flow:
        rate = self.timed / self.seconds if self.seconds >= _MEASURED else None
        return Flow(place, round(self.size), rate, losses)


@dataclass
class _Told:
    """What has been read so far, of all logs."""

    runs: int = 0
    last: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    seconds: defaultdict[tuple[str, str], array[float]] = field(default_factory=lambda: defaultdict(_doubles))
    running: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    sent: defaultdict[str, _Sent] = field(default_factory=lambda: defaultdict(_Sent))
    departures: list[Departure] = field(default_factory=list)
    servers: list[float] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    slow: dict[str, PortVerdict] = field(default_factory=dict)
    failed: defaultdict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, log: Iterable[Event]) -> None:
        reader = _Log(self)
        for event in log:
            reader.take(event)
        self.runs += bool(reader.spans)
        self.spans += reader.spans

    def report(self) -> BenchReport:
        worked = pace.worked(self.spans)
        units = Counter(verdict for _, verdict in self.last.values())
        return BenchReport(
            runs=self.runs,
            units=dict(sorted(units.items())),
            worked=worked.total_seconds(),
            per_hour=pace.per_hour(sum(units[verdict] for verdict in _GOOD), worked),
            slowest=pace.slowest(self.seconds, self.running),
            flows=tuple(self._flows()),
            ports=tuple(self._ports()),
            failures=tuple(self._failures()),
        )

    def _flows(self) -> Iterator[Flow]:
        losses = Counter(one.place for one in self.departures if one.lost)
        for place in sorted(self.sent.keys() | losses.keys(), key=_order):
            yield self.sent[place].flow(place, losses[place])

    def _ports(self) -> Iterator[PortVerdict]:
        """Slow ports as they were told; those that flap over all runs together."""
        found = [*self.slow.values(), *flapping(self.departures, self.servers, self.names)]
        yield from sorted(found, key=lambda verdict: (_order(verdict.port), verdict.kind))

    def _failures(self) -> Iterator[Failure]:
        for (why, next_action), units in sorted(self.failed.items(), key=lambda row: (-len(row[1]), row[0])):
            yield Failure(why, next_action, len(units), units.total())


def _doubles() -> array[float]:
    return array("d")


class _Log:
    """Reads one log into what has been told. ``spans`` are the times in which something happened in it."""

    def __init__(self, told: _Told) -> None:
        self.spans: list[Span] = []
        self._told = told
        self._devices: defaultdict[str, _Run] = defaultdict(_Run)
        self._sending = Sending()
        self._visits = Visits()

    def take(self, event: Event) -> None:
        self._visit(event)
        run = self._devices[event.text("address")]
        if event.name == "device":
            run = self._devices[event.text("address")] = _device(event)
        if run.mode != "provision":
            return
        match event.name:
            case "device":
                pass
            case "step":
                self._sending.begin(event.text("address"), event.text("item"))
            case "bytes":
                self._bytes(event, run)
            case "done":
                self._done(event, run)
            case "item":
                self._item(event, run)
            case "report":
                self._report(event, run)
            case _:
                return
        self._happened(event.at)

    def _visit(self, event: Event) -> None:
        """What the event says of ports: who left, the adb server's deaths, and what was told then of slow ones."""
        address, serial, at = event.text("address"), event.text("serial"), event.at.timestamp()
        if departure := self._visits.take(event.name, address, serial, event.fields, at):
            self._told.departures.append(departure)
        match event.name:
            case "device":
                self._told.names[serial] = event.text("unit") or serial
            case "server":
                self._told.servers.append(at)
            case "port" if event.text("kind") == "slow":
                names = ("port", "kind", "blame", "what", "next_action")
                self._told.slow[event.text("port")] = PortVerdict(*(event.text(name) for name in names))

    def _happened(self, at: datetime) -> None:
        """Times out of order (many threads, a clock set back) begin no new span unless they are far away."""
        begin, end = self.spans[-1] if self.spans else (at, at)
        if abs(at - end) <= pace.PAUSE and self.spans:
            self.spans[-1] = (min(begin, at), max(end, at))
        else:
            self.spans.append((at, at))

    def _bytes(self, event: Event, run: _Run) -> None:
        part = self._sending.take(event.text("address"), event.text("item"), event.number("sent"), event.at.timestamp())
        if part and run.port:
            for place in {run.port, _bus(run.port)} - {""}:
                self._told.sent[place].add(part)

    def _done(self, event: Event, run: _Run) -> None:
        if run.model and event.text("item"):
            self._told.seconds[run.model, event.text("item")].append(event.number("seconds"))

    def _item(self, event: Event, run: _Run) -> None:
        if event.text("result") == "failed":
            self._failed(event, run, f"{event.text('item')}: {event.text('why')}")

    def _failed(self, event: Event, run: _Run, why: str) -> None:
        reason = _of_any(why, event, run), _of_any(event.text("next_action"), event, run)
        self._told.failed[reason][event.text("serial") or event.text("address")] += 1

    def _report(self, event: Event, run: _Run) -> None:
        ended = event.at, event.text("verdict")
        if serial := event.text("serial"):
            self._told.last[serial] = max(ended, self._told.last.get(serial, ended))
        if error := event.text("error"):
            self._failed(event, run, error)
        if run.begun and event.at > run.begun:
            self._told.running[run.model] += (event.at - run.begun).total_seconds()


def _device(event: Event) -> _Run:
    model = f"{event.text('maker')} {event.text('model')}".strip()
    return _Run(model, event.text("port"), event.text("mode") or "provision", event.at)


def _of_any(text: str, event: Event, run: _Run) -> str:
    """A sentence about one phone, as it is said of every other that fails so."""
    address = event.text("address")
    names = [f"{address} (USB {run.port})" if run.port else "", address, event.text("serial")]
    for name in filter(None, names):
        text = re.sub(rf"(?<![\w.:]){re.escape(name)}(?![\w:])", "the phone", text)
    text = re.sub(rf"\bport {re.escape(run.port)}(?!\.?\w)", "its port", text) if run.port else text
    return text[:1].upper() + text[1:] if text.startswith("the phone") else text


def _bus(port: str) -> str:
    return f"bus {bus}" if (bus := bus_of(port)) else ""


def _order(place: str) -> tuple[list[int], str]:
    """A bus before its ports, and port 2 before port 10."""
    return [int(number) for number in re.findall("[0-9]{1,9}", place)], place
