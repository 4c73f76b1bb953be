"""``fleet unit``: units as a list, their tags and PINs. What reads makes nothing, not even an empty registry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.account.status.health_rules import Rules

_json = click.option("--json", "as_json", is_flag=True, help="Print lines of JSON (docs/json.md).")
_PAGE = 50


@click.command("list")
@click.option("--where", metavar="FILTER", help="Only units that fit, as of fleet status (docs/status.md).")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="So many at most; 50, with --csv all.")
@click.option("--after", default="", metavar="KEY", help="Go on after this unit: the last of the page before.")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@click.pass_context
def list_(ctx: click.Context, where: str | None, limit: int | None, after: str, as_json: bool, as_csv: bool) -> None:
    """List units page by page, in the order of platform and serial.

    Example: fleet unit list --where "alarm=battery_worn and place=LE-LOI"
    """
    from fleet.account.sheets import csv_out
    from fleet.account.status import known as filter_known
    from fleet.account.status.unit_list import Line, listed

    if as_csv and as_json:
        raise click.UsageError("--csv and --json are two answers: name one.")
    with known_units(ctx) as (conn, rules):
        within = filter_known.asked(conn, rules, where, _now())
        if as_csv:
            head = tuple(field.name for field in fields(Line))
            rows = (tuple(vars(line).values()) for line in listed(conn, within, after=after, limit=limit))
            csv_out.write(sys.stdout, head, rows)
            return
        page = limit or _PAGE
        found = tuple(listed(conn, within, after=after, limit=page + 1))
    more = found[page - 1].key if len(found) > page else None
    if as_json:
        for line in found[:page]:
            json_line("unit_line", asdict(line))
        json_line("page", {"after": more})
        return
    from fleet import screen
    from fleet.account.status import unit_screen
    from provision.text import printable

    if not found:
        click.echo("No unit fits.")
        return
    screen.show(unit_screen.listed(found[:page]))
    if more:
        click.echo(f"There are more: --after {printable(more)} shows the next page.")


@click.command()
@click.argument("serial")
@click.argument("tag")
@_json
@click.pass_context
def tag(ctx: click.Context, serial: str, tag: str, as_json: bool) -> None:
    """Give the unit with this serial (or old tag) a tag. Tags are kept in capitals.

    Example: fleet unit tag R58M12ABCDE A-0001
    """

    with to_write(options_of(ctx)) as registry:
        given = registry.tag(serial, tag)
    if as_json:
        json_line("tag", {"serial": serial, "unit": given})
    else:
        from provision.text import printable

        click.echo(f"{printable(serial)} is {given}.")


@click.command()
@click.argument("name", metavar="TAG-OR-SERIAL")
@click.option("--why", default="to unlock it", show_default=True, help="For the record.")
@_json
@click.pass_context
def pin(ctx: click.Context, name: str, why: str, as_json: bool) -> None:
    """Show the PIN of a unit's screen lock, and record who read it.

    It is made when the unit is provisioned with a profile that says screen_lock: {pin: per_unit}.

    Example: fleet unit pin A-0001 --why "the family forgot it"
    """
    from fleet import tags
    from fleet.account.people.vault import the_vault
    from fleet.account.status.unit_view import pin_result
    from fleet.db import transaction
    from fleet.errors import UnitError
    from fleet.home import home_of

    options = options_of(ctx)
    home = home_of(options)
    with to_write(options) as registry, transaction(registry.engine) as conn:
        found = tags.the(conn, name)
        shown = the_vault(home, conn).show_pin(conn, registry.ledger, found.key, why)
        result = pin_result(conn, found.key)
    if not shown:
        raise UnitError(
            f"No PIN was made for {found.shown}.",
            "One is made when it is provisioned with a profile that says screen_lock: {pin: per_unit}.",
        )
    if as_json:
        json_line("pin", {"unit": found.tag, "serial": found.serial, "pin": shown, "result": result})
    else:
        click.echo(shown)
        if result != "verified":
            said = f"was {result} in" if result else "was no part of"
            click.echo(f"Whether it is set is not known: it {said} the last run (fleet unit show).", err=True)


@click.command()
@click.argument("one", metavar="TAG-OR-SERIAL")
@click.argument("other", metavar="TAG-OR-SERIAL")
@click.option("--why", default="its serial was misread", show_default=True, help="For the record.")
@_json
@click.pass_context
def join(ctx: click.Context, one: str, other: str, why: str, as_json: bool) -> None:
    """Make one unit of two that are one device, whose serial was misread (O for 0, small letters).

    The spelling that a bench has read stays, with its place and state; the papers of the other become its own.

    Example: fleet unit join R58M1OABCDE R58M10ABCDE
    """
    from fleet.account.custody.joining import join as make_one

    with to_write(options_of(ctx)) as registry:
        done = make_one(registry, one, other, why)
    if as_json:
        json_line("joined", asdict(done))
    else:
        from provision.text import printable

        papers = f" It has the papers of batch {printable(done.batch)} now." if done.batch else ""
        click.echo(f"{printable(done.was)} was {done.shown}.{papers}")


@click.command()
@_json
@click.pass_context
def alike(ctx: click.Context, as_json: bool) -> None:
    """List units that may be one device: their serials are alike (O and 0, I, L and 1), and no bench has read both.

    Example: fleet unit alike
    """
    from fleet import lookalikes

    with known_units(ctx) as (conn, _):
        found = lookalikes.groups(conn)
    for some, sentence in zip(found, lookalikes.told(found), strict=True):
        if as_json:
            json_line("alike", {"units": [asdict(one) for one in some]})
        else:
            click.echo(sentence)
    if not found and not as_json:
        click.echo("No two units may be one device.")


@contextmanager
def known_units(ctx: click.Context) -> Iterator[tuple[Connection, Rules]]:
    """One moment of the registry, and the rules of health; without a registry nothing, and nothing is made."""
    from fleet.account.status.health_rules import rules_of
    from fleet.db import database_of, is_there, reading
    from fleet.home import home_of

    options = options_of(ctx)
    home = home_of(options)
    url = database_of(options.database, home)
    with reading(url) as conn:
        yield conn, rules_of(home) if is_there(url) else {}


def _now() -> str:
    from provision.progress import now

    return now()
