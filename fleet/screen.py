"""How commands print: to the terminal's width, or in 80 columns where the output is no terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType

from provision.screen import console


def show(*parts: RenderableType) -> None:
    """Print to the terminal's width, or to 80 columns where the output is no terminal."""
    console().print(Group(*parts))
