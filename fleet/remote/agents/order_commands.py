"""``fleet unit message | lock | unlock | locate-off | reboot | wipe | withdraw``: orders to a device at home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fleet.commands import json_line, options_of, to_write

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fleet.ledger import Ledger
    from fleet.remote.agents.orders import Order
    from fleet.tags import Named

    Do = Callable[[Connection, Ledger, Named], Order | list[Order]]

_tag = click.argument("name", metavar="TAG")
_why = click.option("--why", metavar="TEXT", required=True, help="For the record.")
_json = click.option("--json", "as_json", is_flag=True, help="Print lines of JSON (docs/json.md).")
_KINDS = ("message", "lock", "locate-off", "reboot", "wipe")


@click.command()
@_tag
@click.argument("words", metavar="TEXT")
@_why
@_json
@click.pass_context
def message(ctx: click.Context, name: str, words: str, why: str, as_json: bool) -> None:
    """Show TEXT on a device at home.

    Example: fleet unit message A-0001 "Lessons begin on Monday." --why "start of term"
    """
    _give(ctx, name, "message", why, words, as_json=as_json)


@click.command()
@_tag
@click.option("--text", "words", metavar="TEXT", default="", help="What the locked screen says.")
@_why
@_json
@click.pass_context
def lock(ctx: click.Context, name: str, words: str, why: str, as_json: bool) -> None:
    """Lock a device at home behind the screen of its agent, until fleet unit unlock.

    Example: fleet unit lock A-0001 --text "Lost. Please call 028 1234 5678." --why "lost on the bus"
    """
    _give(ctx, name, "lock", why, words, as_json=as_json)


@click.command()
@_tag
@_why
@_json
@click.pass_context
def unlock(ctx: click.Context, name: str, why: str, as_json: bool) -> None:
    """Unlock a device that fleet unit lock locked.

    Example: fleet unit unlock A-0001 --why "it was found"
    """
    _give(ctx, name, "unlock", why, "", as_json=as_json)


@click.command("locate-off")
@_tag
@_why
@_json
@click.pass_context
def locate_off(ctx: click.Context, name: str, why: str, as_json: bool) -> None:
    """Switch a device's location off, and leave it off, until fleet unit withdraw.

    Example: fleet unit locate-off A-0001 --why "the family asked for it"
    """
    _give(ctx, name, "locate_off", why, "", as_json=as_json)


@click.command()
@_tag
@_why
@_json
@click.pass_context
def reboot(ctx: click.Context, name: str, why: str, as_json: bool) -> None:
    """Restart a device at home once.

    Example: fleet unit reboot A-0001 --why "the lesson app hangs"
    """
    _give(ctx, name, "reboot", why, "", as_json=as_json)


@click.command()
@_tag
@click.option("--again", metavar="TAG", default="", help="The tag once more, so that no other one is wiped.")
@click.option("--approve", is_flag=True, help="As the second person, where the programme wants one.")
@_why
@_json
@click.pass_context
def wipe(ctx: click.Context, name: str, again: str, approve: bool, why: str, as_json: bool) -> None:
    """Erase a device at home: everything on it is lost, and its agent, too. It then has to come to a bench.

    Example: fleet unit wipe A-0001 --again A-0001 --why "stolen; case 17 of the police"
    """
    if approve and again:
        raise click.UsageError("--approve is for the second person, --again for the first: name one.")
    if approve:
        from fleet.remote.agents import orders

        _do(ctx, name, lambda conn, ledger, unit: orders.approve(conn, ledger, unit, why), as_json=as_json)
        return
    if again.strip().upper() != name.strip().upper():
        raise click.UsageError(f"Nothing is wiped before the tag was typed twice: --again {name}")
    _give(ctx, name, "wipe", why, "", as_json=as_json)


@click.command()
@_tag
@click.argument("kind", type=click.Choice(_KINDS))
@_why
@_json
@click.pass_context
def withdraw(ctx: click.Context, name: str, kind: str, why: str, as_json: bool) -> None:
    """Take back what a device was ordered, as long as it was not done: message, lock, locate-off, reboot, wipe.

    Example: fleet unit withdraw A-0001 wipe --why "it was found"
    """
    from fleet.remote.agents import orders

    meant = orders.Kind(kind.replace("-", "_"))
    _do(ctx, name, lambda conn, ledger, unit: orders.withdraw(conn, ledger, unit, meant, why), as_json=as_json)


def _give(ctx: click.Context, name: str, kind: str, why: str, words: str, *, as_json: bool) -> None:
    from fleet.remote.agents import orders

    meant = orders.Kind(kind)
    _do(ctx, name, lambda conn, ledger, unit: orders.give(conn, ledger, unit, meant, why, words), as_json=as_json)


def _do(ctx: click.Context, name: str, do: Do, *, as_json: bool) -> None:
    from fleet import tags
    from fleet.db import transaction
    from fleet.remote.agents import order_screen, orders

    with to_write(options_of(ctx)) as registry, transaction(registry.engine) as conn:
        orders.check_here(conn, registry.home)
        unit = tags.the(conn, name)
        found = do(conn, registry.ledger, unit)
        last = orders.last_contact(conn, unit.key)
    for one in found if isinstance(found, list) else [found]:
        if as_json:
            json_line("order", {"unit": unit.tag, "serial": unit.serial, "seen_at": last, **_fields(one)})
        else:
            click.echo(order_screen.given(one, unit.shown, last))


def _fields(one: Order) -> dict[str, Any]:
    told = asdict(one)
    return {"order": told.pop("id"), "ordered_at": told.pop("at"), **told}
