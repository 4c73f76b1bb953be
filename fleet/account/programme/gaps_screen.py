"""Gaps, for people. Names stand in a list of one school only, and only where somebody asked for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from fleet.account.people.pseudonyms import shown as pseudonym
from fleet.account.programme.gaps import PAGE, Gap
from fleet.account.programme.gaps_sql import REASONS
from provision.screen import table, text
from provision.text import counted

if TYPE_CHECKING:
    from fleet.account.programme.gaps_counts import Row
    from fleet.account.programme.gaps_shares import Share


def listed(found: Sequence[Gap], page: int, *, more: bool, names: Mapping[str, str]) -> Iterator[RenderableType]:
    """One page. ``names`` by student, empty where none were asked for."""
    if not found:
        yield Text(
            "Every enrolled student is served." if page == 1 else "There are no more.", "green" if page == 1 else ""
        )
        return
    grid = table("STUDENT", "SCHOOL", "CLASS", "WHY", "ALSO", "UNIT")
    grid.columns[0].no_wrap = True
    for one in found:
        grid.add_row(
            text(names.get(one.student) or pseudonym(one.student)),
            text(one.school),
            text(one.class_name or one.grade),
            text(one.told(one.first), "yellow"),
            text("; ".join(one.told(name) for name in list(one.reasons)[1:])),
            text(one.unit),
        )
    yield grid
    if more:
        yield Text(f"More: --page {page + 1}. How many in all: fleet gaps --by reason")


def counts(found: Sequence[Row], by: str) -> Iterator[RenderableType]:
    if by == "reason":
        yield from _reasons(found)
        return
    enrolled, unserved = sum(row.enrolled for row in found), sum(row.unserved for row in found)
    yield Text(f"{unserved} of {counted(enrolled, 'enrolled student')} are not served.", "bold")
    families = by == "online"
    grid = table(by.upper(), *(["FAMILIES"] if families else []), "ENROLLED", "NOT SERVED", "WHY FIRST")
    for row in found:
        why = ", ".join(f"{number} {REASONS[name]}" for name, number in row.first.items())
        numbers = [str(row.families)] if families else []
        grid.add_row(text(row.key or "unknown"), *numbers, str(row.enrolled), str(row.unserved), Text(why))
    yield grid


def _reasons(found: Sequence[Row]) -> Iterator[RenderableType]:
    if not found:
        yield Text("Every enrolled student is served.", "green")
        return
    unserved = sum(row.unserved for row in found)
    yield Text(f"{unserved} of {counted(found[0].enrolled, 'enrolled student')} are not served.", "bold")
    grid = table("WHY FIRST", "STUDENTS")
    for row in found:
        grid.add_row(Text(REASONS[row.key]), str(row.unserved))
    yield grid


def shares(found: Sequence[Share], none: str) -> Iterator[RenderableType]:
    """``none``: what to say where there is nobody."""
    if not found:
        yield Text(none)
        return
    grid = table("STUDENTS", "UNITS", "DUE")
    for one in found[:PAGE]:
        grid.add_row(Text(", ".join(map(pseudonym, one.students))), text(", ".join(one.units)), str(one.due))
    yield grid
    if (more := len(found) - PAGE) > 0:
        yield Text(f"and {more} more; --json lists all.")
