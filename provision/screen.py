"""What a technician sees: a line per device while it is worked on, and tables of what came of it.

Works in 80 columns, without colour, and line by line where there is no terminal. Text of devices and profiles is
printed through :func:`provision.text.printable`, never as markup.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from provision.bench import Attached
from provision.model import Item, Met, Report, Result, Step, Strength, Verdict
from provision.progress import Progress
from provision.text import amount, printable

_STYLES: Mapping[str, str] = {
    "verified": "green",
    "partial": "yellow",
    "planned": "cyan",
    "failed": "bold red",
    "unverified": "yellow",
    "impossible": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    """A console for tables; 80 columns wide where the output is no terminal."""
    plain = not (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=100 if plain else None, highlight=False, markup=False, emoji=False)


def _text(value: object, style: str = "") -> Text:
    return Text(printable(str(value)), style=style)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def devices(attached: Sequence[Attached]) -> RenderableType:
    """What is attached, one row each, and what stands in the way."""
    table = _table("ADDRESS", "PORT", "SERIAL", "DEVICE", "ANDROID", "STATE")
    for place in attached:
        who = place.device.identity if place.device else None
        table.add_row(
            _text(place.address),
            _text(place.port),
            _text(place.serial),
            _text(f"{who.maker} {who.model}" if who else ""),
            _text(who.version if who else ""),
            _text(_standing(place), "green" if place.device else "yellow"),
        )
    problems = [_text(f"{p.address}: {p.problem}") for p in attached if p.problem]
    return Group(table, *problems)


def _standing(place: Attached) -> str:
    """adb's own "device" says of one that does not answer that it is well."""
    if place.device:
        return "ready"
    return "not ready" if place.state == "device" else place.state


@dataclass
class _Row:
    name: str
    about: str = ""
    doing: str = "reading"
    sent: int = 0
    size: int = 0
    items: Counter[str] = field(default_factory=Counter)
    done: str = ""


class Board:
    """The live picture of a run. Call :meth:`emit` from any thread; use it as a context."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._live = Live(get_renderable=self._picture, console=out, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._out.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._out.is_terminal:
            self._live.stop()

    def emit(self, progress: Progress) -> None:
        """Take in one thing that happened."""
        with self._lock:
            name = progress.unit or progress.serial or progress.address
            row = self._rows.setdefault(progress.address, _Row(name))
            _take(row, progress)
        if not self._out.is_terminal:
            self._say(row, progress)

    def _say(self, row: _Row, progress: Progress) -> None:
        line = {"device": row.about, "step": row.doing, "report": row.done}.get(progress.event)
        if line:
            self._out.print(_text(f"{row.name}  {line}"), soft_wrap=True)

    def _picture(self) -> RenderableType:
        table = _table("UNIT", "DEVICE", "NOW", "")
        with self._lock:
            for row in self._rows.values():
                table.add_row(
                    _text(row.name),
                    _text(row.about),
                    _text(row.done or row.doing, _STYLES.get(row.done.split(" ")[0], "")),
                    _text("" if row.done else _bar(row.sent, row.size)),
                )
        return table


def _take(row: _Row, progress: Progress) -> None:
    fields = progress.fields
    match progress.event:
        case "device":
            row.about = f"{fields['maker']} {fields['model']} ({fields['version']})"
        case "step":
            row.doing, row.sent, row.size = str(fields["item"]), 0, int(str(fields["size"]))
        case "bytes":
            row.sent = int(str(fields["sent"]))
        case "item":
            row.items[str(fields["result"])] += 1
        case "report":
            row.done = str(fields["verdict"])


def _bar(sent: int, size: int) -> str:
    if not size:
        return ""
    full = min(10, 10 * sent // size)
    return f"{'█' * full}{'·' * (10 - full)} {amount(sent)} of {amount(size)}"


def _name(report: Report) -> str:
    serial = report.facts.identity.serial if report.facts else ""
    return report.tag or serial or report.address


def results(reports: Sequence[Report]) -> RenderableType:
    """The end of a run: a row per device, then every reason why something is not verified, then who may go."""
    table = _table("UNIT", "DEVICE", "VERIFIED", "UNVERIFIED", "IMPOSSIBLE", "FAILED", "RESULT")
    for report in reports:
        count = Counter(outcome.result for outcome in report.outcomes)
        numbers = [_text(count[result] or "·") for result in Result]
        by_result = dict(zip(Result, numbers, strict=True))
        table.add_row(
            _text(_name(report)),
            _text(_about(report)),
            by_result[Result.VERIFIED],
            by_result[Result.UNVERIFIED],
            by_result[Result.IMPOSSIBLE],
            by_result[Result.FAILED],
            _text(report.verdict, _STYLES[report.verdict]),
        )
    parts: list[RenderableType] = [table, *_verified(reports), *_reasons(reports), Text("")]
    return Group(*parts, *(_text(last_line(report), _STYLES[report.verdict]) for report in reports))


def _about(report: Report) -> str:
    if not report.facts:
        return ""
    who = report.facts.identity
    return f"{who.maker} {who.model} ({who.version})"


def _verified(reports: Iterable[Report]) -> list[RenderableType]:
    """Which items were read back and found right, and on which units."""
    units: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        good = _by_setting(o.item.id for o in report.outcomes if o.result is Result.VERIFIED)
        if good:
            units[good].append(_name(report))
    table = _table("UNITS", "READ BACK AND RIGHT")
    for good, names in units.items():
        table.add_row(_text(", ".join(names)), _text(good))
    return [Text(""), table] if units else []


def _by_setting(ids: Iterable[str]) -> str:
    """``apps.a apps.b restrictions.block.x …`` in short: "apps: a, b; restrictions: 20 × block"."""
    keys: dict[str, Counter[str]] = defaultdict(Counter)
    for item_id in ids:
        setting, _, key = item_id.partition(".")
        kind, dot, _ = key.partition(".")
        keys[setting][kind if dot else key] += 1
    return "; ".join(
        f"{setting}: {', '.join(key if count == 1 else f'{count} × {key}' for key, count in found.items())}"
        for setting, found in keys.items()
    )


def _reasons(reports: Sequence[Report]) -> list[RenderableType]:
    """Everything that is not verified, once per reason, with the units that it concerns."""
    units: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for report in reports:
        for o in report.outcomes:
            if o.result is not Result.VERIFIED:
                units[o.result, o.item.id, o.why, o.next_action].append(_name(report))
    items: dict[tuple[str, tuple[str, ...], str, str], list[str]] = defaultdict(list)
    for (result, item, why, action), names in units.items():
        items[result, tuple(dict.fromkeys(names)), why, action].append(item)
    order = [Result.FAILED, Result.IMPOSSIBLE, Result.UNVERIFIED]
    lines: list[RenderableType] = [Text("")] if items else []
    for (result, on, why, action), ids in sorted(items.items(), key=lambda row: order.index(Result(row[0][0]))):
        where = "everywhere" if len(on) == len(reports) > 1 else f"on {', '.join(on)}"
        lines.append(Text.assemble(_text(result, _STYLES[result]), _text(f" {where}: {_by_setting(ids)}")))
        lines.append(Padding(_text(f"{_sentence(why)} {action}".strip()), (0, 0, 0, 4)))
    return lines


def last_line(report: Report) -> str:
    """May it be unplugged, and what was left switched on."""
    on = f"Left switched on: {', '.join(report.left_on)}." if report.left_on else "Nothing was left switched on."
    if report.error:
        return f"{_name(report)}: {report.error} {report.next_action}".rstrip() + f" It may be unplugged. {on}"
    if report.verdict is Verdict.PLANNED:
        todo = sum(isinstance(item.state, Step) for item in report.plan)
        return f"{_name(report)}: {todo} steps would be done. It may be unplugged."
    return f"{_name(report)}: {report.verdict}, {report.steps} steps. It may be unplugged. {on}"


def plan(items: Sequence[Item]) -> RenderableType:
    """What a profile comes to on one device, in the order of applying: wanted, strength, source, then the means."""
    lines: list[RenderableType] = []
    for item in items:
        strength = _text(f"  [{item.strength}]" if item.strength else "", "cyan")
        lines.append(
            Text.assemble(_text(item.id, "bold"), "  ", _text(item.want), strength, _text(f"  {item.source}", "dim"))
        )
        lines.extend(Padding(_text(line, style), (0, 0, 0, 4)) for line, style in _means(item))
    return Group(*lines)


def _means(item: Item) -> list[tuple[str, str]]:
    match item.state:
        case Step(actions=actions):
            return [(action.masked, "") for action in actions]
        case Met(why):
            return [(f"nothing to do: {why}", "green")]
        case cannot:
            return [(f"impossible: {_sentence(cannot.why)} {cannot.next_action}".rstrip(), "yellow")]


def _sentence(text: str) -> str:
    return text.rstrip(". ") + "."


def strengths() -> RenderableType:
    """What the letters of the strength column mean."""
    return _text(
        f"Strength: {Strength.A} survives a factory reset, {Strength.B} is lost on a factory reset, "
        f"{Strength.C} the user can undo it."
    )
