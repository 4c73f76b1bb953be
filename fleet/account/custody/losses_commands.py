"""``fleet losses``: losses that repeat, and faults of one model or batch."""

from __future__ import annotations

from dataclasses import asdict

import click

from fleet.commands import json_line, options_of, to_read


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def losses(ctx: click.Context, as_json: bool) -> None:
    """Show who lost units more than once, and which model or batch has one fault more often than the rest.

    Example: fleet losses
    """
    from fleet.account.custody import losses as read
    from provision.progress import now

    with to_read(options_of(ctx)) as conn:
        repeats, faults = read.repeats(conn), read.faults(conn)
    if as_json:
        at = now()
        for event, rows in (("repeated_loss", repeats), ("fault", faults)):
            for row in rows:
                json_line(event, {**asdict(row)}, at)
    else:
        from fleet import screen
        from fleet.account.custody import losses_screen

        screen.show(*losses_screen.losses(repeats, faults))
