"""The status on a screen of 80 columns; it fits 24 lines, and needs no colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fleet.account.status.by import Group
from fleet.account.status.counts import RunLine, Status
from fleet.account.status.unit_words import student
from provision.screen import STYLES, table, text
from provision.text import counted, local_time

_SHORT = 8
"""Characters of the usual tag."""
_ALARMS = 10
GROUPS = 30
_STYLE = {"critical": "bold red", "warning": "yellow", "note": ""}
_STEPS: Mapping[str, str] = {
    "seen": "first seen",
    "receive": "received",
    "move": "moved",
    "send": "sent",
    "arrive": "arrived",
    "hand_over": "handed over",
    "return": "returned",
    "refuse": "refused",
    "lose": "lost",
    "find": "found",
    "repair": "to repair",
    "repaired": "repaired",
    "retire": "retired",
    "give_back": "given back",
}
"""The steps of custody, as what became of a unit."""


def status(found: Status, where: str, filtered: bool) -> Iterable[RenderableType]:
    """The counts, what is wrong, what changed, the last runs. ``where`` the registry is tells a mistyped home."""
    if not found.units:
        yield text("No unit fits." if filtered else f"No units yet in {where}.")
        if not filtered:
            yield Text("A device becomes one when it is received, or first provisioned or verified.")
        return
    yield text(f"{counted(found.units, 'unit')}: {_listed(found.by_state)}")
    if found.places:
        yield text(f"Most are at: {', '.join(f'{place} {number}' for place, number in found.places.items())}")
    yield _verdicts(found.by_verdict)
    if found.alarms:
        yield Text()
        yield _alarms(found)
    yield Text()
    yield _changes(found)
    if found.recent:
        yield Text()
        if found.units > len(found.recent):
            yield Text(f"The last {counted(len(found.recent), 'run')}:")
        yield _recent(found.recent)


def groups(found: Sequence[Group], dimension: str) -> Iterable[RenderableType]:
    """A row per group, and a column per state that there is."""
    if not found:
        yield Text("No unit fits.")
        return
    total: dict[str, int] = {}
    for group in found:
        for state, number in group.by_state.items():
            total[state] = total.get(state, 0) + number
    states = sorted(total, key=lambda state: (-total[state], state)) if dimension != "state" else []
    grid = table(dimension.upper(), "UNITS", *(state.replace("_", " ").upper() for state in states))
    for column in grid.columns[1:]:
        column.justify, column.overflow = "right", "fold"
    for group in found[:GROUPS]:
        grid.add_row(_called(group, dimension), *_numbers(group.units, group.by_state, states))
    more = found[GROUPS:]
    if more:
        grid.add_row(text(f"{len(more)} more"), text(sum(group.units for group in more)))
    if len(found) > 1:
        grid.add_row(Text("all", "bold"), *_numbers(sum(group.units for group in found), total, states))
    yield grid
    if more:
        yield Text("--csv and --json list them all.")


def holders(found: Sequence[Group]) -> Iterable[RenderableType]:
    """The students who have the most units."""
    if not found:
        yield Text("No unit fits.")
        return
    grid = table("HOLDER", "UNITS")
    for group in found[:GROUPS]:
        grid.add_row(text(student(group.value)), text(group.units))
    yield grid
    if len(found) > GROUPS:
        yield Text("There are more: --csv and --json list them all.")


def _called(group: Group, dimension: str) -> Text:
    if not group.value:
        return Text("not known")
    return text(f"{group.value} {group.name}".strip() if dimension != "state" else group.value.replace("_", " "))


def _numbers(units: int, by_state: Mapping[str, int], states: Sequence[str]) -> list[Text]:
    return [text(units), *(text(by_state.get(state, "·")) for state in states)]


def _listed(by_state: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in sorted(by_state.items()))


def _verdicts(by_verdict: Mapping[str, int]) -> Text:
    line = Text("Last run: ")
    for name in ("verified", "partial", "failed", "none"):
        if count := by_verdict.get(name):
            line.append(", " if len(line) > len("Last run: ") else "")
            line.append(f"{count} {name}", STYLES.get(name, ""))
    return line


def _alarms(found: Status) -> Table:
    grid = table("UNITS", "ALARM", "WHAT TO DO")
    grid.columns[0].justify = "right"
    for one in found.alarms[:_ALARMS]:
        style = _STYLE[one.severity]
        meaning = text(one.meaning, style)
        if one.severity == "critical":
            meaning.append(" (critical)")
        grid.add_row(text(one.units, style), meaning, text(one.next_action))
    if more := found.alarms[_ALARMS:]:
        grid.add_row("", text(f"{counted(len(more), 'more alarm')}: {', '.join(one.name for one in more)}"))
    return grid


def _changes(found: Status) -> Text:
    steps = [f"{number} {_STEPS.get(step, step)}" for step, number in sorted(found.changes["steps"].items())]
    runs = [f"{counted(number, 'run')} {verdict}" for verdict, number in sorted(found.changes["runs"].items())]
    sims = [
        f"{counted(number, 'SIM')} now {state.replace('_', ' ')}"
        for state, number in sorted(found.changes["sims"].items())
    ]
    said = ", ".join((*steps, *runs, *sims)) or "nothing"
    return text(f"Since {local_time(found.since)}: {said}")


def _recent(lines: Iterable[RunLine]) -> Table:
    """By tag; those without one last, by serial."""
    grid = table("UNIT", "DEVICE", "PROFILE", "LAST RUN", "WHEN")
    grid.columns[0].min_width, grid.columns[-1].no_wrap = _SHORT, True
    for line in sorted(lines, key=lambda line: (line.tag is None, line.tag or line.serial)):
        grid.add_row(
            text(line.tag or line.serial),
            text(f"{line.maker} {line.model}"),
            text(line.profile),
            text(line.verdict, STYLES.get(line.verdict, "")),
            text(local_time(line.ended)),
        )
    return grid
