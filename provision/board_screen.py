"""The live picture of a bench: a row per device, in the order of the ports, and how the whole is getting on.

Fits any terminal: where there are more devices than lines, those that need nobody are counted instead of shown.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from provision import pace
from provision.progress import Progress
from provision.screen import STYLES, table, text
from provision.text import amount, printable, sentence

_HANDS = "yellow"

_SERVERS = {"android": "The adb server", "ios": "usbmuxd"}

_GUESS = 0.5
"""Seconds that an item without bytes is taken to need before one like it has been seen."""

_STEADY = timedelta(minutes=1)
"""Work after which units per hour mean something."""

_PORT_LINES = 3
"""Lines about bad ports under the rows, the newest last."""

_FRAME_LINES = 3
"""Lines that are not rows: the heading, the foot, and the cursor's."""


@dataclass
class _Row:
    address: str
    name: str = ""
    port: str = ""
    about: str = ""
    model: str = ""
    now: str = "reading"
    style: str = ""
    sent: int = 0
    size: int = 0
    begun: float = 0.0
    until: float = 0.0
    left: dict[str, int] = field(default_factory=dict)
    idle: bool = False

    @property
    def needs_hands(self) -> bool:
        return self.style in (STYLES["failed"], _HANDS) and not self.idle


class Board:
    """Call :meth:`emit` from any thread; use it as a context. Without a terminal it prints a line per event.

    ``keep``: what comes of each device is also printed for good, above the live picture. ``left``: how many units are
    still to come, for telling when they will be done. ``clock``: seconds that only grow, whatever the computer's clock
    does.
    """

    def __init__(
        self,
        out: Console,
        clock: Callable[[], float] = time.monotonic,
        *,
        keep: bool = False,
        left: int | None = None,
    ) -> None:
        self._keep = keep
        self._left = left
        self._opened = datetime.now(UTC) - timedelta(seconds=clock())
        self._out = out
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._ports: dict[tuple[object, object], str] = {}
        self._is_live = out.is_terminal and not out.is_dumb_terminal
        self._seen: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._finished: list[datetime] = []
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self.picture, console=out, refresh_per_second=8, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._is_live:
            self._live.stop()

    def emit(self, progress: Progress) -> None:
        """Take in one thing that happened."""
        if progress.event == "port":
            self._port(progress.fields)
            return
        with self._lock:
            where = progress.address or str(progress.fields.get("platform", ""))
            row = self._rows.setdefault(where, _Row(where))
            row.name = progress.unit or progress.serial or row.name or where
            said = self._take(row, progress)
        if said and (not self._is_live or (self._keep and progress.event == "report")):
            self._out.print(text(f"{row.name}  {said}"), soft_wrap=True)

    def _port(self, fields: Mapping[str, object]) -> None:
        with self._lock:
            self._ports[fields["port"], fields["kind"]] = str(fields["what"])
        if self._keep or not self._is_live:
            self._out.print(text(f"{fields['what']} {fields['next_action']}"), soft_wrap=True)

    def _take(self, row: _Row, progress: Progress) -> str:
        """Change the row; what to say of it where lines are printed, if anything."""
        fields = progress.fields
        match progress.event:
            case "device":
                row.port, row.model = str(fields["port"]), str(fields["model"])
                row.about = f"{fields['maker']} {fields['model']} ({fields['version']})"
                row.now, row.style, row.idle, row.left, row.until = "reading", "", False, {}, 0.0
                return row.about
            case "todo":
                row.left = {str(key): int(str(size)) for key, size in _pairs(fields["items"])}
            case "step":
                row.sent, row.size, row.begun = 0, int(str(fields["size"])), self._clock()
                self._step(row, fields)
                return row.now
            case "bytes":
                row.sent = int(str(fields["sent"]))
            case "done":
                item = str(fields["item"])
                row.left.pop(item, None)
                if row.until:
                    row.now, row.style, row.until = "reading", "", 0.0
                self._seen[row.model, item].append(float(str(fields["seconds"])))
            case "report" | "waiting" | "server":
                row.port = str(fields.get("port", row.port))
                return self._settle(row, progress.event, fields)
            case "gone":
                del self._rows[row.address]
        return ""

    def _step(self, row: _Row, fields: Mapping[str, object]) -> None:
        """What is being done; where a person has to do it: what to tap, and by when."""
        row.now, row.style, row.until = str(fields["item"]), "", 0.0
        if hands := fields.get("hands"):
            seconds = float(str(fields["seconds"]))
            row.until = self._clock() + seconds
            by = (self._now() + timedelta(seconds=seconds)).astimezone()
            row.now, row.style = f"{sentence(str(hands))} By {by:%H:%M}.", _HANDS

    def _settle(self, row: _Row, event: str, fields: Mapping[str, object]) -> str:
        if event == "server" and not fields["what"]:
            del self._rows[row.address]
            return f"{_SERVERS[row.address]} answers again."
        if event != "report":
            row.now, row.style = f"{fields['what']} {fields['next_action']}".strip(), _HANDS
        else:
            verdict = str(fields["verdict"])
            row.now, row.style = _ended(verdict, fields), STYLES[verdict]
            row.idle = verdict in ("verified", "partial")
            if verdict != "planned":
                self._finished.append(self._now())
        row.left, row.size, row.until = {}, 0, 0.0
        return row.now

    def picture(self) -> RenderableType:
        """All rows that fit, and the foot."""
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: (row.idle, row.port, row.address))
            ports = list(self._ports.values())[-_PORT_LINES:]
            room = max(1, self._out.height - _FRAME_LINES - len(ports))
            shown = rows if len(rows) <= room else rows[:room]
            grid = _grid(self._out.width)
            for row in shown:
                now = f"{row.now} {_bar(row.sent, row.size)}".rstrip()
                grid.add_row(
                    text(row.port), text(row.name), text(row.about), text(now, row.style), text(self._minutes(row))
                )
            bad = [Text(printable(what), "yellow", no_wrap=True, overflow="ellipsis") for what in ports]
            hands = self._hands(shown, room - len(shown))
            return Group(grid, *hands, *bad, text(self._foot(rows, len(rows) - len(shown))))

    def _hands(self, shown: list[_Row], room: int) -> list[Text]:
        """All that people have to do, in full, as far as there is room: a row is one line, whatever it has to say."""
        lines: list[Text] = []
        for row in filter(lambda row: row.needs_hands, shown):
            line = text(f"{row.name}: {row.now}", row.style)
            height = len(line.wrap(self._out, self._out.width))
            if height <= room:
                lines.append(line)
                room -= height
        return lines

    def _foot(self, rows: list[_Row], hidden: int) -> str:
        done = sum(row.idle for row in rows)
        waiting = sum(row.needs_hands for row in rows)
        parts = [f"{done} may be unplugged", f"{len(rows) - done - waiting} at work", f"{waiting} need hands"]
        if hidden:
            parts.append(f"{hidden} not shown")
        return " · ".join([*parts, *self._tempo()])

    def _now(self) -> datetime:
        return self._opened + timedelta(seconds=self._clock())

    def _tempo(self) -> list[str]:
        """Units per hour, when those still to come will be done, and the step that costs most."""
        if len(self._finished) < 2 or self._finished[-1] - self._finished[0] < _STEADY:
            return []
        rate = pace.pace(self._finished)
        told = [f"{rate:.0f} an hour"] if rate else []
        if self._left is not None:
            left = max(0, self._left - len(self._finished))
            if done := pace.finish(left, rate, self._now()):
                told.append(f"{left} left, done at {done.astimezone():%H:%M}")
        slow = pace.slowest(self._seen, {}, 1)
        return told + [f"slowest: {one.item} on {one.model}, {one.median:.0f} s" for one in slow]

    def _minutes(self, row: _Row) -> str:
        """What is left, by what the same items took on the same model in this session, else by a guess."""
        if row.until:
            return _time(row.until - self._clock())
        if not row.left:
            return ""
        passed = self._clock() - row.begun
        rate = row.sent / passed if row.sent and passed > 0.5 else 0.0
        seconds = sum(self._expected(row.model, item, size, rate) for item, size in row.left.items())
        return _time(seconds - passed)

    def _expected(self, model: str, item: str, size: int, rate: float) -> float:
        if seen := self._seen.get((model, item)):
            return median(seen[-20:])
        return _GUESS + (size / rate if rate else 0.0)


def _grid(width: int) -> Table:
    """What is done now gets all the room that the others leave, and takes none of theirs, however long its words."""
    grid = table("PORT", "UNIT", "DEVICE", "NOW", "LEFT")
    for column in grid.columns:
        column.overflow, column.no_wrap = "ellipsis", True
    port, unit, device, now, left = grid.columns
    port.max_width, unit.max_width, device.max_width = width // 8, width // 5, width // 4
    left.min_width = len("59 min")
    now.ratio, grid.expand = 1, True
    return grid


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1.0, seconds):.0f} s"


def _pairs(value: object) -> list[tuple[object, object]]:
    assert isinstance(value, list)
    return [(key, size) for key, size in value]


def _ended(verdict: str, fields: Mapping[str, object]) -> str:
    if verdict in ("verified", "partial"):
        return f"{verdict}: may be unplugged"
    return f"{verdict}: {fields['error']} {fields['next_action']}".rstrip(": ")


def _bar(sent: int, size: int) -> str:
    if not size:
        return ""
    full = min(8, 8 * sent // size)
    return f"{'█' * full}{'·' * (8 - full)} {amount(sent)} of {amount(size)}"
