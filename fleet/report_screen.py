"""Reports as tables, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fleet.bench_report import BenchReport, Failure, Flow
from fleet.run_logs import Skipped
from provision.pace import PAUSE, Slow
from provision.text import amount, printable


def bench(found: BenchReport, left: int | None, end: datetime | None, skipped: Skipped) -> Iterator[RenderableType]:
    """Units and pace first, then what is slow, then what fails. ``end`` is in local time."""
    yield from _units(found)
    if left is not None:
        yield Text(_expected(left, end))
    if found.slowest:
        yield from (Text(), _slowest(found.slowest))
    if found.flows:
        yield from (Text(), _flows(found.flows))
    for verdict in found.ports:
        yield Text(printable(f"{verdict.what} {verdict.next_action}"), "yellow")
    if found.failures:
        yield from (Text(), *_failures(found.failures))
    if told := _skipped(skipped):
        yield from (Text(), Text(told, "yellow"))


def _units(found: BenchReport) -> Iterator[RenderableType]:
    if not found.runs:
        yield Text("No run was found. A run of fleet provision leaves its log in the home folder.")
        return
    counts = ", ".join(f"{count} {printable(verdict)}" for verdict, count in found.units.items())
    yield Text(f"{_count(sum(found.units.values()), 'unit')} in {_count(found.runs, 'run')}: {counts or 'none ended'}")
    pause = int(PAUSE.total_seconds() / 60)
    worked = f"{_clock(found.worked)} of work; gaps over {pause} min are left out, failed units do not count"
    rate = "Units per hour: not known yet" if found.per_hour is None else f"{found.per_hour:.1f} units per hour"
    yield Text(f"{rate} ({worked})")


def _expected(left: int, end: datetime | None) -> str:
    if end is None:
        return f"When {_count(left, 'more unit')} will be done is not known: none was finished yet."
    return f"{_count(left, 'more unit')} at this pace: done at {end:%Y-%m-%d %H:%M}, without a pause from now on."


def _slowest(rows: Iterable[Slow]) -> RenderableType:
    table = _table("SLOWEST STEPS", "MODEL")
    for name in ("TIMES", "MEDIAN", "P90", "OF RUN"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        share = "" if row.share is None else f"{row.share:.0%}"
        numbers = (str(row.times), _seconds(row.median), _seconds(row.p90), share)
        table.add_row(Text(printable(row.item)), Text(printable(row.model)), *numbers)
    return table


def _flows(rows: Iterable[Flow]) -> RenderableType:
    table = _table("PORT")
    table.add_column("SENT", justify="right")
    table.add_column("RATE", justify="right")
    table.add_column("PHONES LOST", justify="right")
    for row in rows:
        rate = "" if row.rate is None else f"{amount(round(row.rate))}/s"
        table.add_row(Text(printable(row.place)), amount(row.size), rate, str(row.losses or ""))
    return table


def _failures(rows: Iterable[Failure]) -> Iterator[RenderableType]:
    yield Text("FAILED BECAUSE", "bold")
    for row in rows:
        yield Text(f"{_count(row.units, 'unit')}, {_count(row.times, 'time')}: {printable(row.why)}")
        if row.next_action:
            yield Padding(Text(printable(row.next_action)), (0, 0, 0, 4))


def _skipped(skipped: Skipped) -> str:
    parts = {
        "broken or cut off": skipped.broken,
        "of another version of fleet": skipped.version,
        "later than this computer's clock": skipped.future,
    }
    lines = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    return f"Lines of the logs that were left out: {lines}." if lines else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
