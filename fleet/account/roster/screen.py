"""What a list of students would change, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from fleet.account.people.pseudonyms import shown
from fleet.account.roster.taking_over import Report
from provision.screen import table, text
from provision.text import counted, printable

_SHOWN = 20


def report(found: Report, done: bool) -> Iterable[RenderableType]:
    """What was read, the numbers, then what a person has to look at."""
    yield from _read(found)
    yield Text()
    would = "" if done else "would be "
    yield Text.assemble(
        (f"{would}new {found.new}", "green" if found.new else ""),
        (f", {would}changed {found.changed}", "cyan" if found.changed else ""),
        f", unchanged {found.unchanged}",
        (f", refused {len(found.refused)}", "bold red" if found.refused else ""),
    )
    if found.back:
        yield Text(f"{counted(found.back, 'student')} of the changed had left, and {_are(found.back)} back.")
    if found.left:
        yield Text(f"{counted(found.left, 'student')} of these {_are(found.left)} at no school any more.")
    yield from _refused(found)
    yield from _notes(found)
    yield from _schools(found)
    yield from _missing(found)
    if not done and found.changes:
        yield Text()
        yield Text("Nothing was changed yet. With --apply it is.", "bold")


_ORDERS = {
    "day": "dates with the day first",
    "month": "dates with the month first",
    "unclear": "dates that may be read in two ways",
}


def _read(found: Report) -> Iterable[RenderableType]:
    for one in found.tables:
        where = f"Sheet {printable(one.sheet)}" if one.sheet else "The list"
        yield Text(f"{where}: header in row {one.columns.row}, {_ORDERS[one.first]}, {one.region or 'no'} numbers")
        names = ", ".join(f"{what} ({printable(name)})" for what, name in one.columns.names().items())
        yield Text(f"  read: {names}")
        if one.columns.unknown:
            yield Text(f"  not read: {', '.join(map(printable, one.columns.unknown))}", "yellow")
    if found.unread:
        yield Text(
            f"Not read, as hidden or without a known header: {', '.join(map(printable, found.unread))}", "yellow"
        )
    if found.others:
        yield Text(f"{counted(found.others, 'row')} with sums, signatures or the header once more left out")


def _refused(found: Report) -> Iterable[RenderableType]:
    if not found.refused:
        return
    yield Text()
    grid = table("ROW", "COLUMN", "REFUSED, AS IT")
    for one in found.refused[:_SHOWN]:
        grid.add_row(text(place(found, one.sheet, one.row)), text(one.column), text(one.why))
    yield grid
    if len(found.refused) > _SHOWN:
        yield Text(f"and {len(found.refused) - _SHOWN} more: --rejects FILE writes them all down")


def _notes(found: Report) -> Iterable[RenderableType]:
    if not found.note_counts and not found.crowds:
        return
    yield Text()
    for (column, what), count in sorted(found.note_counts.items()):
        rows = [place(found, one.sheet, one.row) for one in found.notes if (one.column, one.what) == (column, what)]
        more = "" if count == len(rows[:5]) else ", …"
        yield Text(
            f"Taken without {column}: it {printable(what)} ({counted(count, 'row')}: {', '.join(rows[:5])}{more})",
            "yellow",
        )
    if found.crowds:
        yield Text(
            f"{counted(found.crowds, 'phone or household number')} for {counted(found.crowded, 'student')}, more than "
            "one home has: no household is made of them.",
            "yellow",
        )


def _schools(found: Report) -> Iterable[RenderableType]:
    if not found.schools:
        return
    yield Text()
    grid = table("NEW SCHOOL", "NAME", "AREA", "")
    for one in found.schools[:_SHOWN]:
        grid.add_row(text(one.place), text(one.name), text(one.area), text(one.near.strip()))
    yield grid
    if len(found.schools) > _SHOWN:
        yield Text(f"and {len(found.schools) - _SHOWN} more")


def _missing(found: Report) -> Iterable[RenderableType]:
    if not found.missing_count:
        return
    yield Text()
    names = ", ".join(shown(student) for student in found.missing[:5])
    many, more = found.missing_count, ", …" if found.missing_count > 5 else ""
    before = f"{counted(many, 'student')} whom {printable(found.source)} named before"
    yield Text(f"{before} {_are(many)} not in this list: {names}{more}", "yellow")
    yield Text("Nothing becomes of them by that. Who has left is told by: fleet student leave STUDENT --why WHY")


def place(found: Report, sheet: int, row: int) -> str:
    """A row, with its sheet where there are several."""
    name = found.sheets[sheet] if len(found.sheets) > 1 else ""
    return f"{name} {row}".strip()


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
