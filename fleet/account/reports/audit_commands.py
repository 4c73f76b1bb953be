"""``fleet report audit``: the list of devices and loans that auditors ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.account.reports.commands import report
from fleet.commands import json_line, options_of, to_read, to_write
from fleet.home import Options

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.reports.audit import Names

__all__ = ["report"]


@report.command()
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.csv", help="Where to."
)
@click.option("--where", metavar="FILTER", help="Only units that fit (docs/status.md).")
@click.option("--names", "why", metavar="WHY", help="Names for pseudonyms; each reading is recorded, with why.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
@click.pass_context
def audit(ctx: click.Context, out: Path, where: str | None, why: str | None, as_json: bool) -> None:
    """Write every device and every loan of it as CSV: make, serial, person, loaned, returned, lost, line, plan.

    Example: fleet report audit --out audit-2026.csv --where "batch=B-2026-01"
    """
    from fleet.account.reports import audit as auditing
    from fleet.account.sheets import csv_out
    from fleet.account.status import known as filter_known
    from fleet.account.status.health_rules import rules_of
    from fleet.home import home_of
    from provision.progress import now
    from provision.text import counted, printable

    if why is not None and not why.strip():
        raise click.UsageError("Say why the names are needed: --names WHY.")
    options = options_of(ctx)
    at = now()
    with _opened(options, why) as (conn, names):
        within = filter_known.asked(conn, rules_of(home_of(options)), where, at)
        with csv_out.replaced(out) as file:
            number = csv_out.write(file, auditing.HEAD, auditing.rows(conn, within, names))
    if as_json:
        line = {"file": str(out), "rows": number, "names": why is not None}
        json_line("audit", line, at)
    else:
        click.echo(f"{printable(str(out))}: {counted(number, 'row')}.")


@contextlib.contextmanager
def _opened(options: Options, why: str | None) -> Iterator[tuple[Connection, Names | None]]:
    """To read only; with names their reading is recorded in the same transaction as the file is written in."""
    from fleet.db import transaction
    from fleet.home import home_of

    home = home_of(options)
    if why is None:
        with to_read(options) as conn:
            yield conn, None
        return
    from fleet.account.people.vault import the_vault
    from fleet.account.reports.audit import Names

    opened = to_write(options)
    with opened as registry, transaction(registry.engine) as conn:
        yield conn, Names(conn, registry.ledger, the_vault(home, conn), why.strip())
