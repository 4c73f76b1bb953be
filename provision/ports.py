"""Which port, cable or phone is slow or does not hold: found by comparing what runs say, never with a fixed speed.

A port is slow when its phone gets much less than others of its bus get in the same seconds, or less when it has the bus
to itself than others get at any time. It flaps when it loses the phones that are being worked on. Whom to blame follows
from what the trouble stays with: the port (with several phones) or the phone (on several ports).
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from provision.port_events import Departure, Sending, Visits, bus_of
from provision.port_pace import Pace, Seat, Second, paces
from provision.progress import Emit, Progress
from provision.text import amount, counted

REMEMBERED = 1200
"""Seconds that rates are kept: in 20 minutes a port sees several phones, which is what tells a port from a phone."""

LOSSES = 3
"""Phones lost in the middle of work that make a port flap: one is a pulled cable, two are haste."""

DEPARTURES = 6
"""Times that one phone leaves one port, at work or not, which make it flap. Its owner's hands (debugging switched on, a
restart, another USB mode) take two or three."""

WITHIN = 600.0
"""Seconds in which losses and departures are counted together."""

TOGETHER = 1.0
"""Seconds between departures that have one cause: a hub, or the adb server, and no port of them."""

TOGETHER_PORTS = 3
"""Ports that lose their phones together; two may do so by chance on a large bench."""

_LOOK = 5.0
"""Seconds between two looks at the rates."""

_NEVER = -math.inf


@dataclass(frozen=True)
class PortVerdict:
    """``port`` as adb names it ("1-2.3"), the address where there is none; ``kind`` is slow or flapping.

    ``blame``: port (it or its cable), phone (it or its socket), or "" where both are possible.
    """

    port: str
    kind: str
    blame: str
    what: str
    next_action: str

    def fields(self) -> dict[str, object]:
        """As JSON lines write it (docs/json.md, ``port``)."""
        return {
            "port": self.port,
            "kind": self.kind,
            "blame": self.blame,
            "what": self.what,
            "next_action": self.next_action,
        }


class Ports:
    """Listens to runs (:meth:`emit`, a :data:`provision.progress.Emit`, from any thread) and judges ports.

    ``tell`` hears each new verdict once, as an event ``port``.
    """

    def __init__(self, tell: Emit | None = None) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._sending = Sending()
        self._visits = Visits()
        self._buses: defaultdict[str, dict[int, Second]] = defaultdict(dict)
        self._departures: list[Departure] = []
        self._servers: list[float] = []
        self._names: dict[str, str] = {}
        self._newest = _NEVER
        self._look_at = _NEVER
        self._told: set[tuple[str, str, str]] = set()

    def emit(self, progress: Progress) -> None:
        """Take in one thing that happened, and tell what follows from it."""
        with self._lock:
            at = _seconds(progress.at)
            if at is None or progress.event == "port":
                return
            if at < self._newest - REMEMBERED:  # the clock was set back
                self._newest = _NEVER
                self._buses.clear()
            self._newest = max(self._newest, at)
            self._take(progress, at)
            news = self._news()
        if self._tell:
            for verdict in news:
                self._tell(Progress("port", "", fields=verdict.fields()))

    def verdicts(self) -> tuple[PortVerdict, ...]:
        """All that is known now, by port."""
        with self._lock:
            return self._verdicts(self._newest)

    def _verdicts(self, until: float) -> tuple[PortVerdict, ...]:
        departures = [one for one in self._departures if one.at <= until]
        found = [*self._slow(), *flapping(departures, self._servers, self._names)]
        return tuple(sorted(found, key=lambda verdict: (verdict.port, verdict.kind)))

    def _news(self) -> list[PortVerdict]:
        """A departure is settled when those that belong together with it have come."""
        if self._newest < self._look_at:
            return []
        self._look_at = self._newest + _LOOK
        news = []
        for verdict in self._verdicts(self._newest - TOGETHER):
            key = verdict.port, verdict.kind, verdict.blame
            if key not in self._told:
                self._told.add(key)
                news.append(verdict)
        return news

    def _take(self, progress: Progress, at: float) -> None:
        address, serial, fields = progress.address, progress.serial, progress.fields
        if departure := self._visits.take(progress.event, address, serial, fields, at):
            self._departures.append(departure)
        match progress.event:
            case "device":
                self._names[serial] = progress.unit or serial
            case "server":
                self._servers.append(at)
            case "step":
                self._sending.begin(address, _text(fields.get("item")))
            case "bytes":
                self._bytes(progress, at)
        if progress.event in ("device", "gone", "report"):
            self._look_at = _NEVER

    def _bytes(self, progress: Progress, at: float) -> None:
        item, sent = _text(progress.fields.get("item")), _number(progress.fields.get("sent"))
        part = self._sending.take(progress.address, item, sent, at)
        port = self._visits.port(progress.address)
        if part is None or part.begin is None:
            return
        seat = Seat(port or progress.address, progress.serial or progress.address)
        seconds = self._buses[bus_of(port)]
        rate = part.size / (at - part.begin)
        for second in range(math.floor(part.begin), math.ceil(at)):
            time = min(at, second + 1) - max(part.begin, second)
            if time > 0:
                seconds.setdefault(second, Second()).add(seat, rate * time, time)
        while seconds and (oldest := next(iter(seconds))) < self._newest - REMEMBERED:
            del seconds[oldest]

    def _slow(self) -> Iterator[PortVerdict]:
        for seconds in self._buses.values():
            kept = [seconds[at] for at in sorted(seconds, reverse=True) if at >= self._newest - REMEMBERED]
            yield from _slow_ports(paces(kept), self._names)


def _slow_ports(found: dict[Seat, Pace], names: dict[str, str]) -> Iterator[PortVerdict]:
    places: defaultdict[str, dict[str, Pace]] = defaultdict(dict)
    slow_at: defaultdict[str, set[str]] = defaultdict(set)
    for seat, pace in found.items():
        places[seat.where][seat.who] = pace
        if pace.slow:
            slow_at[seat.who].add(seat.where)
    for where, here in places.items():
        slow = {who: pace for who, pace in here.items() if pace.slow}
        if slow:
            elsewhere = {who: slow_at[who] - {where} for who in slow}
            yield _slow_port(where, slow, len(slow) < len(here), elsewhere, names)


def _slow_port(
    where: str, slow: dict[str, Pace], others_are_fast: bool, elsewhere: dict[str, set[str]], names: dict[str, str]
) -> PortVerdict:
    worst = min(slow.values(), key=lambda pace: pace.own / pace.others)
    rates = f"{_rate(worst.own)}, its neighbours {_rate(worst.others)}"
    when = "though it had the bus to itself" if worst.alone else "in the same seconds"
    fast = "; other phones are fast there" if others_are_fast else ""
    blame = "phone" if others_are_fast else _blame(elsewhere)
    what = f"{_said(where)}: {rates} {when}, {_with(elsewhere, names)}{fast}."
    return PortVerdict(where, "slow", blame, what, _NEXT["slow", blame])


def flapping(departures: Iterable[Departure], servers: Iterable[float], names: dict[str, str]) -> Iterator[PortVerdict]:
    """The ports that do not hold their phones. ``servers``: when the adb server was away; ``names``: by serial."""
    alone = _alone(sorted(departures), sorted(servers))
    lost_at: defaultdict[str, set[str]] = defaultdict(set)
    places: defaultdict[str, list[Departure]] = defaultdict(list)
    for one in alone:
        places[one.place].append(one)
        if one.lost:
            lost_at[one.serial or one.address].add(one.place)
    for where, here in sorted(places.items()):
        lost = [one for one in here if one.lost]
        if len(worst := _most(lost)) < LOSSES and len(worst := _restless(here)) < DEPARTURES:
            continue
        elsewhere = {one.serial or one.address: lost_at[one.serial or one.address] - {where} for one in worst}
        blame = _blame(elsewhere)
        does = "lost its phone" if worst[0].lost or len(elsewhere) > 1 else "its phone came and went"
        minutes = max(1, math.ceil((worst[-1].at - worst[0].at) / 60))
        times = f"{len(worst)} times in {counted(minutes, 'minute')}"
        what = f"{_said(where)}: {does} {times}, {_with(elsewhere, names)}."
        yield PortVerdict(where, "flapping", blame, what, _NEXT["flapping", blame])


def _alone(departures: Sequence[Departure], servers: Sequence[float]) -> list[Departure]:
    """Those that have no common cause with others."""
    kept: list[Departure] = []
    first = last = 0
    for one in departures:
        while departures[first].at < one.at - TOGETHER:
            first += 1
        while last < len(departures) and departures[last].at <= one.at + TOGETHER:
            last += 1
        ports = {other.place for other in departures[first:last]}
        if len(ports) < TOGETHER_PORTS and not any(abs(at - one.at) <= TOGETHER for at in servers):
            kept.append(one)
    return kept


def _most(departures: Sequence[Departure]) -> Sequence[Departure]:
    """The longest run of them within the time that counts."""
    best: Sequence[Departure] = ()
    first = 0
    for last, one in enumerate(departures):
        while departures[first].at < one.at - WITHIN:
            first += 1
        if last + 1 - first > len(best):
            best = departures[first : last + 1]
    return best


def _restless(departures: Iterable[Departure]) -> Sequence[Departure]:
    """The departures of the one phone that left most often."""
    phones: defaultdict[str, list[Departure]] = defaultdict(list)
    for one in departures:
        phones[one.serial or one.address].append(one)
    return max(map(_most, phones.values()), key=len)


def _blame(elsewhere: dict[str, set[str]]) -> str:
    """By phone, the other ports where it has the same trouble."""
    only_here = [who for who, ports in elsewhere.items() if not ports]
    if len(only_here) > 1:
        return "port"
    return "" if only_here else "phone"


def _with(elsewhere: dict[str, set[str]], names: dict[str, str]) -> str:
    phones = sorted(names.get(who) or who for who in elsewhere)
    if len(phones) > 1:
        return f"with {len(phones)} different phones ({', '.join(phones)})"
    ports = sorted(elsewhere[next(iter(elsewhere))])
    also = f", as on {', '.join(ports)}" if ports else " only"
    return f"with {phones[0]}{also}"


_NEXT = {
    ("slow", "port"): "It is the port or its cable: try another cable there, then leave the port free.",
    ("slow", "phone"): "It is the phone or its socket, not the port: clean the socket; an old phone may be so.",
    ("slow", ""): "Try another cable, then another port: what it stays with is to blame. "
    "fleet devices --tree says at which speed it is linked.",
    ("flapping", "port"): "It is the port or its cable: try another cable there, then leave the port free.",
    ("flapping", "phone"): "It is that phone's socket or its own cable, not the port: clean the socket.",
    (
        "flapping",
        "",
    ): "It is that phone's socket or the cable: clean the socket and try another cable, then another port.",
}
"""What to do, by kind and blame."""


def _said(where: str) -> str:
    return f"port {where}" if bus_of(where) else where


def _rate(rate: float) -> str:
    return f"{amount(round(rate))}/s"


def _seconds(at: str) -> float | None:
    try:
        return datetime.fromisoformat(at).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:
        return 0.0
