"""``fleet data-plans``: which SIMs cost money for nothing, which children have no data, which plans end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, to_read

if TYPE_CHECKING:
    from sqlalchemy import Connection


@click.command("data-plans")
@click.option("--ends-in", type=click.IntRange(1, 3660), metavar="DAYS", help="The SIMs whose plan ends by then.")
@click.option("--idle", is_flag=True, help="SIMs not used for 60 days: when to ask, and when to end them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.option("--csv", "as_csv", is_flag=True, help="Print every SIM of every list as CSV.")
@click.pass_context
def data_plans(ctx: click.Context, ends_in: int | None, idle: bool, as_json: bool, as_csv: bool) -> None:
    """Say which data plans are not as they should be, what costs money first, and which end in 30 and 7 days.

    Example: fleet data-plans --ends-in 30 --csv
    """
    if (ends_in is not None and idle) or (as_json and as_csv):
        raise click.UsageError("Choose one of --ends-in and --idle, and one of --json and --csv.")
    from provision.progress import now

    options, at = options_of(ctx), now()
    with to_read(options) as conn:
        if as_csv:
            _csv(_rows(conn, at, ends_in, idle=idle))
        elif ends_in is not None or idle:
            _one_list(conn, at, ends_in, as_json=as_json)
        else:
            _overview(conn, at, as_json=as_json)


def _rows(conn: Connection, at: str, ends_in: int | None, *, idle: bool) -> Iterable[tuple[str, Mapping[str, Any]]]:
    from fleet.account.sims import data_plans as plans

    if idle:
        return (("idle", line) for line in plans.notices(conn))
    if ends_in is not None:
        return (("ending", line) for line in plans.ends_in(conn, at, ends_in))
    return plans.every(conn, at)


def _csv(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    from fleet.account.sheets import csv_out
    from fleet.account.sims.data_plan_lists import COLUMNS

    names = [column.name for column in COLUMNS]
    cells = ([name, *(line[column] for column in names), line.get("notice"), line.get("until")] for name, line in rows)
    csv_out.write(sys.stdout, ["list", *names, "notice", "until"], cells)


def _one_list(conn: Connection, at: str, ends_in: int | None, *, as_json: bool) -> None:
    from fleet.account.sims import data_plans as plans

    found = plans.ends_in(conn, at, ends_in) if ends_in is not None else plans.notices(conn)
    if as_json:
        for line in found:
            _write("sim", at, {"list": "idle" if ends_in is None else "ending", "sim": line})
        return
    from fleet import screen
    from fleet.account.sims import data_plan_screen

    screen.show(*data_plan_screen.one_list(found, ends_in))


def _overview(conn: Connection, at: str, *, as_json: bool) -> None:
    from fleet.account.sims import data_plans as plans

    found = plans.overview(conn, at)
    if as_json:
        _write("data_plans", at, asdict(found))
        return
    from fleet import screen
    from fleet.account.sims import data_plan_screen

    screen.show(*data_plan_screen.overview(found))


def _write(event: str, at: str, fields: Mapping[str, Any]) -> None:
    json_line(event, fields, at)
