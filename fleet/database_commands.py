"""``fleet database``: where the registry is; upgrade, backup and restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from fleet.commands import json_line, options_of, to_read
from fleet.home import home_of

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def database() -> None:
    """The database that holds the registry.

    Example: fleet database backup /media/usb/registry.ledger
    """


@database.command()
@_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Say where the registry is, which version it has, and how much is in it.

    Example: fleet database show
    """
    from fleet.database_state import state
    from fleet.db import database_of

    options = options_of(ctx)
    found = state(database_of(options.database, home_of(options)))
    if as_json:
        json_line("database", asdict(found))
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.state(found))


@database.command()
@_json
@click.pass_context
def upgrade(ctx: click.Context, as_json: bool) -> None:
    """Bring the registry to the version of this fleet; make it if there is none.

    Example: fleet database upgrade
    """
    from fleet.database_state import state
    from fleet.db import database_of, writing

    options = options_of(ctx)
    url = database_of(options.database, home_of(options))
    before = state(url).version
    with writing(url):
        pass
    found = state(url)
    if as_json:
        json_line("database", {"before": before, **asdict(found)})
    elif before == found.version:
        click.echo(f"{found.database} is up to date ({found.version}).")
    else:
        click.echo(f"{found.database} has version {found.version} now, before it {before or 'none'}.")


@database.command()
@click.argument("file", type=_FILE)
@_json
@click.pass_context
def backup(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write all that the registry holds to FILE, names encrypted, and read it back. Keys are not in it.

    Example: fleet database backup /media/usb/2026-11-30.ledger
    """
    from fleet.database_copy import backup as copy
    from provision.progress import now

    with to_read(options_of(ctx)) as conn:
        header = copy(conn, file, now())
    if as_json:
        json_line("database", {"file": str(file), **asdict(header)})
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.backed_up(header, str(file)))


@database.command()
@click.argument("file", type=_FILE)
@_json
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Fill an empty registry from a backup, of whichever database it was made. One that holds something is refused.

    Example: fleet --database postgresql://fleet@server/fleet database restore 2026-11-30.ledger
    """
    from fleet.database_copy import restore as fill
    from fleet.db import database_of, writing
    from provision.progress import now

    options = options_of(ctx)
    home = home_of(options)
    with writing(database_of(options.database, home)) as engine:
        found = fill(engine, home, file, now())
    if as_json:
        json_line("database", asdict(found))
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.restored(found))
