"""Reports of the account, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from fleet.account.people.pseudonyms import shown as pseudonym
from fleet.account.programme.gaps import Gap
from fleet.account.programme.gaps_counts import Row as Counted
from fleet.account.programme.gaps_sql import REASONS
from fleet.account.reports.levels import BELOW, FIGURES, Report
from fleet.account.reports.table import Row, Table
from provision.screen import table, text
from provision.text import counted, local_time

_COUNTS = {
    "enrolled": "ENROLLED",
    "left": "LEFT",
    "with_device": "DEVICE",
    "served": "SERVED",
    "not_served": "NOT SERVED",
}
_CHANGES = {"came": "NEW", "went": "GONE", "handed_over": "HANDED OVER", "taken_back": "BACK", "lost": "LOST"}


def level(found: Report) -> Iterator[RenderableType]:
    title = " · ".join(part for part in (found.level, found.key, found.name if found.name != found.key else "") if part)
    yield text(f"{title}, as of {local_time(found.at)}", "bold")
    if found.officer:
        yield text(f"Responsible: {found.officer}")
    yield Text()
    grid = table("FIGURE", "", "")
    for name, number in found.figures.items():
        grid.add_row(Text(name), str(number), Text(FIGURES[name]))
    yield grid
    if found.rows:
        yield from (Text(), _rows(found.rows, BELOW[found.level].removesuffix("_name")))
    if found.oldest:
        yield from (Text(), *_problems(found))
    yield Text()
    yield Text("The records behind a figure: the same command with --trace FIGURE")


def _rows(rows: Sequence[Counted], by: str) -> RenderableType:
    grid = table(by.upper(), "ENROLLED", "NOT SERVED", "WHY FIRST")
    for row in rows:
        why = ", ".join(f"{number} {REASONS[name]}" for name, number in row.first.items())
        grid.add_row(text(row.key or "unknown"), str(row.enrolled), str(row.unserved), Text(why))
    return grid


def _problems(found: Report) -> Iterator[RenderableType]:
    ages = table("OPEN PROBLEM", "OLDEST", "MIDDLE")
    for name, (oldest, middle) in found.ages.items():
        ages.add_row(Text(REASONS[name]), counted(oldest, "day"), counted(middle, "day"))
    yield ages
    yield Text()
    grid = table("OLDEST", "SCHOOL", "STUDENT", "WHY", "UNIT")
    grid.columns[2].no_wrap = True
    for one in found.oldest:
        days = "" if one.days is None else counted(one.days, "day")
        grid.add_row(days, text(one.school), pseudonym(one.student), Text(REASONS[one.reason]), text(one.unit))
    yield grid


def visits(teacher: str, students: int, found: Sequence[Gap], names: Mapping[str, str]) -> Iterator[RenderableType]:
    """``students``: how many are the teacher's. ``names`` by student, empty where none were asked for."""
    if not students:
        yield text(f"No enrolled student has the teacher {teacher}.", "yellow")
        return
    yield text(f"{teacher}: {counted(students, 'student')}, {len(found)} to visit", "bold")
    if not found:
        return
    grid = table("STUDENT", "SCHOOL", "CLASS", "WHAT IS WRONG", "SINCE", "UNIT")
    grid.columns[0].no_wrap = True
    for one in found:
        why = "; ".join(one.told(name) for name in one.reasons)
        who = names.get(one.student) or pseudonym(one.student)
        about = (text(who), text(one.school), text(one.class_name or one.grade))
        grid.add_row(*about, Text(why, "yellow"), Text(one.reasons[one.first][:10]), text(one.unit))
    yield grid


def distribution(found: Table) -> Iterator[RenderableType]:
    shown = {**_COUNTS, **(_CHANGES if found.since else {})}
    if found.since:
        yield Text(f"Columns from NEW on: since {local_time(found.since)}")
    grid = table(*(one.upper() for one in found.by), *shown.values())
    grid.columns[0].no_wrap = True
    blank = [""] * (len(found.by) - 1)
    for row in found.rows:
        keys = (row.key, row.also)[: len(found.by)]
        grid.add_row(*(text(key or "unknown") for key in keys), *_numbers(row, shown))
    grid.add_row(Text("in all", "bold"), *blank, *_numbers(found.total, shown))
    yield grid


def _numbers(row: Row, shown: Iterable[str]) -> list[str]:
    return [str(getattr(row, name)) for name in shown]
