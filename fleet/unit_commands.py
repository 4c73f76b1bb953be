"""``fleet unit``: units one by one; what the account knows of a unit, and what its device at home tells."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict

import click

_ACCOUNT = "fleet.account.status.unit_commands"
_ORDERS = "fleet.remote.agents.order_commands"
_ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "list": (_ACCOUNT, "list_"),
    "tag": (_ACCOUNT, "tag"),
    "pin": (_ACCOUNT, "pin"),
    "join": (_ACCOUNT, "join"),
    "alike": (_ACCOUNT, "alike"),
    "message": (_ORDERS, "message"),
    "lock": (_ORDERS, "lock"),
    "unlock": (_ORDERS, "unlock"),
    "locate-off": (_ORDERS, "locate_off"),
    "reboot": (_ORDERS, "reboot"),
    "wipe": (_ORDERS, "wipe"),
    "withdraw": (_ORDERS, "withdraw"),
}


class _Units(click.Group):
    """A command's module is imported when the command is run, or all are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (place := _ELSEWHERE.get(cmd_name)) is None:
            return super().get_command(ctx, cmd_name)
        module, name = place
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Units)
def unit() -> None:
    """List units, show one, give it a tag; order something of a device at home.

    Example: fleet unit show A-0001
    """


@unit.command()
@click.argument("name", metavar="TAG-OR-SERIAL")
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON (docs/json.md).")
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show all that is known of a unit: where it is, who has it, its SIM, what is wrong, its last run, history.

    Of a device at home: its last contact, what it should have, has fetched and confirmed, what it is ordered.

    Example: fleet unit show A-0001
    """
    from fleet.account.status.unit_commands import known_units
    from fleet.account.status.unit_view import unit_view
    from fleet.commands import json_line, options_of
    from fleet.home import home_of
    from fleet.remote.agents.at_home import at_home
    from provision.progress import now

    with known_units(ctx) as (conn, rules):
        found = unit_view(conn, rules, name, now())
        agent = at_home(conn, home_of(options_of(ctx)), found.unit["key"])
    if as_json:
        json_line("unit", {**asdict(found), "at_home": asdict(agent) if agent else None})
        return
    from fleet import screen
    from fleet.account.status import unit_screen
    from fleet.remote.agents import order_screen

    screen.show(*unit_screen.unit(found, order_screen.at_home(agent) if agent else ()))
