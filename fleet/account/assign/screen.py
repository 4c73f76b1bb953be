"""Assignments, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from fleet.account.assign.by_hand import Assigned, told
from fleet.account.assign.matching import Kept, Match, Plan
from fleet.account.assign.why import Why
from fleet.account.people.pseudonyms import shown as pseudonym
from provision.screen import table, text
from provision.text import counted

_LINES = 40
_NAMED = 8


def plan(found: Plan, *, done: bool) -> Iterator[RenderableType]:
    yield from _unfit(found.unfit)
    if not found.ready:
        yield Text(
            "No unit is ready: verified or partial at its last run, lying at a bench, school or store, nobody's."
        )
        return
    if found.matches:
        yield _matches(found.matches[:_LINES])
        if (more := len(found.matches) - _LINES) > 0:
            yield Text(f"and {more} more; --json lists all.")
        yield Text()
    verb = "assigned" if done else "would be assigned"
    yield Text(f"{counted(len(found.matches), 'unit')} {verb}; {found.ready - len(found.matches)} ready ones are left.")
    if found.without:
        yield Text(
            f"{counted(found.without, 'student')} in the order got none: no unit that is left suits them, or may go to "
            "their school or area. fleet assign --why STUDENT tells more.",
            "yellow",
        )
    if found.matches and not done:
        yield Text("Nothing was changed. Do it: fleet assign --auto --apply", "bold")


def _unfit(found: tuple[Kept, ...]) -> Iterator[RenderableType]:
    """Units that are not given out, by why."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault("; ".join(one.reasons), []).append(one.shown)
    for reasons, units in by_reason.items():
        more = f" and {len(units) - _NAMED} more" if len(units) > _NAMED else ""
        yield text(f"Not given to anybody: {', '.join(units[:_NAMED])}{more}: {reasons}.", "yellow")


def _matches(found: tuple[Match, ...]) -> RenderableType:
    grid = table("", "STUDENT", "SCHOOL", "AREA", "CATEGORY", "UNIT", "LIES AT")
    grid.columns[1].no_wrap = True
    for one in found:
        where = (text(one.school), text(one.area), text(one.category))
        grid.add_row(str(one.number), pseudonym(one.student), *where, text(one.shown), text(one.place))
    return grid


def assigned(found: Assigned) -> Iterator[RenderableType]:
    if not found.changed:
        yield text(f"{found.shown} is meant for {pseudonym(found.student)} already. Nothing was changed.")
        return
    lies = f" It lies at {found.place}." if found.place else ""
    yield text(f"{found.shown} is meant for {pseudonym(found.student)}.{lies}")
    if found.passed:
        yield text(f"Against: {'; '.join(found.passed)}. Recorded with it: {found.allowed}", "yellow")


def why(found: Why) -> Iterator[RenderableType]:
    yield text(pseudonym(found.student), "bold")
    for what, name, rank in found.order:
        place = f"number {rank} in the order" if rank else "not listed by the programme, so last"
        yield text(f"  {what} {name or 'unknown'}: {place}")
    if found.now:
        lies = f", which lies at {found.now.place}" if found.now.place else ""
        yield text(
            f"Now: number {found.number} of those who are due, and would be given {found.now.shown}{lies}.", "green"
        )
        return
    place = f" {counted(found.ahead, 'student')} come before them." if found.ahead else ""
    yield text(f"Not yet. {told(list(found.reasons))}{place}", "yellow")
