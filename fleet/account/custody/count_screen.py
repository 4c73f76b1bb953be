"""A count, for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from fleet.account.custody.count import Count
from fleet.account.custody.machine import words
from provision.screen import table, text
from provision.text import local_time


def counted_place(found: Count) -> Iterable[RenderableType]:
    """The numbers, then every unit that differs, with what to do."""
    yield text(f"{found.place}: {found.found} of {found.expected} found, {found.variance:+d}")
    grid = table("UNIT", "", "RECORDED")
    for held in found.missing:
        grid.add_row(text(held.shown), Text("missing", "bold red"), text(f"here since {local_time(held.since)[:10]}"))
    for held in found.unexpected:
        where = f"{words(held.state)}{f', {held.place}' if held.place else ''}"
        grid.add_row(text(held.shown), Text("not expected", "yellow"), text(where))
    for label in found.unknown:
        grid.add_row(text(""), Text("unknown", "yellow"), text(label))
    if grid.row_count:
        yield grid
    if found.unexpected:
        yield text(f"What lies here for good: fleet move TAG --to {found.place} (or fleet found, arrive, return).")
    if not found.recorded:
        yield Text("Nothing was written down yet; --apply does.")
