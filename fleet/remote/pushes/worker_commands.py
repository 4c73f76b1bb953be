"""``fleet worker``: does the work of pushes, on as many computers as there are."""

from __future__ import annotations

import signal
from typing import Any

import click

from fleet.commands import json_line, options_of
from fleet.home import home_of

_PATIENCE = 120.0
"""Seconds that a worker waits for others that write: there may be many of them."""


@click.command()
@click.option("--at-once", type=click.IntRange(1, 200), default=24, show_default=True, help="Most sites at one time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def worker(ctx: click.Context, at_once: int, as_json: bool) -> None:
    """Visit the sites of all running pushes, beside other workers on any number of computers. Needs PostgreSQL.

    It goes on until it is stopped (SIGTERM, Ctrl-C): visits under way end well or are left as they stand. Killed, it
    loses nothing: the others miss it after 15 seconds and go on. What it needs is in docs/sites.md.

    Example: fleet --database postgresql://fleet@server/fleet worker --at-once 40
    """
    from fleet.remote.pushes.worker import Worker
    from fleet.units import open_registry

    options = options_of(ctx)
    tell = _line if as_json else _sentence
    with open_registry(home_of(options), options.database, options.actor, patience=_PATIENCE) as registry:
        ended = Worker(registry, tell, at_once).run()
    tell({"state": "stopped"})
    if ended == signal.SIGINT:
        raise click.Abort
    ctx.exit(0)


def _line(fields: dict[str, Any]) -> None:
    json_line("worker", fields)


def _sentence(fields: dict[str, Any]) -> None:
    """What is under way is said by fleet push status --watch."""
    from fleet.remote.pushes.work import BUSY
    from provision.text import printable_lines

    state = fields.get("state", "")
    if state in BUSY:
        return
    who = fields.get("site") or fields.get("push") or "This worker"
    told = [f"{who}: {state}." if state else f"{who}:", fields.get("error", ""), fields.get("next_action", "")]
    if fields.get("releases") is not None:
        told.append(f"Releases here: {', '.join(map(str, fields['releases'])) or 'none'}.")
    click.echo(printable_lines(" ".join(part for part in told if part)))
