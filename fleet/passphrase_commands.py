"""How a passphrase comes in: never from the command line, which others see."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path, dir_okay=False)


def passphrase_option(variable: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--passphrase-file`` of a command; ``variable`` is the environment's."""
    words = f"A file whose first line is the passphrase; else {variable}, else asked."
    return click.option("--passphrase-file", type=FILE, help=words)


def passphrase(file: Path | None, variable: str, *, new: bool) -> str:
    """From the file, the environment, or the person at the terminal, who is asked twice for a ``new`` one."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{file} cannot be read.") from error
    if named := os.environ.get(variable):
        return named
    if not sys.stdin.isatty():
        raise click.UsageError(f"Nobody can be asked for the passphrase. Pass --passphrase-file FILE or {variable}.")
    said = click.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=new, err=True)
    assert isinstance(said, str)
    return said
