"""The balance, for people: the unexplained first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.text import Text

from fleet.account.custody.balance import KINDS, Balance, Unexplained
from fleet.account.custody.machine import words
from provision.screen import table, text
from provision.text import counted, local_time, printable

_PLACES = 40


def balance(found: Balance, days: int, repeats: int = 0, faults: int = 0) -> Iterable[RenderableType]:
    """``days``: when a transit is too long. ``repeats`` and ``faults``: how many of each ``fleet losses`` has."""
    if found.unexplained:
        yield Text("Not explained:", "bold red")
        grid = table("UNITS", "", "SUCH AS")
        grid.columns[0].justify = "right"
        for one in found.unexplained:
            grid.add_row(text(abs(one.units)), text(_what(one, days)), text(", ".join(map(printable, one.examples))))
        yield grid
        yield Text()
    held = sum(line.units for line in found.lines)
    where = f" at {found.place}" if found.place else ""
    yield text(f"{local_time(found.at)}: {counted(found.received, 'unit')} received{where} = {_sum(found.by_state)}")
    if held != found.received:
        yield Text(f"The books do not balance: these are {held}.", "bold red")
    if found.coming:
        yield Text(f"On the way here: {found.coming}.")
    yield from _places(found)
    if repeats or faults:
        yield Text(
            f"{repeats} who lost more than once, {counted(faults, 'fault')} above the rest: see fleet losses.",
            "yellow",
        )


def _what(one: Unexplained, days: int) -> str:
    if one.kind == "announced":
        batch = printable(one.of)
        return f"of batch {batch}: " + ("announced and not received" if one.units > 0 else "received, never announced")
    if one.kind == "in_transit":
        return f"in transit for more than {counted(days, 'day')}"
    return KINDS[one.kind]


def _sum(by_state: Mapping[str, int]) -> str:
    return " + ".join(f"{number} {words(state)}" for state, number in by_state.items()) or "0"


def _places(found: Balance) -> Iterable[RenderableType]:
    if not found.lines:
        return
    if len(found.lines) > _PLACES:
        yield Text("Name a place with --place, or see all with --json.")
        return
    grid = table("PLACE", "STATE", "UNITS")
    grid.columns[-1].justify = "right"
    for line in sorted(found.lines, key=lambda line: (line.place, line.state)):
        grid.add_row(text(line.place or "(not said)"), text(words(line.state)), text(line.units))
    yield grid
