"""``fleet devices``: what is attached, and what stands in the way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import options_of

if TYPE_CHECKING:
    from provision.bench import Found


@click.command()
@click.option("--tree", is_flag=True, help="Show buses, hubs and ports, and phones that are on the bus only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.option("--sysfs", type=click.Path(path_type=Path, file_okay=False), hidden=True, help="Another sysfs than /sys.")
@click.pass_context
def devices(ctx: click.Context, tree: bool, as_json: bool, sysfs: Path | None) -> None:
    """List what is attached, who each device says it is, and what stands in the way. Asks nobody to tap anything.

    Example: fleet devices --tree
    """
    from fleet.doors import doors_of
    from fleet.home import home_of
    from provision import results_screen, screen
    from provision.bench import attach_all
    from provision.lines import Lines

    lines = Lines(sys.stdout)
    found = attach_all(doors_of(home_of(options_of(ctx)), sysfs))
    if tree:
        _show_tree(found, sysfs, as_json)
    elif as_json:
        for place in found.attached:
            lines.write("device", place.fields())
    else:
        shown = results_screen.devices(found.attached) if found.attached else "No device is attached."
        screen.console().print(shown)
    for silent in found.silent:
        if as_json:
            lines.write("server", silent.fields())
        click.echo(silent.error, err=True)


def _show_tree(found: Found, root: Path | None, as_json: bool) -> None:
    """An adb server on another computer has its phones on that computer's USB, which is not seen from here."""
    from provision import screen, usb_screen
    from provision.android.server import is_here, server_from_environment
    from provision.lines import Lines
    from provision.usb.fields import lines
    from provision.usb.sysfs import SYSFS, Sysfs, read
    from provision.usb.tree import build

    seen = read(root or SYSFS) if root or is_here(server_from_environment()) else Sysfs()
    usb = build(seen, [place.listed() for place in found.attached])
    if as_json:
        out = Lines(sys.stdout)
        for event, fields in lines(usb):
            out.write(event, fields)
    else:
        screen.console().print(usb_screen.tree(usb))
