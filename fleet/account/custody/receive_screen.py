"""What became of a donor's list, for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from fleet.account.custody.receive import Received
from provision.screen import table, text
from provision.text import counted

_SHOWN = 100


def received(found: Received) -> Iterable[RenderableType]:
    """The numbers, then every row that needs a person."""
    numbers = found.numbers
    what = ", ".join(f"{number} {name}" for name, number in numbers.items() if number) or "nothing"
    yield text(f"{counted(len(found.rows), 'row')} of batch {found.batch.batch} at {found.place}: {what}")
    against = [one for one in found.rows if one.verdict in ("doubtful", "refused")]
    if against:
        grid = table("ROW", "SERIAL", "", "WHY")
        for one in against[:_SHOWN]:
            style = "bold red" if one.verdict == "refused" else "yellow"
            grid.add_row(text(one.row.number or ""), text(one.row.serial), text(one.verdict, style), text(one.why))
        yield grid
    if len(against) > _SHOWN:
        yield Text(f"… and {len(against) - _SHOWN} more; --json has them all.")
    if numbers["doubtful"]:
        yield Text("Look at the labels of what is doubtful; if they are right, take them with --sure.", "yellow")
    if found.applied and numbers["new"] + numbers["matched"]:
        yield Text(f"Received: {counted(numbers['new'] + numbers['matched'], 'unit')}.")
    elif not found.applied and numbers["new"] + numbers["matched"]:
        yield Text("Nothing was changed yet; --apply takes it over.")
    else:
        yield Text("Nothing was to be done.")
