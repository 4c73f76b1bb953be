"""Data plans, for people: what costs money first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, islice

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from fleet.account.sims.data_plans import Found, Line, Overview
from fleet.account.sims.screen import lines
from fleet.sim_states import words
from provision.screen import table, text
from provision.text import counted

_COSTS = {"money": "Costs money", "child": "Students without data", "account": "The account does not fit"}
_STYLES = {"money": "bold red", "child": "bold yellow", "account": "bold"}
_FEW = 3
_SCREEN = 50


def overview(found: Overview) -> Iterable[RenderableType]:
    if not found.sims:
        yield Text("No SIMs yet; fleet sim import takes over the operator's list.")
        return
    states = ", ".join(f"{count} {words(state)}" for state, count in found.by_state.items())
    yield Text(f"{counted(found.sims, 'SIM')}: {states}")
    for costs, group in groupby(found.found, key=lambda one: one.costs):
        yield Text()
        yield Text(_COSTS[costs], _STYLES[costs])
        for one in group:
            yield from _list(one)
    yield Text()
    yield from _endings(found)
    yield from _terms(found)
    reach = ", ".join(f"{carrier} to {through}" for carrier, through in found.counted.items())
    yield text(f"Usage is known of {reach}." if reach else "No usage file yet: what is not used is not known.")


def one_list(found: Iterable[Line], ends_in: int | None) -> Iterable[RenderableType]:
    """The SIMs that end, or the idle ones: the first of them."""
    rest = iter(found)
    first = list(islice(rest, _SCREEN))
    if not first:
        yield Text("No SIM is idle." if ends_in is None else f"No plan ends within {counted(ends_in, 'day')}.")
        return
    yield lines(first, *(("last", "notice", "until") if ends_in is None else ("ends_at",)))
    if more := sum(1 for _ in rest):
        yield Text(f"and {more} more; --csv lists all.")


def _list(one: Found) -> Iterable[RenderableType]:
    yield text(f"{one.count} {one.title}. {one.next_action}")
    yield Padding(lines(one.first[:_FEW]), (0, 0, 0, 2))
    if one.count > _FEW:
        yield Text(f"  and {one.count - _FEW} more; --csv lists all.")


def _endings(found: Overview) -> Iterable[RenderableType]:
    yield Text("Endings: " + ", ".join(f"{count} within {days} days" for days, count in found.ends.items()))
    if not found.waves:
        return
    grid = table("ENDS", "PLANS", "AREAS")
    grid.columns[0].no_wrap = True
    for day, group in groupby(found.waves, key=lambda wave: wave.day):
        waves = sorted(group, key=lambda wave: (-wave.count, wave.area))
        areas = ", ".join(f"{wave.area or 'not known'} {wave.count}" for wave in waves[:_FEW])
        more = f", {counted(len(waves) - _FEW, 'more area')}" if len(waves) > _FEW else ""
        grid.add_row(text(day), str(sum(wave.count for wave in waves)), text(f"{areas}{more}"))
    yield grid


def _terms(found: Overview) -> Iterable[RenderableType]:
    for term in found.terms:
        if term.early:
            plans = counted(term.early, "plan")
            yield text(f"{plans} end in term {term.term}, before it ends on {term.end}.", "yellow")
    if found.free_days:
        share = round(100 * found.free_days / found.plan_days)
        yield Text(f"{share} % of the days of running plans lie in no term.")
