"""How everything is shown: the console, its tables, text that a terminal cannot act on.

Works in 80 columns, without colour, and line by line where there is no terminal. Text of devices and profiles is
printed through :func:`provision.text.printable`, never as markup.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from provision.text import printable

STYLES: Mapping[str, str] = {
    "verified": "green",
    "partial": "yellow",
    "planned": "cyan",
    "failed": "bold red",
    "unverified": "yellow",
    "impossible": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    """A console for tables; 80 columns wide where the output is no terminal."""
    plain = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, width=80 if plain else None, highlight=False, markup=False, emoji=False)


def text(value: object, style: str = "") -> Text:
    return Text(printable(str(value)), style=style)


def table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
