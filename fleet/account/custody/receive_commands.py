"""``fleet receive``: what a donor gave becomes units of the account."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from fleet.account.custody.receive import Lot, Received
    from fleet.account.custody.receive_rows import Listed
    from fleet.units import Registry

_LISTS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm")


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="FILE | SERIAL...")
@click.option("--batch", metavar="NAME", required=True, help="What was given at once, such as VNPT-1.")
@click.option("--place", metavar="PLACE", required=True, help="Where it all is.")
@click.option("--donor", metavar="NAME", help="Who gave it; a new batch needs it.")
@click.option("--announced", metavar="N", type=click.IntRange(0, 100_000_000), help="How many the papers speak of.")
@click.option("--maker", default="", help="Of the serials that are typed, and of rows that do not say it.")
@click.option("--model", default="", help="Of the serials that are typed, and of rows that do not say it.")
@click.option("--imei", default="", help="Of the one serial that is typed.")
@click.option("--tag", default="", help="Of the one serial that is typed.")
@click.option("--on", metavar="DATE", default="", help="The day on which it came, if that was earlier: 2026-11-15.")
@click.option("--sure", is_flag=True, help="Take doubtful serials as they are written.")
@click.option("--encoding", help="Of a CSV file, where it was guessed wrong.")
@click.option("--apply", is_flag=True, help="Take over what the list says; without it only what would be is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.pass_context
def receive(
    ctx: click.Context,
    what: tuple[str, ...],
    batch: str,
    place: str,
    donor: str | None,
    announced: int | None,
    maker: str,
    model: str,
    imei: str,
    tag: str,
    on: str,
    sure: bool,
    encoding: str | None,
    apply: bool,
    as_json: bool,
) -> None:
    """Receive units: those of a donor's list (CSV or XLSX), or one by one by their serial numbers.

    A list is only checked, row by row, until it is given with --apply; doing that again does nothing. Serials that are
    typed are received at once, all of them or none. Exit 1 when anything is doubtful or refused.

    Example: fleet receive list.xlsx --batch VNPT-1 --donor VNPT --place STORE --apply
    """
    from fleet.account.custody.receive import Lot, plan
    from fleet.account.custody.receive import receive as take
    from fleet.account.custody.receive_rows import Listed

    file = _file(what)
    if file is None:
        if len(what) > 1 and (imei or tag):
            raise click.UsageError("--imei and --tag are of one unit: name one serial.")
        rows = [Listed(0, serial, imei, maker, model, tag) for serial in what]
        with _open(ctx) as registry:
            _say(ctx, _typed(registry, Lot(batch, place, donor, announced, on=on), rows, sure), as_json)
        return
    if imei or tag:
        raise click.UsageError("--imei and --tag are of a serial that is typed; a list has columns for them.")
    from fleet.account.custody.receive_file import read

    rows = [replace(row, maker=row.maker or maker, model=row.model or model) for row in read(file, encoding)]
    lot = Lot(batch, place, donor, announced, len(rows), on)
    with _open(ctx) as registry:
        if apply:
            _say(ctx, take(registry, lot, rows, sure=sure, all_of_them=False), as_json)
        else:
            _say(ctx, plan(registry, lot, rows, sure=sure), as_json)


def _file(what: Sequence[str]) -> Path | None:
    """The list that is meant, if it is one."""
    path = Path(what[0])
    return path if len(what) == 1 and (path.suffix.lower() in _LISTS or path.is_file()) else None


def _typed(registry: Registry, lot: Lot, rows: Sequence[Listed], sure: bool) -> Received:
    """All or nothing; at a terminal doubtful serials are asked for."""
    from fleet.account.custody.receive import plan
    from fleet.account.custody.receive import receive as take

    if not sure and sys.stdin.isatty() and sys.stdout.isatty():
        doubtful = [one for one in plan(registry, lot, rows).rows if one.verdict == "doubtful"]
        for one in doubtful:
            click.confirm(f"{one.why}. Take it as it is written?", abort=True)
        sure = bool(doubtful)
    return take(registry, lot, rows, sure=sure, all_of_them=True)


def _open(ctx: click.Context) -> AbstractContextManager[Registry]:

    return to_write(options_of(ctx))


def _say(ctx: click.Context, found: Received, as_json: bool) -> None:
    if as_json:
        _json_lines(found)
    else:
        from fleet import screen
        from fleet.account.custody import receive_screen

        screen.show(*receive_screen.received(found))
    numbers = found.numbers
    ctx.exit(1 if numbers["doubtful"] or numbers["refused"] else 0)


def _json_lines(found: Received) -> None:
    from provision.progress import now

    at = now()
    for one in found.rows:
        line = {"verdict": one.verdict, "why": one.why, "unit": one.known.tag if one.known else None}
        json_line("row", {**asdict(one.row), **line}, at)
    last = {"place": found.place, "applied": found.applied, **found.numbers}
    json_line("received", {**asdict(found.batch), **last}, at)
