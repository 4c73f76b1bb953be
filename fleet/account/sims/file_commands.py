"""``fleet sim import`` and ``fleet sim usage``: the operator's files. They plan, and write with ``--apply``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from fleet.commands import json_line, options_of

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
_apply = click.option("--apply", "applied", is_flag=True, help="Take it over; without it nothing is written.")
_carrier = click.option("--carrier", required=True, help="The operator, as profiles name it: viettel.")
_encoding = click.option("--encoding", help="Of a CSV file, when it is guessed wrong: gb18030, windows-1258.")
_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command("import")
@_file
@_carrier
@click.option("--plan", default="", help='What the operator gives where the file does not say: "4 GB/day, 90 days".')
@click.option("--place", default="", help="Where the SIMs lie where the file does not say.")
@click.option("--ordered", is_flag=True, help="They are on their way, and not here yet.")
@_encoding
@_apply
@_json
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    carrier: str,
    plan: str,
    place: str,
    ordered: bool,
    encoding: str | None,
    applied: bool,
    as_json: bool,
) -> None:
    """Take over the operator's list of SIMs (CSV or XLSX). The same file again does nothing.

    Example: fleet sim import sims.xlsx --carrier viettel --plan "4 GB/day, 90 days" --apply
    """
    from fleet import sim_reading
    from fleet.account.sims import importing as sim_import
    from fleet.account.sims import one_by_one as sims
    from fleet.account.sims import sheets as sim_sheets
    from fleet.account.sims.data_plan_terms import terms
    from fleet.account.sims.file_access import opened, take

    operator, given, told = sims.carrier_of(carrier), terms(plan), sim_import.Imported()
    with opened(options_of(ctx), applied=applied) as (conn, ledger):
        order = sim_import.Order(operator, given, sims.place_of(conn, place), ordered)
        wanted = ("msisdn", "plan", "quota", "days", "place")
        with sim_sheets.rows(file, ("iccid",), wanted, encoding, told.unread) as rows:
            take(conn, ledger, sim_import.events(conn, rows, order, told))
        if ledger:
            ledger.append_many(conn, tuple(sim_reading.unsettled(conn)))
    if as_json:
        json_line("sim_import", {**asdict(told), "rows": told.rows, "applied": applied})
    else:
        from fleet import screen
        from fleet.account.sims import screen as sim_screen

        screen.show(*sim_screen.imported(told, applied=applied))
    ctx.exit(1 if told.refused else 0)


@click.command()
@_file
@_carrier
@_encoding
@_apply
@_json
@click.pass_context
def usage(ctx: click.Context, file: Path, carrier: str, encoding: str | None, applied: bool, as_json: bool) -> None:
    """Take over what was used: bytes by SIM (ICCID or phone number) and day. A day is counted once.

    Example: fleet sim usage october.csv --carrier viettel --apply
    """
    from datetime import UTC, datetime, timedelta

    from fleet.account.sims import one_by_one as sims
    from fleet.account.sims import sheets as sim_sheets
    from fleet.account.sims import usage as sim_usage
    from fleet.account.sims.file_access import opened, take

    operator, told, idle = sims.carrier_of(carrier), sim_usage.Used(), 0
    tomorrow = (datetime.now(UTC) + timedelta(1)).date()  # the operator may be ahead of us by hours
    with opened(options_of(ctx), applied=applied) as (conn, ledger):
        wanted = [name for one in sim_usage.NEEDED for name in (one if isinstance(one, tuple) else (one,))]
        with sim_sheets.rows(file, sim_usage.NEEDED, wanted, encoding) as rows:
            take(conn, ledger, sim_usage.events(conn, rows, operator, tomorrow, told))
        if ledger:
            idle = ledger.append_many(conn, tuple(sim_usage.idle(conn, operator)))
    if as_json:
        json_line("sim_usage", {**asdict(told), "rows": told.rows, "idle": idle, "applied": applied})
    else:
        from fleet import screen
        from fleet.account.sims import screen as sim_screen

        screen.show(*sim_screen.used(told, idle, applied=applied))
    ctx.exit(1 if told.refused else 0)
