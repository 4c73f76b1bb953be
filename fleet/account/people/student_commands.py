"""``fleet student``: one student at a time, by pseudonym; names only for who says why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fleet.commands import json_line, options_of, to_read, to_write
from fleet.home import Home, Options, home_of

if TYPE_CHECKING:
    from fleet.units import Registry

_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON (docs/json.md).")


@click.group()
def student() -> None:
    """Show a student, find one by name or phone, see one off, forget one.

    Example: fleet student find "Nguyen Van An"
    """


@student.command()
@click.argument("name", metavar="STUDENT")
@click.option("--name", "why", metavar="WHY", help="Show the name, too, and record who read it and why.")
@_json
@click.pass_context
def show(ctx: click.Context, name: str, why: str | None, as_json: bool) -> None:
    """Show what is known of a student: school, unit, SIM, history. The name only with --name WHY.

    Example: fleet student show S-4Q7XN0B2M --name "the family is to be called"
    """
    from fleet.account.people.students import view
    from fleet.db import transaction

    options, home = _home(ctx)
    if why is None:
        with to_read(options) as conn:
            found, person = view(conn, name), None
    else:
        from fleet.account.people.vault import the_vault

        if not why.strip():
            raise click.UsageError("Say why the name is needed: --name WHY.")
        with _registry(ctx) as registry, transaction(registry.engine) as conn:
            found = view(conn, name)
            person = the_vault(home, conn).open(conn, registry.ledger, found.student["student"], why.strip())
    if as_json:
        said = asdict(found) if person is None else {**asdict(found), "person": asdict(person)}
        json_line("student", said)
        return
    from fleet import screen
    from fleet.account.people.student_screen import student as on_screen

    screen.show(*on_screen(found, person))
    if why is not None and person is None:
        click.echo("The vault has no name of this student.")


@student.command()
@click.argument("said", metavar="NAME-OR-PHONE")
@click.option("--school", metavar="CODE", default="", help="Only at this school.")
@click.option("--region", metavar="VN", default="VN", show_default=True, help="Where a phone number is from.")
@_json
@click.pass_context
def find(ctx: click.Context, said: str, school: str, region: str, as_json: bool) -> None:
    """Find students by name, in any spelling, or by phone. Their pseudonyms are shown, not their names.

    Example: fleet student find 0912345678
    """
    from fleet.account.people.phones import known_region
    from fleet.account.people.students import find as search
    from fleet.account.people.vault import passing_vault

    if not known_region(region := region.upper()):
        raise click.UsageError(f"There is no region {region!r}: two letters, such as VN or CN.")
    options, home = _home(ctx)
    with to_read(options) as conn:
        found = search(conn, passing_vault(home, conn), said, region=region, school=school)
    if as_json:
        json_line("students", {"students": [asdict(one) for one in found]})
        return
    from fleet import screen
    from fleet.account.people.student_screen import lines

    screen.show(*lines(found))


@student.command()
@click.argument("name", metavar="STUDENT")
@click.option("--why", required=True, help="Where the student went, or why.")
@_json
@click.pass_context
def leave(ctx: click.Context, name: str, why: str, as_json: bool) -> None:
    """Say that a student is not at the school any more: which unit to take back, and which is free now.

    Example: fleet student leave S-4Q7XN0B2M --why "moved to another province"
    """
    from fleet.account.people.pseudonyms import shown
    from fleet.account.people.students import leave as see_off
    from fleet.account.people.students import the
    from fleet.db import transaction
    from provision.text import printable

    with _registry(ctx) as registry, transaction(registry.engine) as conn:
        key = the(conn, name)
        units = see_off(conn, registry.ledger, key, why)
    if as_json:
        json_line("left", {"student": key, "holds": list(units.holds), "freed": list(units.freed)})
        return
    holds = f" Take back: {', '.join(map(printable, units.holds))}." if units.holds else ""
    freed = f" Meant for nobody any more: {', '.join(map(printable, units.freed))}." if units.freed else ""
    click.echo(f"{shown(key)} has left.{holds}{freed}")


@student.command()
@click.argument("name", metavar="STUDENT")
@click.option("--why", required=True, help="Who asked for it, or which rule.")
@click.option("--yes", is_flag=True, help="Do not ask. It cannot be taken back.")
@_json
@click.pass_context
def forget(ctx: click.Context, name: str, why: str, yes: bool, as_json: bool) -> None:
    """Forget who a student is: name, phones, and all by which they could be found. What happened stays in the ledger.

    Example: fleet student forget S-4Q7XN0B2M --why "the family asked" --yes
    """
    from fleet.account.people.pseudonyms import shown
    from fleet.account.people.students import forget as forget_them
    from fleet.account.people.vault import the_vault
    from fleet.db import transaction

    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked whether to forget this student. Pass --yes.")
        click.confirm("Forget this student? It cannot be taken back", abort=True, err=True)
    _, home = _home(ctx)
    with _registry(ctx) as registry, transaction(registry.engine) as conn:
        key = forget_them(conn, registry.ledger, the_vault(home, conn), name, why)
    if as_json:
        json_line("forgotten", {"student": key})
    else:
        click.echo(f"{shown(key)} is forgotten.")


def _home(ctx: click.Context) -> tuple[Options, Home]:
    options = options_of(ctx)
    return options, home_of(options)


@contextmanager
def _registry(ctx: click.Context) -> Iterator[Registry]:
    with to_write(options_of(ctx)) as registry:
        yield registry
