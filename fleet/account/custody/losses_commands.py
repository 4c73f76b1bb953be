"""``fleet losses``: losses that repeat, and faults of one model or batch."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from fleet.home import Options


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def losses(ctx: click.Context, as_json: bool) -> None:
    """Show who lost units more than once, and which model or batch has one fault more often than the rest.

    Example: fleet losses
    """
    from fleet.account.custody import losses as read
    from fleet.db import database_of, reading
    from fleet.home import home_of
    from provision.progress import now

    options = ctx.find_object(Options) or Options()
    with reading(database_of(options.database, home_of(options))) as conn:
        repeats, faults = read.repeats(conn), read.faults(conn)
    if as_json:
        at = now()
        for event, rows in (("repeated_loss", repeats), ("fault", faults)):
            for row in rows:
                click.echo(json.dumps({"v": 1, "event": event, "at": at, **asdict(row)}))
    else:
        from fleet import screen
        from fleet.account.custody import losses_screen

        screen.show(*losses_screen.losses(repeats, faults))
