"""``fleet supervision``: the keybag by which iPhones and iPads are supervised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_write
from fleet.home import Home, home_of
from fleet.passphrase_commands import FILE, passphrase, passphrase_option

if TYPE_CHECKING:
    from provision.ios.keybag import Keybag

_VARIABLE = "FLEET_KEYBAG_PASSPHRASE"
_passphrase_file = passphrase_option(_VARIABLE)


@click.group()
def supervision() -> None:
    """The keybag by which iPhones and iPads are supervised: made once, backed up, carried to other benches.

    Example: fleet supervision show
    """


@supervision.command()
@click.option("--organisation", required=True, metavar="NAME", help="Who supervises, as devices show it.")
@click.pass_context
def init(ctx: click.Context, organisation: str) -> None:
    """Make the keybag of this organisation, once. One that is there is never written over.

    Example: fleet supervision init --organisation "Schoolbag Hanoi"
    """
    from fleet import supervision as bags
    from fleet.db import transaction
    from fleet.values import Json, storable
    from provision.ios.keybag import create

    options = options_of(ctx)
    home = home_of(options)
    made = create(organisation)
    told: dict[str, Json] = {"v": 1, "organisation": storable(made.organisation), "ends": _ends(made)}
    with (
        to_write(options) as registry,
        transaction(registry.engine) as conn,
    ):
        registry.ledger.append(conn, "supervision.init", made.fingerprint, told)
        bags.keep(home, made)
    _say(made)
    click.echo("Without it no supervised device can be managed. Back it up now: fleet supervision backup FILE")


@supervision.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Say whose keybag this bench has, its fingerprint and when it ends. The key itself is never shown.

    Example: fleet supervision show --json
    """
    from fleet.supervision import the_keybag

    kept = the_keybag(_home(ctx))
    if as_json:
        fields = {"organisation": kept.organisation, "fingerprint": kept.fingerprint, "ends": _ends(kept)}
        json_line("supervision", fields)
    else:
        _say(kept)


@supervision.command()
@click.argument("file", type=FILE)
@_passphrase_file
@click.pass_context
def backup(ctx: click.Context, file: Path, passphrase_file: Path | None) -> None:
    """Write the keybag to FILE, encrypted (PKCS #12). Keep it and its passphrase in two places, neither on this bench.

    Example: fleet supervision backup /media/usb/keybag.p12
    """
    from fleet import supervision as bags
    from provision.ios.keybag import write_once

    kept = bags.the_keybag(_home(ctx))
    write_once(file.absolute(), bags.backup(kept, passphrase(passphrase_file, _VARIABLE, new=True)))
    click.echo(f"Backed up to {file}. Write its passphrase down elsewhere: without it the file is worth nothing.")


@supervision.command()
@click.argument("file", type=FILE)
@_passphrase_file
@click.pass_context
def restore(ctx: click.Context, file: Path, passphrase_file: Path | None) -> None:
    """Put a keybag from its backup FILE on this bench, which has none. One that is there is never written over.

    Example: fleet supervision restore /media/usb/keybag.p12
    """
    from fleet import supervision as bags

    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error
    found = bags.restored(content, passphrase(passphrase_file, _VARIABLE, new=False))
    bags.keep(_home(ctx), found)
    _say(found)


def _say(kept: Keybag) -> None:
    from datetime import UTC, datetime

    from provision.text import printable

    click.echo(f"Organisation  {printable(kept.organisation)}")
    click.echo(f"Fingerprint   {kept.fingerprint}")
    over = ", which is over: devices take nothing more from it" if kept.expired(datetime.now(UTC)) else ""
    click.echo(f"Ends          {kept.ends:%Y-%m-%d}{over}")


def _ends(kept: Keybag) -> str:
    return kept.ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _home(ctx: click.Context) -> Home:
    return home_of(options_of(ctx))
