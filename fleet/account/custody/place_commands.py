"""``fleet place``: the places where units lie."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fleet.account.custody.machine import BY_PLACE
from fleet.commands import json_line, options_of, to_read, to_write

if TYPE_CHECKING:
    from fleet.account.custody.places import Place

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
_KIND = click.Choice(tuple(BY_PLACE))
_CALLED = {kind: kind for kind in BY_PLACE} | {"repair": "repairer"}


@click.group()
def place() -> None:
    """Places where units lie: stores, benches, schools, repairers.

    Example: fleet place add LE-LOI --kind school --name "Trường Lê Lợi" --area "Quận 1"
    """


@place.command()
@click.argument("code")
@click.option("--kind", type=_KIND, help="What it is; it decides the state of units there. A new one needs it.")
@click.option("--name", help="What people call it.")
@click.option("--area", help="The district or town that it belongs to.")
@_json
@click.pass_context
def add(ctx: click.Context, code: str, kind: str | None, name: str | None, area: str | None, as_json: bool) -> None:
    """Add a place, or say anew what kind, name or area it has; what is not said stays. Codes are kept in capitals.

    Example: fleet place add STORE --kind store --name "City store"
    """
    from fleet.account.custody import places
    from fleet.db import transaction
    from provision.text import printable

    opened = to_write(options_of(ctx))
    with opened as registry, transaction(registry.engine) as conn:
        wanted = places.wanted(conn, code, kind, name, area)
        changed = places.put(conn, registry.ledger, wanted)
    if as_json:
        _write(wanted, changed=changed)
    else:
        called = f" ({', '.join(filter(None, map(printable, (wanted.name, wanted.area))))})"
        more = called if wanted.name or wanted.area else ""
        click.echo(f"{wanted.place} is a {_CALLED[wanted.kind]}{more}{'' if changed else ', as it was'}.")


@place.command("list")
@click.option("--kind", type=_KIND, help="Only places of this kind.")
@click.option("--area", help="Only places of this area.")
@_json
@click.pass_context
def list_(ctx: click.Context, kind: str | None, area: str | None, as_json: bool) -> None:
    """List the places, and how many units are recorded at each.

    Example: fleet place list --kind school
    """
    from fleet.account.custody import place_units, places

    with to_read(options_of(ctx)) as conn:
        found = places.listed(conn, kind=kind, area=area)
        held = place_units.counted(conn)
    if as_json:
        for one in found:
            _write(one, units=dict(held.get(one.place, {})))
    else:
        from fleet import screen
        from fleet.account.custody import place_screen

        screen.show(*place_screen.listed(found, held))


@place.command()
@click.argument("code")
@_json
@click.pass_context
def show(ctx: click.Context, code: str, as_json: bool) -> None:
    """Show a place: what is there, what is on its way to it, what left it, and its last counts.

    Example: fleet place show LE-LOI
    """
    from fleet.account.custody import place_units, places

    with to_read(options_of(ctx)) as conn:
        found = places.the(conn, code)
        held = place_units.counted(conn).get(found.place, {})
        counts = place_units.counts_of(conn, found.place)
    if as_json:
        _write(found, units=dict(held), counts=[asdict(one) for one in counts])
    else:
        from fleet import screen
        from fleet.account.custody import place_screen

        screen.show(*place_screen.shown(found, held, counts))


@place.command()
@click.argument("code")
@_json
@click.pass_context
def here(ctx: click.Context, code: str, as_json: bool) -> None:
    """Say at which place this bench stands: devices that it sees for the first time are there from now on.

    Example: fleet place here BENCH-1
    """
    from fleet.account.custody import places

    with to_write(options_of(ctx)) as registry:
        found = places.set_here(registry, code)
    if as_json:
        _write(found, bench=registry.ledger.bench.id)
    else:
        click.echo(f"This bench stands at {found.place}.")


def _write(found: Place, **more: object) -> None:

    json_line("place", {**asdict(found), **more})
