"""Commands that show the account, and name its units. What reads makes nothing, not even an empty registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from fleet.home import Options

if TYPE_CHECKING:
    from sqlalchemy import Connection

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.command()
@_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say how many units there are, in which state, and how their last runs ended.

    Example: fleet status --json
    """
    from fleet.status import status as read
    from provision.progress import now

    at = now()
    with _registry(ctx) as conn:
        found = read(conn, at)
    if as_json:
        from dataclasses import asdict

        _write("status", asdict(found), at)
    else:
        from fleet import screen
        from fleet.db import database_of, shown
        from fleet.home import home_of

        options = _options(ctx)
        screen.show(*screen.status(found, shown(database_of(options.database, home_of(options)))))


@click.group()
def unit() -> None:
    """Show one unit, or give it a tag.

    Example: fleet unit show A-0001
    """


@unit.command()
@click.argument("name", metavar="TAG-OR-SERIAL")
@_json
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show all that is known of a unit: facts, last run item by item, history.

    Example: fleet unit show A-0001
    """
    from fleet.status import unit_view

    with _registry(ctx) as conn:
        found = unit_view(conn, name)
    if as_json:
        from dataclasses import asdict

        _write("unit", asdict(found))
    else:
        from fleet import screen

        screen.show(*screen.unit(found))


@unit.command()
@click.argument("serial")
@click.argument("tag")
@_json
@click.pass_context
def tag(ctx: click.Context, serial: str, tag: str, as_json: bool) -> None:
    """Give the unit with this serial (or old tag) a tag. Tags are kept in capitals.

    Example: fleet unit tag R58M12ABCDE A-0001
    """
    from fleet.home import home_of
    from fleet.units import open_registry

    options = _options(ctx)
    with open_registry(home_of(options), options.database, options.actor) as registry:
        given = registry.tag(serial, tag)
    if as_json:
        _write("tag", {"serial": serial, "unit": given})
    else:
        from provision.text import printable

        click.echo(f"{printable(serial)} is {given}.")


def _options(ctx: click.Context) -> Options:
    return ctx.find_object(Options) or Options()


@contextmanager
def _registry(ctx: click.Context) -> Iterator[Connection]:
    from fleet.db import database_of, reading
    from fleet.home import home_of

    options = _options(ctx)
    with reading(database_of(options.database, home_of(options))) as conn:
        yield conn


def _write(event: str, fields: dict[str, Any], at: str | None = None) -> None:
    from provision.progress import now

    click.echo(json.dumps({"v": 1, "event": event, "at": at or now(), **fields}))
