"""``fleet programme``: the file that says who is given what, in which order, by when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_read, to_write

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.group()
def programme() -> None:
    """Who is to be given what, in which order, by when (docs/programme.md).

    Example: fleet programme check programme.yaml
    """


@programme.command()
@_FILE
@_json
@click.pass_context
def check(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Say what is wrong in FILE, each with its line. Exit 2 when anything is. Nothing is changed.

    Example: fleet programme check examples/programmes/ca-mau-2021/programme.yaml
    """
    from dataclasses import asdict

    from fleet.account.programme.load import load
    from profiles.errors import ProfileError

    try:
        body = load(file)
    except ProfileError as error:
        if not as_json:
            raise
        json_line(
            "programme_check", {"file": str(file), "ok": False, "problems": [asdict(one) for one in error.problems]}
        )
        ctx.exit(2)
    if as_json:
        json_line("programme_check", {"file": str(file), "ok": True, "problems": []})
    else:
        click.echo(f"{file}: {body['programme']} is well.")


@programme.command()
@_FILE
@_json
@click.pass_context
def apply(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Make FILE the programme in force. The same file again does nothing.

    Areas and categories that students have and the programme does not list are told: they come last.

    Example: fleet programme apply programme.yaml
    """
    from dataclasses import asdict

    from fleet.account.programme import screen as programme_screen
    from fleet.account.programme import store as programme_store
    from fleet.account.programme.load import load
    from fleet.screen import show as print_all

    body = load(file)
    with to_write(options_of(ctx)) as registry:
        found = programme_store.apply(registry, body)
    if as_json:
        json_line("programme_apply", asdict(found))
    else:
        print_all(*programme_screen.applied(found))


@programme.command()
@_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show the programme in force: order, phases and targets, rules.

    Example: fleet programme show
    """
    from fleet.account.programme import screen as programme_screen
    from fleet.account.programme.in_force import current, in_force
    from fleet.screen import show as print_all

    with _registry(ctx) as conn:
        if as_json:
            json_line("programme", in_force(conn))
        else:
            print_all(*programme_screen.programme(current(conn)))


@programme.command()
def schema() -> None:
    """Print the JSON Schema of programme files, for editors.

    Example: fleet programme schema > programme.schema.json
    """
    from fleet.account.programme.load import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@programme.command()
@click.option(
    "--by",
    type=click.Choice(["area", "category"]),
    multiple=True,
    help="Every target in each area or category, too; may be said of both.",
)
@_json
@click.pass_context
def progress(ctx: click.Context, by: tuple[str, ...], as_json: bool) -> None:
    """Say how far each target is, and at today's pace when it is met.

    The pace is that of the last 28 days, quiet days left out. Where nothing happened in them there is no pace, and no
    day is foretold.

    Example: fleet programme progress --by area
    """
    from dataclasses import asdict

    from fleet.account.programme import screen as programme_screen
    from fleet.account.programme.progress import progress as read
    from fleet.screen import show as print_all
    from provision.progress import now

    with _registry(ctx) as conn:
        found = read(conn, now(), sorted(set(by)))
    if as_json:
        json_line("programme_progress", asdict(found))
    else:
        print_all(*programme_screen.progress(found))


@contextmanager
def _registry(ctx: click.Context) -> Iterator[Connection]:

    with to_read(options_of(ctx)) as conn:
        yield conn
