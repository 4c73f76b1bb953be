"""What the doctor found, for a technician: a row per check, and under it how to mend it."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from provision.doctor.check import Check, Mark
from provision.text import printable

_STYLES = {Mark.GOOD: "green", Mark.WARN: "yellow", Mark.BAD: "bold red"}
_NAME_WIDTH = 12


def row(check: Check) -> RenderableType:
    """One check, so that it can be shown as soon as it is made."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=len(Mark.GOOD))
    table.add_column(width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    said: RenderableType = Text(printable(check.what))
    table.add_row(Text(check.mark, _STYLES[check.mark]), Text(check.name), said)
    if check.mend:
        table.add_row("", "", Padding(Text(f"→ {printable(check.mend)}"), 0))
    return table
