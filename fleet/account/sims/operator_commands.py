"""``fleet sim request`` and ``fleet sim answer``: what the operator is asked, and what it says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_read, to_write

if TYPE_CHECKING:
    from fleet.account.sims.operator_requests import Batch

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.command()
@click.argument("ask", type=click.Choice(("activate", "suspend", "end", "renew", "again")))
@click.argument("batch", required=False)
@click.option("--where", default="", help='Of which SIMs: "not_handed_over and place=LE-LOI"; docs/sims.md has all.')
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file for the operator: .xlsx or .csv."
)
@click.option("--plan", is_flag=True, help="Say how many would be asked; write nothing.")
@_json
@click.pass_context
def request(
    ctx: click.Context, ask: str, batch: str | None, where: str, out: Path | None, plan: bool, as_json: bool
) -> None:
    """Write down what the operator is asked, numbered line by line, and the file that says it.

    Nothing is asked twice while it is open. "again BATCH" writes the file of a batch anew, its open lines.

    Example: fleet sim request activate --where "state=read and carrier=viettel" --out activate.xlsx
    """
    from provision.text import counted

    if (ask == "again") != bool(batch):
        raise click.UsageError("Write: fleet sim request again BATCH --out FILE, or an action without a batch.")
    if not plan and out is None:
        raise click.UsageError("Name the file for the operator: --out FILE, or look first: --plan.")
    found = _again(ctx, batch, out) if batch else _asked(ctx, ask, where, None if plan else out)
    told = {
        "batch": None if plan else found.name,
        "ask": found.ask,
        "lines": len(found.lines),
        "held_back": found.held_back,
    }
    if as_json:
        json_line("sim_request", {**told, "file": str(out) if out and not plan and found.lines else None})
        return
    written = f" {out} is for the operator." if found.lines and not plan else ""
    what = f"{counted(len(found.lines), 'SIM')} to {found.ask}" + (f", {found.name}" if written else "")
    click.echo(f"{what}.{written}")
    if found.held_back:
        click.echo(f"{found.held_back} more were asked before, and are not answered yet.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--encoding", help="Of a CSV file, when it is guessed wrong: gb18030, windows-1258.")
@click.option("--apply", "applied", is_flag=True, help="Take it over; without it nothing is written.")
@_json
@click.pass_context
def answer(ctx: click.Context, file: Path, encoding: str | None, applied: bool, as_json: bool) -> None:
    """Take over the operator's answer to requests, row by row.

    Example: fleet sim answer activate-answer.xlsx --apply
    """
    from fleet.account.sims import operator_answers
    from fleet.account.sims import sheets as sim_sheets
    from fleet.account.sims.file_access import opened, take
    from provision.progress import now

    told = operator_answers.Answered()
    with (
        opened(options_of(ctx), applied=applied) as (conn, ledger),
        sim_sheets.rows(file, operator_answers.NEEDED, encoding=encoding) as rows,
    ):
        take(conn, ledger, operator_answers.events(conn, rows, now(), told))
    if as_json:
        json_line("sim_answer", {**asdict(told), "rows": told.rows, "applied": applied})
    else:
        from fleet import screen
        from fleet.account.sims import screen as sim_screen

        screen.show(*sim_screen.answered(told, applied=applied))
    ctx.exit(1 if told.refused else 0)


def _asked(ctx: click.Context, ask: str, where: str, out: Path | None) -> Batch:
    """The batch: looked at without ``out``, else written down together with its file."""
    from fleet.account.sims import operator_files, operator_requests
    from fleet.account.sims import where as sim_where
    from fleet.db import transaction
    from provision.progress import now

    options = options_of(ctx)
    if out is None:
        with to_read(options) as conn:
            return operator_requests.prepared(conn, "", ask, sim_where.parsed(conn, where, now()))
    opened = to_write(options)
    with opened as registry, transaction(registry.engine) as conn:
        meant = sim_where.parsed(conn, where, now())
        found = operator_requests.prepared(conn, registry.ledger.bench.id, ask, meant)
        if found.lines:
            # The file first: lines that a killed program wrote into a file only are unknown, and are asked again.
            operator_files.write(out, operator_requests.HEADINGS, found.lines)
            registry.ledger.append_many(conn, operator_requests.events(found))
    return found


def _again(ctx: click.Context, batch: str, out: Path | None) -> Batch:
    from fleet.account.sims import operator_files, operator_requests
    from fleet.errors import AccountError

    with to_read(options_of(ctx)) as conn:
        found = operator_requests.again(conn, batch)
    if found is None:
        raise AccountError(f"No batch of requests is called {batch}.", "fleet sim show tells the requests of a SIM.")
    if out and found.lines:
        operator_files.write(out, operator_requests.HEADINGS, found.lines)
    return found
