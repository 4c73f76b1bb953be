"""``fleet vault``: the key of students' names, put away and carried to other benches."""

from __future__ import annotations

from pathlib import Path

import click

from fleet.commands import json_line, options_of, to_read
from fleet.home import Home, home_of
from fleet.passphrase_commands import FILE, passphrase, passphrase_option

_VARIABLE = "FLEET_VAULT_PASSPHRASE"
_passphrase_file = passphrase_option(_VARIABLE)
_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.group()
def vault() -> None:
    """The key of students' names: made at the first import, backed up, carried to other benches. It is never shown.

    Example: fleet vault backup /media/usb/vault.key
    """


@vault.command()
@_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Say whether this bench has a key, its fingerprint, and whether it opens this registry. Exit 1: it cannot.

    Example: fleet vault show --json
    """
    from sqlalchemy import func, select

    from fleet.account.people.vault import Vault, checked
    from fleet.errors import VaultError
    from fleet.models import vault as table

    options = options_of(ctx)
    home = home_of(options)
    key = home.vault_key()
    found = Vault(checked(key)) if key is not None else None
    with to_read(options) as conn:
        kept = conn.scalar(select(func.count()).select_from(table)) or 0
        wrong = ""
        try:
            if found:
                found.check(conn)
        except VaultError as error:
            wrong = str(error)
    opens = found is not None and not wrong
    if as_json:
        _write(fingerprint=found and found.fingerprint, kept=kept, opens=opens)
    else:
        click.echo(f"Fingerprint  {found.fingerprint if found else 'none: this bench has no key yet'}")
        click.echo(f"Kept         {kept}")
        if wrong:
            click.echo(wrong)
    ctx.exit(0 if opens or not kept else 1)


@vault.command()
@click.argument("file", type=FILE)
@_passphrase_file
@_json
@click.pass_context
def backup(ctx: click.Context, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Write the key to FILE, encrypted. Keep it and its passphrase in two places, neither on this bench.

    Example: fleet vault backup /media/usb/vault.key
    """
    from fleet.account.people.vault import Vault, checked
    from fleet.account.people.vault_backup import backup as encrypted
    from fleet.errors import VaultError
    from provision.ios.keybag import write_once

    key = _home(ctx).vault_key()
    if key is None:
        raise VaultError("This bench has no key of a vault.", "It is made when the first students are imported.")
    write_once(file.absolute(), encrypted(checked(key), passphrase(passphrase_file, _VARIABLE, new=True)))
    if as_json:
        _write(file=str(file), fingerprint=Vault(key).fingerprint)
    else:
        click.echo(f"Backed up to {file}. Write its passphrase down elsewhere: without it the file is worth nothing.")


@vault.command()
@click.argument("file", type=FILE)
@_passphrase_file
@_json
@click.pass_context
def restore(ctx: click.Context, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Put the key from its backup FILE on this bench, which has none. One that is there is never written over.

    Example: fleet vault restore /media/usb/vault.key
    """
    from fleet.account.people.vault import Vault
    from fleet.account.people.vault_backup import restored
    from fleet.errors import VaultError

    home = _home(ctx)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error
    key = restored(content, passphrase(passphrase_file, _VARIABLE, new=False))
    if home.keep_vault_key(key) != key:
        raise VaultError(
            f"This bench has another key already: {home.path / 'vault.key'}.",
            "What was kept with it cannot be read without it. Move it away only if nothing was.",
        )
    if as_json:
        _write(fingerprint=Vault(key).fingerprint)
    else:
        click.echo(f"Fingerprint  {Vault(key).fingerprint}")


def _write(**fields: object) -> None:
    json_line("vault", fields)


def _home(ctx: click.Context) -> Home:
    return home_of(options_of(ctx))
