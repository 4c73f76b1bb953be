"""What a technician sees of devices, plans and results; the live picture is in board_screen.py."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from provision.model import NOT_BEGUN, Identity, Item, Met, Report, Result, Step, Strength, Verdict
from provision.screen import STYLES, table, text
from provision.text import counted, sentence

if TYPE_CHECKING:
    from provision.bench import Attached
    from provision.ports import PortVerdict

_SYSTEMS = {"android": "Android", "ios": "iOS"}


def devices(attached: Sequence[Attached]) -> RenderableType:
    """What is attached, one row each, and what stands in the way."""
    grid = table("ADDRESS", "PORT", "SERIAL", "DEVICE", "SYSTEM", "STATE")
    grid.columns[0].no_wrap = True  # it is there to be copied
    for place in attached:
        who = place.device.identity if place.device else None
        grid.add_row(
            text(place.address),
            text(place.port),
            text(place.serial),
            text(_model(who) if who else ""),
            text(f"{_SYSTEMS[who.platform]} {who.version}" if who else ""),
            text(_standing(place), "green" if place.device else "yellow"),
        )
    problems = [text(f"{p.address}: {p.problem}") for p in attached if p.problem]
    return Group(grid, *problems)


def _model(who: Identity) -> str:
    """Without the number of the model, which Apple's have in parentheses."""
    return f"{who.maker} {who.model.partition(' (')[0] if who.platform == 'ios' else who.model}"


def _standing(place: Attached) -> str:
    """The state "device" says of one that does not answer, or lets nobody in, that it is well."""
    if place.device:
        return "ready"
    return "not ready" if place.state == "device" else place.state


def _name(report: Report) -> str:
    return report.tag or (report.identity.serial if report.identity else "") or report.address


def results(reports: Sequence[Report]) -> RenderableType:
    """The end of a run: a row per device, every reason why something is not verified, what is, then who may go."""
    planned = [report for report in reports if report.verdict is Verdict.PLANNED]
    if planned and len(planned) == len(reports):
        return Group(*(_planned(report) for report in reports))
    counts = [Counter(outcome.result for outcome in report.outcomes) for report in reports]
    shown = [result for result in Result if any(count[result] for count in counts)]
    grid = table("UNIT", "DEVICE", *(result.upper() for result in shown), "RESULT")
    for report, count in zip(reports, counts, strict=True):
        numbers = [text(count[result] or "·") for result in shown]
        grid.add_row(text(_name(report)), text(_about(report)), *numbers, text(report.verdict, STYLES[report.verdict]))
    parts: list[RenderableType] = [grid, *_reasons(reports), *_verified(reports), Text("")]
    return Group(*parts, *(text(last_line(report), STYLES[report.verdict]) for report in reports))


def _planned(report: Report) -> RenderableType:
    """What would be done to one device, what stands in the way, and what is impossible there."""
    open_items = [item for item in report.plan if not isinstance(item.state, Met)]
    right = len(report.plan) - len(open_items)
    heading = text(f"{_name(report)}  {_about(report)}", "bold")
    stops = [text(f"Nothing would be done: {stop.what} {stop.next_action}", STYLES["failed"]) for stop in report.stops]
    return Group(
        heading,
        *stops,
        Padding(plan(open_items), (0, 0, 0, 2)),
        text(f"  {right} more are right already."),
        text(last_line(report)),
        Text(""),
    )


def _about(report: Report) -> str:
    if not (who := report.identity):
        return ""
    return f"{who.maker} {who.model} ({who.version})"


def _verified(reports: Iterable[Report]) -> list[RenderableType]:
    """Which items were read back and found right, and on which units."""
    units: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        good = _by_setting(o.item.id for o in report.outcomes if o.result is Result.VERIFIED)
        if good:
            units[good].append(_name(report))
    grid = table("UNITS", "READ BACK AND RIGHT")
    for good, names in units.items():
        grid.add_row(text(", ".join(names)), text(good))
    return [Text(""), grid] if units else []


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
            if o.result is not Result.VERIFIED and o.why != NOT_BEGUN:
                units[o.result, o.item.id, o.why, o.next_action].append(_name(report))
    items: dict[tuple[str, tuple[str, ...], str, str], list[str]] = defaultdict(list)
    for (result, item, why, action), names in units.items():
        items[result, tuple(dict.fromkeys(names)), why, action].append(item)
    order = [Result.FAILED, Result.IMPOSSIBLE, Result.UNVERIFIED]
    lines: list[RenderableType] = [Text("")] if items else []
    for (result, on, why, action), ids in sorted(items.items(), key=lambda row: order.index(Result(row[0][0]))):
        where = "everywhere" if len(on) == len(reports) > 1 else f"on {', '.join(on)}"
        lines.append(Text.assemble(text(result, STYLES[result]), text(f" {where}: {_by_setting(ids)}")))
        lines.append(Padding(text(f"{sentence(why)} {action}".strip()), (0, 0, 0, 4)))
    return lines + _not_begun(reports)


def _not_begun(reports: Sequence[Report]) -> list[RenderableType]:
    """What was held back, in one line: its reason is that of what had to come first."""
    counts = {_name(report): sum(o.why == NOT_BEGUN for o in report.outcomes) for report in reports}
    held = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
    return [text(f"Not begun, because what has to come first failed: items of {held}.")] if held else []


def ports(found: Iterable[PortVerdict]) -> list[RenderableType]:
    """What was found of slow and flapping ports."""
    return [text(f"{verdict.what} {verdict.next_action}", "yellow") for verdict in found]


def last_line(report: Report) -> str:
    """May it be unplugged, and what was left switched on."""
    name = _name(report)
    waits = report.stops or report.held
    if report.error and not waits:
        return f"{'' if report.error.startswith(name) else name + ': '}{report.error} {report.next_action}".rstrip()
    on = f"Left switched on: {', '.join(report.left_on)}." if report.left_on else "Nothing was left switched on."
    if waits and report.error:
        return f"{name}: {report.error} {report.next_action} It may be unplugged. {on}"
    if report.verdict is Verdict.PLANNED:
        todo = sum(isinstance(item.state, Step) and bool(item.state.actions) for item in report.plan)
        return f"{name}: {counted(todo, 'step')} would be done. It may be unplugged."
    return f"{name}: {report.verdict}, {counted(report.steps, 'step')}. It may be unplugged. {on}"


def plan(items: Sequence[Item]) -> RenderableType:
    """What a profile comes to on one device, in the order of applying: wanted, strength, source, then the means."""
    lines: list[RenderableType] = []
    for item in items:
        strength = text(f"  [{item.strength}]" if item.strength else "", "cyan")
        lines.append(
            Text.assemble(text(item.id, "bold"), "  ", text(item.want), strength, text(f"  {item.source}", "dim"))
        )
        lines.extend(Padding(text(line, style), (0, 0, 0, 4)) for line, style in _means(item))
    return Group(*lines)


def _means(item: Item) -> list[tuple[str, str]]:
    match item.state:
        case Step(why, actions, hands=hands):
            tap = [(hands, "yellow")] if hands else []
            return [(action.masked, "") for action in actions] + tap or [(why, "")]
        case Met(why):
            return [(f"nothing to do: {why}", "green")]
        case cannot:
            return [(f"impossible: {sentence(cannot.why)} {cannot.next_action}".rstrip(), "yellow")]


def strengths() -> RenderableType:
    """What the letters of the strength column mean."""
    return text(
        f"Strength: {Strength.A} survives a factory reset, {Strength.B} is lost on a factory reset, "
        f"{Strength.C} the user can undo it."
    )
