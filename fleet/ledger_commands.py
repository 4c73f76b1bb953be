"""``fleet ledger``: the record of what happened, checked, carried to other benches, and joined with theirs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from fleet.commands import json_line, options_of, to_read
from fleet.home import home_of

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.group()
def ledger() -> None:
    """The record of what happened to every unit.

    Example: fleet ledger verify
    """


@ledger.command()
@click.option("--differ", "differing", is_flag=True, help="Also tell what benches said differently, and still do.")
@_json
@click.pass_context
def verify(ctx: click.Context, differing: bool, as_json: bool) -> None:
    """Check that no event was changed, cut out, put in or moved since it was written. Exit 1 names the place.

    Example: fleet ledger verify
    """
    from fleet import ledger_differ
    from fleet.ledger import Verified, bench_names, chain_ends
    from fleet.ledger import verify as check

    with to_read(options_of(ctx)) as conn:
        found = check(conn)
        names = bench_names(conn)
        differ = ledger_differ.told(conn, {}, chain_ends(conn)) if differing else None
    whole = isinstance(found, Verified)
    if as_json:
        json_line("ledger", {"whole": whole, **asdict(found), **({} if differ is None else {"differ": differ})})
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.verified(found, names, differ))
    ctx.exit(0 if whole else 1)


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """A day of this computer's calendar, or a moment in UTC, as the ledger writes it."""
    if value is None:
        return ""
    try:
        moment = datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no day; write it as 2026-11-30.", ctx, param) from None
    from datetime import UTC

    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--since", metavar="DAY", callback=_since, help="Only what happened from this day on (2026-11-30).")
@click.option("--with-names", is_flag=True, help="The names of students, too; they stay encrypted, without their key.")
@_json
@click.pass_context
def export(ctx: click.Context, file: Path, since: str, with_names: bool, as_json: bool) -> None:
    """Write what happened, and the health readings, to FILE, for another registry to merge.

    Example: fleet ledger export /media/usb/hanoi.ledger
    """
    from fleet import ledger_export
    from provision.progress import now

    with to_read(options_of(ctx)) as conn:
        header = ledger_export.export(conn, file, now(), since=since, names=with_names)
    if as_json:
        json_line("ledger", {"file": str(file), **asdict(header)})
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.exported(header, str(file)))


@ledger.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--plan", is_flag=True, help="Check the files and say what is new; take nothing over.")
@click.option("--other-key", is_flag=True, help="Take students of another key of the vault, too, but no names.")
@_json
@click.pass_context
def merge(ctx: click.Context, files: tuple[Path, ...], plan: bool, other_key: bool, as_json: bool) -> None:
    """Take over what other benches exported: all or nothing, and only what is missing. Again does nothing.

    A bench that names students with another key of the vault is refused: who is in lists of both would be there twice.

    Example: fleet ledger merge /media/usb/*.ledger
    """
    from fleet.db import database_of, transaction, writing
    from fleet.ledger_merge import merge as take
    from fleet.ledger_vaults import Keys, fingerprint
    from provision.progress import now

    options = options_of(ctx)
    home = home_of(options)
    keys = Keys(fingerprint(home.vault_key()), several=other_key)
    with writing(database_of(options.database, home)) as engine, transaction(engine) as conn:
        found = take(conn, files, now(), keys=keys)
        if plan:
            conn.rollback()
    if as_json:
        json_line("ledger", {"plan": plan, **asdict(found)})
    else:
        from fleet import ledger_screen, screen

        screen.show(*ledger_screen.merged(found, plan=plan))
